"""Tracks as the detections of the library `supervision`, where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vis.ops.tracks_at import tracks_at
from vis.outputs.other_library import other_library
from vis.records import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.outputs.tracked_video import TrackedVideo
    from vis.records import FrameTracks


def detections(result: TrackedVideo) -> Iterator[tuple[int, Any]]:
    """Index of each frame and its `Detections`: boxes in pixels, masks, scores, classes, ids.

    Raises:
        DeviceError: the library is not installed.
    """
    library = other_library("supervision")
    return _detections(result, library.Detections)


def _detections(result: TrackedVideo, kind: Any) -> Iterator[tuple[int, Any]]:
    size = (result.info.height, result.info.width)
    # only the index is asked of the frame; its pixels are never read
    nothing = np.zeros((*size, 3), np.uint8)
    for index, time in result.times.items():
        tracks = tracks_at(Frame(index, time, nothing), result.tracks)
        yield index, _of_frame(tracks, result, size, kind) if len(tracks) else kind.empty()


def _of_frame(tracks: FrameTracks, result: TrackedVideo, size: tuple[int, int], kind: Any) -> Any:
    height, width = size
    return kind(
        xyxy=tracks.boxes * np.array([width, height, width, height], np.float32),
        mask=tracks.masks,
        confidence=tracks.scores,
        class_id=tracks.labels,
        tracker_id=tracks.ids,
        data={"class_name": np.array([result.names[label] for label in tracks.labels.tolist()])},
    )
