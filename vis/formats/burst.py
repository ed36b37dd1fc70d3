"""BURST: one JSON file of sequences; of their frames some are annotated, by run lengths.

A file of first frames shows each object once, where it begins. Up to the first that begins, all is
known; later frames show the new objects, and nothing is known of those before: they do not count as
annotated, and their masks are there for whoever asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import (
    check_frame_name,
    frame_name,
    integer,
    json_list,
    json_object,
    known_id,
    sides,
    text,
    unknown_keys,
)
from vis.formats.ytvis_parse import parse_category
from vis.formats.ytvis_records import AnnotationSet, VideoEntry
from vis.ops.rle import area, parse_rle
from vis.records import Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.reading import Reading
    from vis.records import RLE

_LATER = (
    "{} objects begin in frames in which nothing is known of those before: nothing is learnt or "
    "measured there"
)
_OF_SEQUENCE = {
    "id", "seq_name", "width", "height", "all_image_paths", "annotated_image_paths",
    "segmentations", "track_category_ids",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sequence:
    id: int
    video: VideoEntry
    tracks: list[Track]
    """Their ids are those of the sequence."""


def is_burst(value: object) -> bool:
    """Whether a JSON value has the outer form of BURST's annotations."""
    return isinstance(value, dict) and "sequences" in value


def burst_of(value: Any, reading: Reading) -> AnnotationSet:
    """The truth that the JSON value of a file holds; tracks are counted from 1.

    Raises:
        DataError: a record is faulty and `reading` does not collect it.
    """
    categories = reading.by_id(json_list(value, "categories"), "categories", parse_category)
    split = value.get("split")
    folder = f"{split}/" if isinstance(split, str) and split else ""

    def parse(record: object) -> _Sequence:
        return _sequence(record, folder, categories, reading=reading)

    sequences = reading.by_id(json_list(value, "sequences"), "sequences", parse)
    ids = count(1)
    return AnnotationSet(
        categories=categories,
        videos={key: one.video for key, one in sequences.items()},
        tracks={
            key: [replace(track, id=next(ids)) for track in one.tracks]
            for key, one in sequences.items()
        },
        extra=unknown_keys(value, {"sequences", "categories"}),
    )


def _sequence(
    value: object, folder: str, categories: Mapping[int, object], *, reading: Reading
) -> _Sequence:
    record = json_object(value)
    sequence_id, name = integer(record, "id"), text(record, "seq_name")
    height, width = sides(record)
    root = (
        f"{folder}{text(record, 'dataset')}/{name}/" if "dataset" in record else f"{folder}{name}/"
    )
    paths = json_list(record, "all_image_paths")
    names = [f"{root}{frame_name(path)}" for path in paths]
    check_frame_name(f"{root}_")
    places = {path: place for place, path in enumerate(paths)}
    segmentations = _by_place(record, places)
    masks = _masks(segmentations, (height, width))
    annotated = sorted(segmentations)
    if _shows_first_frames(segmentations):
        begins = min((min(by_frame) for by_frame in masks.values()), default=annotated[-1])
        annotated = [frame for frame in annotated if frame <= begins]
        reading.notes[_LATER] += sum(begins not in by_frame for by_frame in masks.values())
    video = VideoEntry(
        id=sequence_id,
        name=name,
        width=width,
        height=height,
        length=len(names),
        file_names=tuple(names),
        extra=unknown_keys(record, _OF_SEQUENCE),
        annotated_frames=tuple(annotated),
    )
    labels = json_object(record.get("track_category_ids"))
    tracks = [
        Track(int(number), known_id(labels, number, categories, "categories"), 1.0, by_frame)
        for number, by_frame in masks.items()
    ]
    return _Sequence(sequence_id, video, tracks)


def _shows_first_frames(frames: Mapping[int, object]) -> bool:
    """Whether objects have a point, as in a file of first frames alone."""
    entries = (entry for objects in frames.values() for entry in json_object(objects).values())
    return any("point" in entry for entry in entries if isinstance(entry, dict))


def _by_place(record: Mapping[str, Any], places: Mapping[str, int]) -> dict[int, object]:
    """The segmentations of each annotated frame, by its place."""
    annotated = json_list(record, "annotated_image_paths")
    if "segmentations" not in record:
        raise DataError(
            "segmentations is missing: the truth is not in this file",
            remedy="Use a file whose annotations are public.",
        )
    frames = json_list(record, "segmentations")
    fit = len(frames) == len(annotated) and all(isinstance(path, str) for path in annotated)
    if not fit or not set(annotated) <= set(places):
        raise DataError(
            "segmentations, annotated_image_paths and all_image_paths do not fit each other",
            remedy="Fetch the file again.",
        )
    return {places[path]: frame for path, frame in zip(annotated, frames, strict=True)}


def _masks(frames: Mapping[int, object], size: tuple[int, int]) -> dict[str, dict[int, RLE]]:
    """Number of the track -> frame -> mask."""
    masks: dict[str, dict[int, RLE]] = {}
    for frame, value in sorted(frames.items()):
        for number, entry in json_object(value).items():
            record = json_object(entry)
            if not number.isdigit():
                raise DataError(f"a track is called {number!r:.40}", remedy="Write a whole number.")
            try:
                mask = parse_rle({"size": list(size), "counts": record.get("rle")}, size)
            except DataError as error:
                raise error.at(f"frame {frame}, track {number}") from None
            if area(mask):
                masks.setdefault(number, {})[frame] = mask
    return masks
