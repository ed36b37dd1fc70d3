"""Tracks as a video sample of the library FiftyOne, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.ops import rle
from vis.outputs.other_library import other_library

if TYPE_CHECKING:
    import os

    from vis.outputs.tracked_video import TrackedVideo
    from vis.records import RLE, Track

FIELD = "objects"
"""Of the frames, under which FiftyOne shows the objects."""


def sample(result: TrackedVideo, source: str | os.PathLike[str] | None = None) -> Any:
    """The video as a `fiftyone.Sample`, with the objects in the field `objects` of its frames.

    Args:
        result: tracks of a video.
        source: the video file, where it is not where it was.

    Raises:
        UsageError: there is no video file: FiftyOne shows no folder of pictures, and no stream.
        DeviceError: the library is not installed.
    """
    if source is None and (result.info.live or result.info.container == "pictures"):
        raise UsageError(
            "FiftyOne needs a video file",
            where=result.info.name,
            remedy="Make one (vis.VideoWriter) and give it as source.",
        )
    library = other_library("fiftyone")
    video = library.Sample(filepath=str(Path(source or result.info.name).absolute()))
    for number, detections in frame_fields(result).items():
        labels = [library.Detection(**fields) for fields in detections]
        video.frames[number] = library.Frame(**{FIELD: library.Detections(detections=labels)})
    return video


def frame_fields(result: TrackedVideo) -> dict[int, list[dict[str, Any]]]:
    """Number of each frame that shows objects, and the fields of their `fiftyone.Detection`s.

    FiftyOne counts frames from 1. Boxes are left, top, width and height as fractions of the
    picture; a mask `[h w]` covers its box alone; the index is the identity.
    """
    frames: dict[int, list[dict[str, Any]]] = {}
    for track in sorted(result.tracks, key=lambda one: one.id):
        name = result.names.get(track.label, f"class {track.label}")
        for index, mask in track.masks.items():
            frames.setdefault(index + 1, []).append(_fields(track, mask, name))
    return dict(sorted(frames.items()))


def _fields(track: Track, mask: RLE, name: str) -> dict[str, Any]:
    inside, (left, top, right, bottom) = rle.decode_box(mask)
    width, height = mask.width, mask.height
    box = [left / width, top / height, (right - left) / width, (bottom - top) / height]
    return {
        "label": name,
        "bounding_box": box,
        "mask": inside,
        "confidence": float(track.score),
        "index": int(track.id),
    }
