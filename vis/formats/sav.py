"""SA-V: a JSON file for each video of SA-V's training set, or the pictures of its other sets.

Films have 24 frames a second and are annotated in every fourth; what the others show is unknown.
There are no categories: every masklet is an "object".
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import (
    MOST_FRAMES,
    frame_name,
    integer,
    json_list,
    json_object,
    sides,
)
from vis.formats.index_pictures import EIGHT_BITS, ONE_BIT, read_numbers
from vis.formats.json_file import read_json
from vis.formats.paths import pictures, subfolders
from vis.formats.reading import Reading
from vis.formats.ytvis_masks import parse_masks
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops.natural import natural
from vis.ops.rle import area, encode
from vis.records import Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from vis.records import RLE

    Masks = list[dict[int, RLE]]

STEP = 4
"""Frames from one that is annotated to the next: 24 a second against 6."""
LABELS, FRAMES = "Annotations_6fps", "JPEGImages_24fps"
"""Folders of the sets for validation and test."""
_OBJECT = Category(1, "object")


def is_sav(value: object) -> bool:
    """Whether a JSON value has the outer form of the annotations of one video."""
    return isinstance(value, dict) and "masklet" in value and "video_id" in value


def sav_files(folder: Path) -> list[Path]:
    """The files that people annotated, in natural order; those made automatically lie beside."""
    return sorted(folder.glob("*_manual.json"), key=lambda path: natural(path.name))


def sav_of(value: Any, reading: Reading) -> AnnotationSet:
    """The truth of one video.

    Raises:
        DataError: it is faulty and `reading` does not collect it.
    """
    return _numbered(_parsed([(reading, value)]))


def read_sav(folder: Path, faults: list[DataError] | None = None) -> AnnotationSet:
    """The truth of all videos of a folder of files that people annotated.

    Raises:
        InputError: a file cannot be read.
        DataError: a file is faulty and `faults` does not take it.
    """
    files = ((Reading(str(path), faults), read_json(path)) for path in sav_files(folder))
    return _numbered(_parsed(files))


def read_sav_pictures(root: Path, faults: list[DataError] | None = None) -> AnnotationSet:
    """The truth of a folder with `Annotations_6fps/VIDEO/OBJECT/00000.png`.

    Raises:
        InputError: a folder cannot be listed.
        DataError: a picture is faulty and `faults` does not take it.
    """
    reading = Reading(str(root / LABELS), faults)
    return _numbered(_painted(root, reading))


def _parsed(files: Iterable[tuple[Reading, Any]]) -> Iterator[tuple[VideoEntry, Masks]]:
    for reading, value in files:
        try:
            yield _video(value)
        except DataError as error:
            reading.collect(error, "video")


def _video(value: object) -> tuple[VideoEntry, Masks]:
    record = json_object(value)
    name = frame_name(record.get("video_id"))
    length = integer(record, "video_frame_count", low=1, high=MOST_FRAMES)
    size = sides({"height": record.get("video_height"), "width": record.get("video_width")})
    rows, ids = json_list(record, "masklet"), json_list(record, "masklet_id")
    if (len(rows) - 1) * STEP >= length:
        raise DataError(
            f"masklet has {len(rows)} entries, of the {length} frames every {STEP}th has one",
            remedy="Fetch it again.",
        )
    if any(not isinstance(row, list) or len(row) != len(ids) for row in rows):
        raise DataError(
            f"masklet has not {len(ids)} masks in each frame, as masklet_id has",
            remedy="Fetch it again.",
        )
    names = tuple(f"{name}/{frame:05d}.jpg" for frame in range(length))
    frames = tuple(range(0, len(rows) * STEP, STEP))
    video = VideoEntry(0, name, size[1], size[0], length, names, annotated_frames=frames)
    objects = []
    for number in range(len(ids)):
        masks = parse_masks([row[number] for row in rows], size)
        objects.append({place * STEP: mask for place, mask in masks.items()})
    return video, objects


def _painted(root: Path, reading: Reading) -> Iterator[tuple[VideoEntry, Masks]]:
    for folder in subfolders(root / LABELS):
        names = pictures(root / FRAMES / folder.name)
        places = {stem: place for place, stem in enumerate(names)}
        objects = [_object(inner, places, reading) for inner in subfolders(folder)]
        every = {frame: mask for masks in objects for frame, mask in masks.items()}
        sizes = {(mask.height, mask.width) for masks in objects for mask in masks.values()}
        if len(sizes) > 1:
            fault = DataError("its pictures differ in size", remedy="Fetch them again.")
            reading.collect(fault, folder.name)
        elif sizes:
            (height, width) = sizes.pop()
            files = tuple(f"{folder.name}/{path.name}" for path in names.values())
            video = VideoEntry(0, folder.name, width, height, len(files), files)
            yield replace(video, annotated_frames=tuple(sorted(every))), objects


def _object(folder: Path, places: Mapping[str, int], reading: Reading) -> dict[int, RLE]:
    masks: dict[int, RLE] = {}
    where = f"{folder.parent.name}/{folder.name}"
    for stem, path in pictures(folder, {".png"}).items():
        try:
            if stem not in places:
                raise DataError("there is no frame to it", remedy=f"Add it to {FRAMES}.")
            masks[places[stem]] = encode(read_numbers(path, ONE_BIT + EIGHT_BITS) > 0)
        except DataError as error:
            reading.collect(error, f"{where}/{path.name}")
    return masks


def _numbered(videos: Iterable[tuple[VideoEntry, Masks]]) -> AnnotationSet:
    """Videos and tracks counted from 1; a mask without a pixel is none."""
    entries: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    ids = count(1)
    for video_id, (video, objects) in enumerate(videos, 1):
        entries[video_id] = replace(video, id=video_id)
        tracks[video_id] = []
        for masks in objects:
            there = {frame: mask for frame, mask in masks.items() if area(mask)}
            tracks[video_id].append(Track(next(ids), _OBJECT.id, 1.0, there))
    return AnnotationSet({_OBJECT.id: _OBJECT}, entries, tracks)
