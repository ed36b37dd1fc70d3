"""Whole tracks -> the objects that one frame shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vis.ops import rle
from vis.records import FrameTracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import Frame, Track


def tracks_at(frame: Frame, tracks: Sequence[Track]) -> FrameTracks:
    """The tracks that a frame shows, decoded."""
    visible = [track for track in tracks if frame.index in track.masks]
    masks = [track.masks[frame.index] for track in visible]
    boxes = [_fractions(rle.box(mask), mask.width, mask.height) for mask in masks]
    return FrameTracks(
        index=frame.index,
        time=frame.time,
        ids=np.array([track.id for track in visible], np.int64),
        labels=np.array([track.label for track in visible], np.int64),
        scores=np.array([track.score for track in visible], np.float32),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        masks=np.array([rle.decode(mask) for mask in masks], bool).reshape(
            len(visible), *((masks[0].height, masks[0].width) if masks else (1, 1))
        ),
    )


def _fractions(
    box: tuple[int, int, int, int] | None, width: int, height: int
) -> tuple[float, float, float, float]:
    if box is None:
        return 0.0, 0.0, 0.0, 0.0
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height
