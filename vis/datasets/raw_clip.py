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
from torchvision.transforms.v2 import InterpolationMode, functional

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
class InstanceAnnotation:
    """One object of a clip."""

    label: int
    """Class index."""
    masks: Mapping[int, RLE]
    """Place in the clip -> mask as the file has it; without an entry it is hidden there."""


@dataclass(frozen=True, slots=True, eq=False)
class RawClip:
    """Frames, and the objects in them at the size that their files state."""

    frames: Tensor
    """`[T 3 H W]` uint8 RGB, best with the channels last in memory."""
    instances: tuple[InstanceAnnotation, ...]
    rows: Lines
    """`[H]` which row of a mask each row of the frames shows, or `NOWHERE`."""
    columns: Lines
    """`[W]`, likewise."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return len(self.rows), len(self.columns)


def raw_clip(frames: Tensor, instances: Sequence[InstanceAnnotation]) -> RawClip:
    """Frames `[T 3 H W]` uint8 as they come, with objects whose masks have their size."""
    height, width = frames.shape[2:]
    return RawClip(frames, tuple(instances), np.arange(height), np.arange(width))


def flipped(clip: RawClip) -> RawClip:
    """Left and right exchanged."""
    frames = functional.horizontal_flip(clip.frames)
    return replace(clip, frames=frames, columns=clip.columns[::-1])


def resized(clip: RawClip, height: int, width: int, *, bicubic: bool = False) -> RawClip:
    """At another size: pixels bilinear or bicubic, antialiased, masks by the nearest centre."""
    if (height, width) == clip.size:
        return clip
    way = InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR
    frames = functional.resize(clip.frames, [height, width], way, antialias=True)
    # masks are not resized but read at other rows and columns, so that their edges stay sharp
    rows, columns = _nearest(clip.rows, height), _nearest(clip.columns, width)
    return replace(clip, frames=frames, rows=rows, columns=columns)


def cropped(clip: RawClip, top: int, left: int, *, height: int, width: int) -> RawClip:
    """The window of `height` x `width` pixels whose corner is at `top`, `left`."""
    rows, columns = slice(top, top + height), slice(left, left + width)
    frames = clip.frames[..., rows, columns]
    return replace(clip, frames=frames, rows=clip.rows[rows], columns=clip.columns[columns])


def padded(clip: RawClip, height: int, width: int, *, pad_value: int) -> RawClip:
    """With pixels of the value `pad_value` below and to the right, up to `height` x `width`."""
    down, right = height - clip.size[0], width - clip.size[1]
    frames = pad(clip.frames, (0, right, 0, down), value=pad_value)
    rows, columns = (
        np.concatenate((lines, np.full(more, NOWHERE)))
        for lines, more in ((clip.rows, down), (clip.columns, right))
    )
    return replace(clip, frames=frames, rows=rows, columns=columns)


def targets_of(clip: RawClip, *, keep_unseen: bool = False) -> ClipTargets:
    """The truth of the clip as it now is; boxes are tight around the masks.

    Args:
        clip: after all transforms.
        keep_unseen: keep a row for an object that no frame shows, or shows no more.
    """
    T, (height, width) = len(clip.frames), clip.size
    masks = np.zeros((len(clip.instances), T, height, width), np.bool_)
    boxes = np.zeros((len(clip.instances), T, 4), np.float32)
    for n, instance in enumerate(clip.instances):
        for t, mask in instance.masks.items():
            boxes[n, t] = _draw(mask, clip, masks[n, t])
    # fractions of the clip's size: batches pad, and a fraction does not change with the padding
    boxes /= np.array([width, height, width, height], np.float32)
    visible = boxes[..., 2] > 0
    is_kept = visible.any(axis=1) | keep_unseen
    labels = np.array([instance.label for instance in clip.instances], np.int64)
    if not is_kept.all():
        labels, boxes, masks, visible = (
            labels[is_kept],
            boxes[is_kept],
            masks[is_kept],
            visible[is_kept],
        )
    return ClipTargets(*(torch.from_numpy(array) for array in (labels, boxes, masks, visible)))


def _nearest(lines: Lines, count: int) -> Lines:
    """`count` lines in place of those given: of each, the one that its centre falls on."""
    # in whole numbers, as floats would round the centres that fall between two lines
    return lines[(2 * np.arange(count) + 1) * len(lines) // (2 * count)]


def _draw(mask: RLE, clip: RawClip, canvas: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Draw a mask on its empty canvas `[H W]`; returns its tight box, all 0 if nothing is seen."""
    # only the mask's box is decoded: most masks are small beside their frame
    in_box, (x0, y0, x1, y1) = decode_box(mask)
    rows = np.flatnonzero((clip.rows >= y0) & (clip.rows < y1))
    columns = np.flatnonzero((clip.columns >= x0) & (clip.columns < x1))
    if not len(rows) or not len(columns):
        return 0, 0, 0, 0
    visible = in_box[clip.rows[rows] - y0][:, clip.columns[columns] - x0]
    top, left = int(rows[0]), int(columns[0])
    canvas[top : top + len(rows), left : left + len(columns)] = visible
    across, down = np.flatnonzero(visible.any(axis=0)), np.flatnonzero(visible.any(axis=1))
    if not len(across):
        return 0, 0, 0, 0
    return (
        left + int(across[0]),
        top + int(down[0]),
        left + int(across[-1]) + 1,
        top + int(down[-1]) + 1,
    )
