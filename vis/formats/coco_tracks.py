"""COCO files by frame as a tracker writes them: scored tracks, by the numbers of the frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vis.formats.coco import pictures_of
from vis.formats.fields import is_number
from vis.formats.ytvis_records import AnnotationSet

if TYPE_CHECKING:
    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import Extra


def coco_tracks_of(value: dict[str, Any], reading: Reading) -> AnnotationSet:
    """What the JSON value of a COCO file holds; of results, without videos.

    The pictures of results are named by no files, and need not be all frames of their video: there
    the frames of a track are the `frame_id` of the pictures. A file without scores is the truth.

    Raises:
        DataError: as `read_coco`.
    """
    annotations = pictures_of(value, reading)
    of_tracks = {key: _score(keys) for key, keys in annotations.track_extra.items()}
    scores = {key: score for key, score in of_tracks.items() if score is not None}
    if "videos" not in value or len(scores) < _count(annotations):
        return annotations
    frames: dict[int, list[int]] = {}
    for image in value["images"]:
        number = image.get("frame_id", image.get("frame_index"))
        frames.setdefault(image["video_id"], []).append(int(number))
    numbers = {key: sorted(of_video) for key, of_video in frames.items()}
    tracks = {
        key: [
            replace(
                track,
                score=scores[track.id],
                masks={numbers[key][place]: mask for place, mask in track.masks.items()},
            )
            for track in of_video
        ]
        for key, of_video in annotations.tracks.items()
    }
    return AnnotationSet(annotations.categories, {}, tracks)


def _count(annotations: AnnotationSet) -> int:
    return sum(map(len, annotations.tracks.values()))


def _score(extra: Extra) -> float | None:
    """The highest that any frame states, as a track's score never falls; None without any."""
    by_frame = extra.get("by_frame", [])
    stated = [extra.get("score"), *(keys.get("score") for keys in by_frame)]
    return max(filter(is_number, stated), default=None)
