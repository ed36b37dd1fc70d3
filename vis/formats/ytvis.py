"""YouTube-VIS files: the truth of a set of videos, and the results of a tracker.

The truth is one object with `videos`, `categories` and `annotations`; results are one list. Both
hold a mask, or null, for every frame of a video. A fault is an error with the file, the record, the
frame and a remedy. Who passes a list as `faults` gets every faulty record in it, and the sound ones
as the value.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.json_file import read_entries, read_json, write_json
from vis.formats.reading import Reading, before_writing, with_unique_id
from vis.formats.ytvis_kinds import annotation_lists, is_results, result_list
from vis.formats.ytvis_parse import (
    Annotation,
    Result,
    parse_annotation,
    parse_category,
    parse_result,
    parse_video,
)
from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
from vis.formats.ytvis_values import annotations_value, results_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vis.records import Track

__all__ = [
    "AnnotationSet",
    "Category",
    "VideoEntry",
    "annotations_of",
    "read_annotations",
    "read_results",
    "read_tracks",
    "read_videos",
    "results_of",
    "tracks_of",
    "videos_of",
    "write_annotations",
    "write_results",
]

Faults = list[DataError]

_TABLES = ("videos", "categories")
_OURS = {*_TABLES, "annotations"}


def read_annotations(path: str | Path, faults: Faults | None = None) -> AnnotationSet:
    """The truth of a set of videos.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `faults` does not take it.
    """
    return annotations_of(read_json(path), Reading(str(path), faults))


def read_videos(path: str | Path, faults: Faults | None = None) -> AnnotationSet:
    """The videos and categories alone, of a set whose truth is not public too; no tracks.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `faults` does not take it.
    """
    return videos_of(read_json(path), Reading(str(path), faults))


def read_results(
    path: str | Path, truth: AnnotationSet | None = None, faults: Faults | None = None
) -> dict[int, list[Track]]:
    """What a tracker found, by id of the video; a track's id is its position in the file, from 1.

    With `truth`, its ids, lengths and sizes are demanded and each of its videos has an entry. That
    the file is empty is one more fault that `faults` takes.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `faults` does not take it.
    """
    reading = Reading(str(path), faults)
    try:
        return _results(_entries(path), truth, reading)
    except DataError as error:
        if faults is None or Path(path).stat().st_size:
            raise
        faults.append(error)
        return _results([], truth, reading)


def read_tracks(
    path: str | Path, truth: AnnotationSet | None = None, faults: Faults | None = None
) -> AnnotationSet:
    """Annotations or results, whichever the file holds.

    Results come with the videos and categories of `truth`; without it, with none.

    Raises:
        InputError: the file cannot be read.
        DataError: it is neither, or a record is faulty and `faults` does not take it.
    """
    return tracks_of(read_json(path), truth, Reading(str(path), faults))


def tracks_of(value: Any, truth: AnnotationSet | None, reading: Reading) -> AnnotationSet:
    """Annotations or results, whichever the JSON value of a file holds.

    Raises:
        DataError: as `read_tracks`.
    """
    if not is_results(value):
        return annotations_of(value, reading)
    tracks = results_of(value, truth, reading)
    if truth is None:
        return AnnotationSet(categories={}, videos={}, tracks=tracks)
    return AnnotationSet(categories=truth.categories, videos=truth.videos, tracks=tracks)


def write_annotations(
    path: str | Path, annotation_set: AnnotationSet, *, overwrite: bool = False
) -> None:
    """Write the truth of a set of videos; read again, it is equal.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: it cannot be written.
        DataError: it would not be read again; nothing was written.
    """
    with before_writing(path):
        value = annotations_value(annotation_set)
        annotations_of(value, Reading("the new file"))
    write_json(path, value, overwrite=overwrite)


def write_results(
    path: str | Path,
    tracks: Mapping[int, Iterable[Track]],
    lengths: Mapping[int, int],
    *,
    overwrite: bool = False,
) -> None:
    """Write what a tracker found, in the order of the tracks' ids.

    Results have no ids: read again, a track's id is its position in the file.

    Args:
        path: of the file.
        tracks: by id of the video.
        lengths: number of frames of each video.
        overwrite: whether a file that is there may be replaced.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: it cannot be written.
        DataError: it would not be read again; nothing was written.
    """
    with before_writing(path):
        value = results_value(tracks, lengths)
        results_of(value, None, Reading("the new file"))
    write_json(path, value, overwrite=overwrite)


def videos_of(value: Any, reading: Reading) -> AnnotationSet:
    """The videos and categories that the JSON value of a file holds; no tracks.

    Raises:
        DataError: as `read_videos`.
    """
    lists = annotation_lists(value, reading.path, _TABLES)
    videos = reading.by_id(lists["videos"], "videos", parse_video)
    return AnnotationSet(
        categories=reading.by_id(lists["categories"], "categories", parse_category),
        videos=videos,
        tracks={video_id: [] for video_id in videos},
        extra={key: entry for key, entry in value.items() if key not in _OURS},
    )


def annotations_of(value: Any, reading: Reading) -> AnnotationSet:
    """The truth that the JSON value of a file holds.

    Raises:
        DataError: as `read_annotations`.
    """
    lists = annotation_lists(value, reading.path, (*_TABLES, "annotations"))
    frame = videos_of(value, reading)
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in frame.videos}
    extra: dict[int, Extra] = {}

    def parse(entry: object) -> Annotation:
        return with_unique_id(parse_annotation(entry, frame.videos, frame.categories), extra)

    needs = {"video_id": "videos", "category_id": "categories"}
    for annotation in reading.records(lists["annotations"], "annotations", parse, needs):
        tracks[annotation.video_id].append(annotation.track)
        extra[annotation.id] = annotation.extra
    beyond = {track_id: keys for track_id, keys in extra.items() if keys}
    return replace(frame, tracks=tracks, track_extra=beyond)


def results_of(value: Any, truth: AnnotationSet | None, reading: Reading) -> dict[int, list[Track]]:
    """What a tracker found, from the JSON value of its file.

    Raises:
        DataError: as `read_results`.
    """
    return _results(result_list(value, reading.path), truth, reading)


def _entries(path: str | Path) -> Iterator[Any]:
    """The records of a results file, read while they are parsed."""

    def listed(value: Any) -> list[Any]:
        return result_list(value, str(path))

    # a score that is NaN is a fault of its record, which the file's reader could not name
    for index, entry in enumerate(read_entries(path, listed, finite=False)):
        if index == 0:
            listed([entry])
        yield entry


def _results(
    values: Iterable[Any], truth: AnnotationSet | None, reading: Reading
) -> dict[int, list[Track]]:
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in truth.videos} if truth else {}
    track_ids = count(1)
    earlier: dict[int, Result] = {}

    def parse(entry: object) -> Result:
        result = parse_result(entry, next(track_ids), truth)
        _check_agreement(result, earlier.get(result.video_id, result))
        return result

    for result in reading.records(values, "results", parse):
        # a result without any mask states no size: it must not replace one that does
        if result.size is not None or result.video_id not in earlier:
            earlier[result.video_id] = result
        tracks.setdefault(result.video_id, []).append(result.track)
    return tracks


def _check_agreement(result: Result, earlier: Result) -> None:
    """Without the truth, what one record says of the video must hold for the others too."""
    if result.length != earlier.length:
        raise DataError(
            f"segmentations has {result.length} entries but an earlier result of video "
            f"{result.video_id} has {earlier.length}",
            remedy="Write one entry for each frame, null where there is nothing.",
        )
    if result.size and earlier.size and result.size != earlier.size:
        size, earlier_size = (
            f"{height} x {width}" for height, width in (result.size, earlier.size)
        )
        raise DataError(
            f"the masks are {size} but those of an earlier result of video {result.video_id} "
            f"are {earlier_size}",
            remedy="Write all masks at the size of the video.",
        )
