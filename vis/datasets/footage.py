"""A clip under way from its files to a model: pixels as bytes, masks still compressed.

Flips, crops and resizing act on each axis alone, so all that they do to a mask is to choose rows
and columns of it. Those choices add up, and each mask is decoded once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad
from torchvision.transforms.v2 import functional

from vis.ops.rle import decode_box
from vis.records import ClipTargets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from vis.records import RLE

Lines = npt.NDArray[np.int64]
NOWHERE = -1
"""A line that shows no line of any mask."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a clip."""

    label: int
    """Class index."""
    masks: Mapping[int, RLE]
    """Place in the clip -> mask as the file has it; without an entry it is hidden there."""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """Frames, and the objects in them at the size that their files state."""

    frames: Tensor
    """`[T 3 H W]` uint8 RGB, best with the channels last in memory."""
    things: tuple[Thing, ...]
    rows: Lines
    """`[H]` which row of a mask each row of the frames shows, or `NOWHERE`."""
    columns: Lines
    """`[W]`, likewise."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return len(self.rows), len(self.columns)


def footage(frames: Tensor, things: Sequence[Thing]) -> Footage:
    """Frames `[T 3 H W]` uint8 as they come, with objects whose masks have their size."""
    height, width = frames.shape[2:]
    return Footage(frames, tuple(things), np.arange(height), np.arange(width))


def flipped(clip: Footage) -> Footage:
    """Left and right exchanged."""
    frames = functional.horizontal_flip(clip.frames)
    return replace(clip, frames=frames, columns=clip.columns[::-1])


def resized(clip: Footage, height: int, width: int) -> Footage:
    """At another size: pixels bilinear and antialiased, masks by the nearest pixel's centre."""
    if (height, width) == clip.size:
        return clip
    frames = functional.resize(clip.frames, [height, width], antialias=True)
    rows, columns = _nearest(clip.rows, height), _nearest(clip.columns, width)
    return replace(clip, frames=frames, rows=rows, columns=columns)


def cropped(clip: Footage, top: int, left: int, *, height: int, width: int) -> Footage:
    """The window of `height` x `width` pixels whose corner is at `top`, `left`."""
    rows, columns = slice(top, top + height), slice(left, left + width)
    frames = clip.frames[..., rows, columns]
    return replace(clip, frames=frames, rows=clip.rows[rows], columns=clip.columns[columns])


def padded(clip: Footage, height: int, width: int, *, filling: int) -> Footage:
    """With pixels of the value `filling` below and to the right, up to `height` x `width`."""
    down, right = height - clip.size[0], width - clip.size[1]
    frames = pad(clip.frames, (0, right, 0, down), value=filling)
    rows, columns = (
        np.concatenate((lines, np.full(more, NOWHERE)))
        for lines, more in ((clip.rows, down), (clip.columns, right))
    )
    return replace(clip, frames=frames, rows=rows, columns=columns)


def targets_of(clip: Footage, *, keep_unseen: bool = False) -> ClipTargets:
    """The truth of the clip as it now is; boxes are tight around the masks.

    Args:
        clip: after all transforms.
        keep_unseen: keep a row for an object that no frame shows, or shows no more.
    """
    length, (height, width) = len(clip.frames), clip.size
    masks = np.zeros((len(clip.things), length, height, width), np.bool_)
    boxes = np.zeros((len(clip.things), length, 4), np.float32)
    for n, thing in enumerate(clip.things):
        for t, mask in thing.masks.items():
            boxes[n, t] = _draw(mask, clip, masks[n, t])
    boxes /= np.array([width, height, width, height], np.float32)
    visible = boxes[..., 2] > 0
    kept = visible.any(axis=1) | keep_unseen
    labels = np.array([thing.label for thing in clip.things], np.int64)
    if not kept.all():
        labels, boxes, masks, visible = labels[kept], boxes[kept], masks[kept], visible[kept]
    return ClipTargets(*(torch.from_numpy(part) for part in (labels, boxes, masks, visible)))


def _nearest(lines: Lines, count: int) -> Lines:
    """`count` lines in place of those given: of each, the one that its centre falls on."""
    return lines[(2 * np.arange(count) + 1) * len(lines) // (2 * count)]


def _draw(mask: RLE, clip: Footage, page: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Draw a mask on its empty page `[H W]`; returns its tight box, all 0 if nothing is seen."""
    part, (x0, y0, x1, y1) = decode_box(mask)
    rows = np.flatnonzero((clip.rows >= y0) & (clip.rows < y1))
    columns = np.flatnonzero((clip.columns >= x0) & (clip.columns < x1))
    if not len(rows) or not len(columns):
        return 0, 0, 0, 0
    seen = part[clip.rows[rows] - y0][:, clip.columns[columns] - x0]
    top, left = int(rows[0]), int(columns[0])
    page[top : top + len(rows), left : left + len(columns)] = seen
    across, down = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    if not len(across):
        return 0, 0, 0, 0
    return (
        left + int(across[0]),
        top + int(down[0]),
        left + int(across[-1]) + 1,
        top + int(down[-1]) + 1,
    )
