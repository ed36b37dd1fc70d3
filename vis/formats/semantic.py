"""Data sets that name every pixel: pictures beside PNG pictures whose pixels are class numbers.

A picture is a video of one frame; each class that is in it is one track with its region, and what
is not judged is a crowd. The PNG pictures are decoded when their tracks are asked for, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vis.errors import DataError, InputError, VisError
from vis.formats.index_pictures import EIGHT_BITS, read_numbers
from vis.formats.paths import inside
from vis.formats.reading import Reading
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops.pictures import FAULTS
from vis.ops.rle import encode
from vis.ops.rle_checks import check_size
from vis.records import Track

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.semantic_classes import Numbering
    from vis.formats.semantic_layouts import Pairs

_IDS = 257
"""Of a picture's tracks: one for each class that there may be, and what is not judged."""


def read_semantic(
    path: str | Path, pairs: Pairs, faults: list[DataError] | None = None
) -> AnnotationSet:
    """The truth of the pictures of a data set that names every pixel.

    Category k + 1 is class k. A label picture is opened for its size alone; one whose pixels are
    wrong raises when its tracks are asked for.

    Args:
        path: as the user named it, for messages.
        pairs: pictures and label pictures.
        faults: takes every fault; None: the first one is raised.

    Raises:
        DataError: a picture is without labels or faulty, and `faults` does not take it, or there is
            not one.
    """
    reading = Reading(str(path), faults)
    for name in pairs.unpaired:
        reading.collect(_unpaired_error(), name)
    videos: dict[int, VideoEntry] = {}
    label_files: dict[int, str] = {}
    for id_, (picture, label_file) in enumerate(pairs.names, 1):
        try:
            width, height = _size(inside(pairs.label_folder, label_file))
        except VisError as error:
            reading.collect(DataError(error.what, remedy=error.remedy), label_file)
            continue
        name = picture.rpartition("/")[2].rpartition(".")[0]
        videos[id_] = VideoEntry(id_, name, width, height, 1, (picture,))
        label_files[id_] = label_file
    if not videos:
        raise DataError("there is not one picture with labels", where=str(path))
    names = enumerate(pairs.numbering.names, 1)
    return AnnotationSet(
        categories={id_: Category(id_, name) for id_, name in names},
        videos=videos,
        tracks=Regions(pairs.label_folder, label_files, pairs.numbering),
    )


@dataclass(frozen=True, slots=True)
class Regions(Mapping[int, list[Track]]):
    """Tracks by id of the picture, read from its label picture at each call."""

    folder: Path
    label_files: Mapping[int, str]
    """Id -> file in the folder."""
    numbering: Numbering

    def __getitem__(self, id_: int) -> list[Track]:
        """Regions of the classes in the order of their numbers, then what is not judged.

        Raises:
            InputError: the label picture is not there any more.
            DataError: it is faulty, or has a number that is of no class.
        """
        name = self.label_files[id_]
        try:
            numbers = read_numbers(inside(self.folder, name), EIGHT_BITS)
            present = np.flatnonzero(np.bincount(numbers.ravel())).tolist()
            _check(present, self.numbering)
        except VisError as error:
            raise error.at(str(self.folder / name)) from None
        # ids of tracks must be unique in a data set although each picture is read alone
        first = (id_ - 1) * _IDS + 1
        tracks = [
            Track(first + label, label + 1, 1.0, {0: encode(numbers == number)})
            for number, label in self.numbering.classes.items()
            if number in present
        ]
        unjudged = [number for number in present if number in self.numbering.unjudged]
        if unjudged:
            mask = encode(np.isin(numbers, unjudged))
            tracks.append(Track(first + _IDS - 1, 1, 1.0, {0: mask}, crowd=True))
        return tracks

    def __iter__(self) -> Iterator[int]:
        return iter(self.label_files)

    def __len__(self) -> int:
        return len(self.label_files)


def _size(path: Path) -> tuple[int, int]:
    """Width and height as the header says."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_size(image.height, image.width)
            return image.width, image.height
    except FileNotFoundError:
        raise InputError("there is no such file") from None
    except FAULTS as error:
        raise DataError(
            f"this is no PNG picture ({error})", remedy="Make or fetch it again."
        ) from None


def _check(present: list[int], numbering: Numbering) -> None:
    valid = numbering.classes.keys() | numbering.unjudged
    unknown = [number for number in present if number not in valid]
    if unknown:
        raise DataError(
            f"there are pixels with the number {unknown[0]}, which is of no class "
            f"({len(numbering.names)} classes, of {min(numbering.classes)} to "
            f"{max(numbering.classes)})",
            remedy="Number the classes as the data set does, and write 255 where nothing is said.",
        )


def _unpaired_error() -> DataError:
    return DataError(
        "there is a picture or its labels, not both", remedy="Add the other, or take it away."
    )
