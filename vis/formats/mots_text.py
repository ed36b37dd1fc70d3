"""KITTI-MOTS text files, one a video; each line is `frame id class height width run-lengths`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from vis.errors import DataError
from vis.formats.json_file import read_regular
from vis.formats.layered import LayeredVideo
from vis.formats.paths import pictures
from vis.ops.pictures import FAULTS
from vis.ops.rle import area, merge, parse_rle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from vis.formats.reading import Reading
    from vis.records import RLE

PER_CLASS = 1000
"""Identities are class * 1000 + number."""
_LATEST = 10**6
"""Frames of a video; a larger number is a slip that would cost memory."""

_LOOKED_AT = 2**16
"""Bytes of a file of an unknown kind."""
_FIVE_NUMBERS = re.compile(rb"\s*(?:[0-9]{1,9}\s+){5}\S")


@dataclass(frozen=True, slots=True)
class _Line:
    frame: int
    id: int
    mask: RLE


def read_text(path: Path, frames: Path | None, reading: Reading) -> LayeredVideo | None:
    """The video that one text file describes, or None where its size cannot be known.

    With the folder `frames` of the videos' pictures, these are the frames, and a line's frame is
    the picture of that number; without it, there are as many as the last line needs.

    Raises:
        InputError: the file cannot be read.
        DataError: a line is faulty and `reading` does not collect it.
    """
    frame_names = _pictures(path.stem, frames)
    lines: dict[tuple[int, int], _Line] = {}
    raw_lines = read_regular(path, what="a text file").split(b"\n")
    for number, line in enumerate(raw_lines, 1):
        if not line.strip():
            continue
        try:
            record = _parse(line, frame_names, next(iter(lines.values()), None))
            _check_new(record, lines)
        except DataError as error:
            reading.collect(error, f"{path.name}: line {number}")
        else:
            lines[record.frame, record.id] = record
    try:
        height, width = _size(lines, frame_names, frames)
    except DataError as error:
        reading.collect(error, path.name)
        return None
    if frame_names is None:
        last = max(frame for frame, _ in lines)
        frame_names = {frame: f"{path.stem}/{frame:06d}.png" for frame in range(last + 1)}
    frame_index = {frame: index for index, frame in enumerate(frame_names)}
    objects: dict[int, dict[int, RLE]] = {}
    for (frame, identity), entry in lines.items():
        objects.setdefault(identity, {})[frame_index[frame]] = entry.mask
    # unlike in PNG pictures, lines can break the rule that a pixel has one object
    _check_overlaps(objects, list(frame_names), reading=reading, name=path.name)
    return LayeredVideo(
        path.stem, height, width, tuple(frame_names.values()), _sort_objects(objects)
    )


def is_mots_text(path: Path) -> bool:
    """Whether one of the first lines of a file is of this format, whatever its name says."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        lines = file.read(_LOOKED_AT).splitlines()
    return any(_FIVE_NUMBERS.match(line) for line in lines)


def text_lines(frame: int, masks: Mapping[int, RLE]) -> Iterable[str]:
    """The lines of one frame, of its masks by identity."""
    for identity, mask in masks.items():
        parts = (frame, identity, identity // PER_CLASS, mask.height, mask.width)
        yield f"{' '.join(map(str, parts))} {mask.counts.decode('ascii')}\n"


def frame_numbers(stems: Iterable[str]) -> list[int]:
    """The number of each frame: that of its file's name where all have one, else its position."""
    names = list(stems)
    numbers = [int(name) for name in names if re.fullmatch("[0-9]{1,9}", name)]
    return numbers if len(set(numbers)) == len(names) else list(range(len(names)))


def _parse(line: bytes, frame_names: Mapping[int, str] | None, first: _Line | None) -> _Line:
    parts = line.split()
    if len(parts) != 6:
        raise DataError(
            f"there are {len(parts)} fields, not 6",
            remedy="Write frame, id, class, height, width and run lengths.",
        )
    if not all(re.fullmatch(rb"[0-9]{1,9}", part) for part in parts[:5]):
        raise DataError(
            f"the first five fields {b' '.join(parts[:5])[:60]!r} are not whole numbers",
            remedy="Correct the line.",
        )
    frame, identity, label, height, width = map(int, parts[:5])
    if identity // PER_CLASS != label:
        raise DataError(
            f"id {identity} is not of class {label}: ids are class * {PER_CLASS} + number",
            remedy="Correct the id or the class.",
        )
    if frame > _LATEST or (frame_names is not None and frame not in frame_names):
        raise DataError(f"there is no frame {frame}", remedy="Correct the frame.")
    size = (first.mask.height, first.mask.width) if first else (height, width)
    if (height, width) != size:
        raise DataError(
            f"the picture is {width} x {height}, in the lines before {size[1]} x {size[0]}",
            remedy="Correct the size.",
        )
    return _Line(frame, identity, parse_rle({"size": list(size), "counts": parts[5]}, size))


def _check_new(line: _Line, earlier: Mapping[tuple[int, int], _Line]) -> None:
    if (line.frame, line.id) in earlier:
        raise DataError(
            f"id {line.id} is in frame {line.frame} twice", remedy="Merge or renumber them."
        )


def _pictures(name: str, frames: Path | None) -> dict[int, str] | None:
    """File names by frame number, where the pictures are there."""
    if frames is None or not (frames / name).is_dir():
        return None
    frame_files = pictures(frames / name)
    numbers = frame_numbers(frame_files)
    return {n: f"{name}/{path.name}" for n, path in zip(numbers, frame_files.values(), strict=True)}


def _size(
    lines: Mapping[tuple[int, int], _Line],
    frame_names: Mapping[int, str] | None,
    frames: Path | None,
) -> tuple[int, int]:
    for line in lines.values():
        return line.mask.height, line.mask.width
    if not frame_names or frames is None:
        raise DataError(
            "it names no object, so neither the size nor the length of the video is known",
            remedy="Put the pictures beside it, in images/VIDEO.",
        )
    path = frames / next(iter(frame_names.values()))
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FAULTS as error:
        raise DataError(f"{path.name} is no picture ({error})", remedy="Fetch it again.") from None


def _check_overlaps(
    objects: Mapping[int, Mapping[int, RLE]], numbers: list[int], *, reading: Reading, name: str
) -> None:
    """The format forbids that two objects share a pixel."""
    for index, number in enumerate(numbers):
        masks = [frames[index] for frames in objects.values() if index in frames]
        shared = sum(map(area, masks)) - (area(merge(masks)) if masks else 0)
        if shared:
            what = f"masks of frame {number} share {shared} pixels"
            reading.collect(DataError(what, remedy="Give each pixel to one object."), name)


def _sort_objects(objects: dict[int, dict[int, RLE]]) -> dict[int, dict[int, RLE]]:
    return {key: dict(sorted(objects[key].items())) for key in sorted(objects)}
