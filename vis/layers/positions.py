"""Sine codes of where a cell lies in its frame and in its clip (Vaswani et al., 2017, 3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TEMPERATURE = 10_000.0
WAVES = 4
TINY = 1e-6  # part of the published formula, not only a guard against division by zero


class SinePositions2D(nn.Module):
    """Row and column, half the width each (DETR); each frame for itself.

    Args:
        d_model: channels, even.
        back: cells that a cell's place lies before its count (Deformable DETR: half a cell).
    """

    def __init__(self, d_model: int, *, back: float = 0.0) -> None:
        super().__init__()
        self.widths, self.back = _split(d_model, axes=2), back

    def forward(self, padding: Tensor) -> Tensor:
        """`[B T h w]` bool, True outside the content -> `[B T h w C]` float32."""
        return _concatenated(padding, dims=(2, 3), widths=self.widths, back=self.back)


class AddedPlace(nn.Module):
    """A map plus learned mixtures of waves across it: cells know where in the map they lie.

    The waves are sine and cosine of 1 to 4 halves of a period across either side (Fourier features,
    Tancik et al., 2020), so that the product of two places can fall with their distance.

    Args:
        d_model: channels.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.mix = nn.Linear(4 * WAVES, d_model, bias=False)
        nn.init.normal_(self.mix.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> the same."""
        angles = (
            torch.arange(1, WAVES + 1, device=x.device)
            * math.pi
            * ((torch.arange(side, device=x.device) + 0.5) / side)[:, None]
            for side in x.shape[-2:]
        )
        rows, columns = (torch.cat((turn.sin(), turn.cos()), dim=1) for turn in angles)
        down, across = self.mix.weight.float().chunk(2, dim=1)
        place = (rows @ down.T)[:, None] + (columns @ across.T)[None]
        return x + place.permute(2, 0, 1).to(x.dtype)


class SinePositions3D(nn.Module):
    """Frame, row and column, a third of the width each (VisTR).

    The two axes of the frame have the smallest even width that is no less than a third, and time
    has the rest: 128 each at 384, as published; 84, 86 and 86 at 256, where VisTR itself fails.

    Args:
        d_model: channels, even.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.widths = _split(d_model, axes=3)

    def forward(self, padding: Tensor) -> Tensor:
        """`[B T h w]` bool, True outside the content -> `[B T h w C]` float32."""
        return _concatenated(padding, dims=(1, 2, 3), widths=self.widths)


class AddedSinePositions3D(nn.Module):
    """The code of an image plus a code of time as wide (Mask2Former for video, 2021).

    It keeps the code of space with which weights for images were trained.

    Args:
        d_model: channels, even.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_model, self.widths = d_model, _split(d_model, axes=2)

    def forward(self, padding: Tensor) -> Tensor:
        """`[B T h w]` bool, True outside the content -> `[B T h w C]` float32."""
        space = _concatenated(padding, dims=(2, 3), widths=self.widths)
        return space + _concatenated(padding, dims=(1,), widths=(self.d_model,))


def sine_code(angle: Tensor, width: int) -> Tensor:
    """`[...]` -> `[... width]`: sine and cosine in turns, ever slower."""
    exponent = torch.arange(0, width, 2, dtype=torch.float32, device=angle.device) / width
    # Vaswani et al., 3.5: wavelengths from 2 pi to 10,000 times that.
    phase = angle[..., None] / TEMPERATURE**exponent
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(-2)


def _split(width: int, *, axes: int) -> tuple[int, ...]:
    """Even widths, equal for the axes of the frame; the first axis has the rest."""
    assert width % 2 == 0, width
    # Even, since a wave has a sine and a cosine; an odd third is where VisTR's own code fails.
    share = 2 * math.ceil(width / (2 * axes))
    return (width - share * (axes - 1), *[share] * (axes - 1))


def _concatenated(
    padding: Tensor, *, dims: tuple[int, ...], widths: tuple[int, ...], back: float = 0.0
) -> Tensor:
    valid = ~padding
    pairs = zip(dims, widths, strict=True)
    codes = [sine_code(_angle(valid, dim, back), width) for dim, width in pairs]
    return torch.cat(codes, dim=-1)


def _angle(valid: Tensor, dim: int, back: float) -> Tensor:
    """Cells of content up to and with this one along `dim`; all of them are a full turn."""
    # Single precision: in half, counts beyond 2,048 are no longer told apart.
    count = valid.cumsum(dim, dtype=torch.float32)
    return (count - back) / (count.narrow(dim, -1, 1) + TINY) * (2 * math.pi)
