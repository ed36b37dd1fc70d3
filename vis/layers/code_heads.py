"""From a query, or from what its box shows, to the code of its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from vis.layers.dynamic_head import start, tower
from vis.layers.rois import pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDES = (64, 64, 32, 32)
"""Channels of the map that a decoder sees beside the code, on the way and at its end."""


class CodeInputs(NamedTuple):
    """What a head of codes may look at."""

    queries: Tensor
    """`[R C]`."""
    boxes: Tensor
    """`[R 4]` corners in pixels."""
    pictures: Tensor
    """`[R]` which of the M."""
    levels: Sequence[Tensor]
    """Maps `[M C h w]`."""


class Codes(NamedTuple):
    """Masks that are not decoded yet."""

    codes: Tensor
    """`[R E]`."""
    sides: Tensor | None
    """`[R 32 m/4 m/4]` for a decoder that sees a map too."""


class LinearCodes(nn.Module):
    """The query knows the mask (Hu et al., 2021, figure 2).

    Args:
        width: channels of the queries.
        code: numbers of a code.
    """

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.layers, self.out = tower(width), nn.Linear(width, code)
        start(self)

    def forward(self, inputs: CodeInputs) -> Codes:
        """Codes without maps."""
        return Codes(self.out(self.layers(inputs.queries)), None)


class ConvCodes(nn.Module):
    """The box shows the mask: convolutions from a quarter of its side down to one cell.

    Args:
        width: channels of the levels.
        code: numbers of a code.
        side: cells of the masks, a multiple of 16.
        with_maps: whether the decoder sees a map beside the code.
    """

    def __init__(self, width: int, code: int, *, side: int, with_maps: bool) -> None:
        super().__init__()
        # A quarter of the mask's side: two halvings and a last convolution make one cell of it.
        self.side = side // 4
        halves = ((nn.Conv2d(width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ELU()) for _ in "12")
        self.layers = nn.Sequential(
            *(part for half in halves for part in half), nn.Conv2d(width, code, side // 16)
        )
        self.maps = _maps(width) if with_maps else None
        start(self)

    def forward(self, inputs: CodeInputs) -> Codes:
        """Codes and, for those who want them, maps."""
        x = pooled(inputs.levels, inputs.pictures, inputs.boxes, self.side).to(inputs.queries.dtype)
        sides = None if self.maps is None else self.maps(x)
        return Codes(self.layers(x).flatten(1), sides)


def _maps(width: int) -> nn.Sequential:
    pairs = zip((width, *SIDES), SIDES, strict=False)
    layers = ((nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ELU()) for a, b in pairs)
    return nn.Sequential(*(part for layer in layers for part in layer))
