"""Hard cuts: frames that are unlike all of the last few, whatever moved, shook or flashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

THRESHOLD = 0.188
"""Of the unlikeness beyond what motion explains, from which a frame begins a new shot."""
REMEMBERED = 4
"""Frames that a new one is compared with: more than a flash lasts."""

_ROWS, _COLUMNS = 16, 28
"""Cells that a frame is reduced to."""
_NEAR = (3, 5)
"""Cells down and across that a part of the picture may move from frame to frame."""
_FAR = (5, 9)
"""The same of the whole picture, when the camera turns."""
_PLAIN = 0.03
"""Contrast below which a frame is a plain colour, as in a fade or a flash: it tells of no shot."""
_SAME = 6
"""Levels of 255 by which a cell that nothing happens to may change."""
_LUMA = (0.299, 0.587, 0.114)


_USUAL = 0.1
"""Unlikeness of frames of one shot, where nothing is known of it yet."""
_RESTLESS = 0.5
"""Share of what the last frames changed that a frame is forgiven: what moves fast goes on to."""


_MISSED = 0.2
"""What this share grows by for each frame in between that tells of no shot."""
_EXPOSURES = (1.5, 2.0, 3.0, 4.5)
"""By which a picture is brightened to see whether the light alone changed, beyond white."""
_BRIGHTER = 0.1
"""Rise of the mean brightness that is looked at so."""


class Memory(NamedTuple):
    """What is kept of the frames before; never more than `REMEMBERED` of them."""

    cells: tuple[Tensor, ...] = ()
    """`[3 16 28]` uint8 each, the newest last."""
    changes: tuple[float, ...] = ()
    """Unlikeness of the last of them, each to those before it."""
    skipped: int = 0
    """Frames since then that tell of no shot: of a plain colour, or perhaps of a flash."""
    bright: int = 0
    """How many of these may be of a flash."""

    def state(self) -> dict[str, Any]:
        """Plain values and tensors."""
        pictures = {"cells": list(self.cells), "changes": list(self.changes)}
        return pictures | {"skipped": self.skipped, "bright": self.bright}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Memory:
        """What `state` gave."""
        pictures = tuple(state["cells"]), tuple(state["changes"])
        return cls(*pictures, state["skipped"], state["bright"])


class CutDetector:
    """Says of each frame whether a new shot begins with it; knows no frame that comes later.

    A frame is compared in ways that a change of exposure does not touch, see `unlikeness`. It
    begins a shot if it is unlike each of the last few frames, for after a flash the old shot goes
    on, and clearly more so than they are among each other, for a fast pan goes on as it began.
    Plain frames (black, white) begin none and are not remembered, so that a cut by way of black is
    found at the first picture after it. Frames that are suddenly near white may be a flash: if they
    are more than three, they begin a shot with the fourth.

    Args:
        memory: of the frames before the first.
    """

    def __init__(self, memory: Memory = Memory()) -> None:  # noqa: B008  frozen
        self.memory = memory
        """Of the frames so far; what another one goes on from."""

    def step(self, small: Tensor) -> bool:
        """Take the next frame, `[3 h w]` uint8, and say whether it begins a new shot."""
        cells = reduced(small)
        luma = _luma(cells.float() / 255)
        known, skipped, bright = self.memory.cells, self.memory.skipped, self.memory.bright
        flashes = bool(known) and bright < REMEMBERED - 1 and _flashes(luma, known[-1])
        if luma.std() < _PLAIN or flashes:
            most = min(skipped + 1, REMEMBERED)
            self.memory = self.memory._replace(skipped=most, bright=bright + flashes)
            return False
        forgiven = _RESTLESS + _MISSED * skipped
        bound = THRESHOLD + forgiven * max(self.memory.changes, default=_USUAL)
        change = _least(cells, known, bound)
        if change > bound:
            self.memory = Memory((cells,))
            return True
        changes = (*self.memory.changes, change) if known else ()
        self.memory = Memory((*known[1 - REMEMBERED :], cells), changes[1 - REMEMBERED :])
        return False


def reduced(small: Tensor) -> Tensor:
    """`[3 h w]` uint8 -> `[3 16 28]` uint8 of mean colours."""
    mean = interpolate(small[None].float(), (_ROWS, _COLUMNS), mode="area")[0]
    return mean.round().to(torch.uint8)


def unlikeness(cells: Tensor, other: Tensor) -> float:
    """How little two reduced frames have in common, 0 to about 1.

    A product, so that one good reason to take them for the same shot is enough: colours that are
    found near their place (things move), the distribution of colours (all may move), the fine
    pattern after a shift of the whole (the camera turns), which weighs twice, and the share that
    changed at all (something large comes before a still camera).
    """
    a, b = _exposed(cells), _exposed(other)
    pattern = 1 - _shifted_agreement(cells.float() / 255, other.float() / 255)
    product = _moved(a, b) * _colours(a, b) * pattern.clamp(min=0).square()
    return float(product**0.25 * _changed(cells, other))


def _least(cells: Tensor, known: tuple[Tensor, ...], bound: float) -> float:
    """Unlikeness to the first, from the newest on, that is within the bound, or the least."""
    least = 1.0 if known else 0.0
    for one in reversed(known):
        least = min(least, unlikeness(cells, one))
        if least <= bound:
            return least
    return min(least, _lit(cells, known[-1])) if known else least


def _lit(cells: Tensor, before: Tensor) -> float:
    """Unlikeness to the frame before in the light of this one, if that is much brighter; else 1."""
    mean = _luma(cells.float()).mean() / 255
    if mean - _luma(before.float()).mean() / 255 < _BRIGHTER:
        return 1.0
    lit = [(before.float() * gain).clamp(max=255) for gain in _EXPOSURES]
    return unlikeness(cells, min(lit, key=lambda one: abs(float(_luma(one).mean()) / 255 - mean)))


def _luma(colours: Tensor) -> Tensor:
    return (colours * colours.new_tensor(_LUMA)[:, None, None]).sum(dim=0)


def _exposed(cells: Tensor) -> Tensor:
    """`[3 16 28]` colours as if of medium brightness and contrast."""
    colours = cells.float() / 255
    luma = _luma(colours)
    return (colours - luma.mean()) / (luma.std() + _PLAIN)


def _flashes(luma: Tensor, before: Tensor) -> bool:
    """Whether most of the picture is near white, and was not in the frame before."""
    white, was = (luma > 0.9).float().mean(), (_luma(before.float() / 255) > 0.9).float().mean()
    return bool(white > 0.5 and white - was > 0.3)


def _changed(cells: Tensor, other: Tensor) -> Tensor:
    """Share of cells whose colour is another."""
    return ((cells.float() - other.float()).abs().amax(dim=0) > _SAME).float().mean()


def _moved(a: Tensor, b: Tensor) -> Tensor:
    """Mean difference of each cell from the best near its place."""
    down, across = _NEAR
    around = pad(b[None], (across, across, down, down), mode="replicate")[0]
    shifts = around.unfold(1, _ROWS, 1).unfold(2, _COLUMNS, 1)
    apart = (shifts - a[:, None, None]).abs().mean(dim=0)
    return apart.flatten(0, 1).amin(dim=0).mean()


def _colours(a: Tensor, b: Tensor) -> Tensor:
    """Distance of the distributions of brightness and of two colour differences, 0 to 1."""
    return torch.stack(
        [(x - y).abs().sum() / 2 for x, y in zip(_bins(a), _bins(b), strict=True)]
    ).mean()


def _bins(colours: Tensor) -> Tensor:
    """`[3 10]` shares of cells, blurred so that a small change of colour is a small change."""
    luma = _luma(colours)
    kinds = (luma / 2.5, (colours[0] - luma) / 1.0, (colours[2] - luma) / 1.0)
    counts = torch.stack([torch.histc(kind.clamp(-1, 1), 10, -1, 1) for kind in kinds])
    blur = counts.new_tensor([[[0.25, 0.5, 0.25]]])
    return (
        conv2d(pad(counts[:, None], (1, 1), mode="replicate")[:, :, None], blur[:, :, None])[
            :, 0, 0
        ]
        / luma.numel()
    )


def _shifted_agreement(a: Tensor, b: Tensor) -> Tensor:
    """Highest correlation of the fine patterns over shifts of the whole picture."""
    fine, other = _fine(a)[None], _fine(b)[None]
    padding, ones = _FAR, torch.ones_like(fine)
    both = conv2d(fine, other, padding=padding)
    mine = conv2d(fine.square(), ones, padding=padding)
    theirs = conv2d(ones, other.square(), padding=padding)
    return (both / ((mine * theirs).sqrt() + 0.02)).amax()


def _fine(colours: Tensor) -> Tensor:
    """What differs from the mean around it."""
    around = pad(colours[None], (2, 2, 2, 2), mode="replicate")
    return colours - avg_pool2d(around, 5, stride=1)[0]
