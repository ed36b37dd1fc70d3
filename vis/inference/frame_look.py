"""How a frame looks, reduced to some hundred cells, and how unlike two frames are."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

if TYPE_CHECKING:
    from torch import Tensor

PLAIN = 0.03
"""Contrast below which a frame is a plain colour, as in a fade or a flash: it tells of no shot."""

_ROWS, _COLUMNS = 16, 28
"""Cells that a frame is reduced to."""
_NEAR = (3, 5)
"""Cells down and across that a part of the picture may move from frame to frame."""
_FAR = (5, 9)
"""The same of the whole picture, when the camera turns."""
_SAME = 6
"""Levels of 255 by which a cell that nothing happens to may change."""
_BINS = 10
"""Of each of three distributions."""
_DOUBT = 0.02
"""Added to the energy of patterns, so that the noise of what is almost plain agrees with none."""
_EXPOSURES = (1.5, 2.0, 3.0, 4.5)
"""By which a picture is brightened to see whether the light alone changed, beyond white."""
_BRIGHTER = 0.1
"""Rise of the mean brightness from which it is looked at so."""
_LUMA = (0.299, 0.587, 0.114)


class FrameLook:
    """A reduced frame, and what comparing asks of it: made once, when first asked for.

    Args:
        cells: `[3 16 28]` uint8 mean colours.
    """

    def __init__(self, cells: Tensor) -> None:
        self.cells = cells
        self.colours = cells.float() / 255
        """`[3 16 28]`, 0..1."""
        self.luma = _luma(self.colours)
        """`[16 28]`."""
        self.brightness = float(self.luma.mean())
        self.is_plain = float(self.luma.std()) < PLAIN
        """Whether it tells of no shot."""

    @classmethod
    def of(cls, small: Tensor) -> FrameLook:
        """Of a frame `[3 h w]` uint8."""
        mean = interpolate(small[None].float(), (_ROWS, _COLUMNS), mode="area")[0]
        return cls(mean.round().to(torch.uint8))

    @cached_property
    def exposed(self) -> Tensor:
        """`[3 16 28]` colours as if of medium brightness and contrast."""
        return (self.colours - self.brightness) / (self.luma.std() + PLAIN)

    @cached_property
    def around(self) -> Tensor:
        """`[3 7 11 16 28]` the exposed colours near the place of each cell."""
        down, across = _NEAR
        padded = pad(self.exposed[None], (across, across, down, down), mode="replicate")[0]
        return padded.unfold(1, _ROWS, 1).unfold(2, _COLUMNS, 1)

    @cached_property
    def shares(self) -> Tensor:
        """`[3 10]` of cells by brightness and two colour differences, blurred over neighbours."""
        luma = _luma(self.exposed)
        kinds = torch.stack((luma / 2.5, self.exposed[0] - luma, self.exposed[2] - luma)).flatten(1)
        places = ((kinds + 1) * (_BINS / 2)).long().clamp(0, _BINS - 1)
        places += torch.arange(0, 3 * _BINS, _BINS)[:, None]
        counts = torch.bincount(places.flatten(), minlength=3 * _BINS).reshape(3, _BINS).float()
        padded = torch.cat((counts[:, :1], counts, counts[:, -1:]), dim=1) / luma.numel()
        return padded[:, :-2] / 4 + padded[:, 1:-1] / 2 + padded[:, 2:] / 4

    @cached_property
    def pattern(self) -> Tensor:
        """`[3 16 28]` what differs from the mean around it."""
        padded = pad(self.colours[None], (2, 2, 2, 2), mode="replicate")
        return self.colours - avg_pool2d(padded, 5, stride=1)[0]

    @cached_property
    def energy(self) -> Tensor:
        """`[11 19]` of the part of the pattern that a shift leaves in the picture."""
        squares = self.pattern.square()[None]
        return conv2d(squares, torch.ones_like(squares), padding=_FAR)[0, 0]

    def lit(self, brightness: float) -> FrameLook:
        """The same in a light that brings it near this brightness; what is too bright is white."""
        more = [FrameLook((self.colours * gain * 255).clamp(max=255)) for gain in _EXPOSURES]
        return min(more, key=lambda one: abs(one.brightness - brightness))

    def flashes(self, before: FrameLook) -> bool:
        """Whether most of the picture is near white, and was not in the frame before."""
        white, was = ((one.luma > 0.9).float().mean() for one in (self, before))
        return bool(white > 0.5 and white - was > 0.3)


def unlikeness(one: FrameLook, other: FrameLook) -> float:
    """How little two frames have in common, 0 to about 1, whatever their exposure.

    A product, so that one good reason to take them for the same shot is enough: colours that are
    found near their place (things move), the distribution of colours (all may move), the fine
    pattern after a shift of the whole (the camera turns), which weighs twice, and the share that
    changed at all (something large comes before a still camera).
    """
    moved = (other.around - one.exposed[:, None, None]).abs().mean(dim=0)
    colours = (one.shares - other.shares).abs().sum() / 6
    pattern = (1 - _shifted_agreement(one, other)).clamp(min=0)
    levels = (one.cells.float() - other.cells.float()).abs().amax(dim=0)
    changed = (levels > _SAME).float().mean()
    product = moved.flatten(0, 1).amin(dim=0).mean() * colours * pattern.square()
    return float(product**0.25 * changed)


def unlikeness_in_light(one: FrameLook, before: FrameLook) -> float:
    """The same where the frame before is lit as this one, if this is much brighter; else 1."""
    if one.brightness - before.brightness < _BRIGHTER:
        return 1.0
    return unlikeness(one, before.lit(one.brightness))


def _luma(colours: Tensor) -> Tensor:
    return colours[0] * _LUMA[0] + colours[1] * _LUMA[1] + colours[2] * _LUMA[2]


def _shifted_agreement(one: FrameLook, other: FrameLook) -> Tensor:
    """Highest correlation of the patterns over shifts of the whole picture."""
    both = conv2d(one.pattern[None], other.pattern[None], padding=_FAR)[0, 0]
    # shifting one by as much is shifting the other by as much the other way
    energy = (one.energy * other.energy.flip(0, 1)).clamp(min=0).sqrt()
    return (both / (energy + _DOUBT)).amax()
