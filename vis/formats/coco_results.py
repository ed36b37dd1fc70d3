"""COCO result files: boxes or masks that a detector found in single pictures.

A fault is an error with the file, the record and a remedy. Who passes a list as `faults` gets every
faulty record in it, and the sound ones as the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import describe, is_number, json_object, known_id, score
from vis.formats.json_file import read_json
from vis.formats.reading import Reading
from vis.ops.rle import parse_rle

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import RLE

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PictureResult:
    """One object that was found in one picture: its box, its mask, or both."""

    image_id: int
    label: int
    """Category id as the data set states it."""
    score: float
    box: Box | None = None
    """x, y, width, height in pixels."""
    mask: RLE | None = None


def read_coco_results(
    path: str | Path, truth: AnnotationSet, faults: list[DataError] | None = None
) -> list[PictureResult]:
    """What a detector found in the pictures of `truth`, in the order of the file.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `faults` does not take it.
    """
    # a score that is NaN is a fault of its record, which the file's reader could not name
    value = read_json(path, finite=False)
    if not isinstance(value, list) or (value and _is_of_videos(value[0])):
        what = "YouTube-VIS results" if isinstance(value, list) else describe(value)
        raise DataError(
            f"this is {what}, not COCO results of single pictures",
            where=str(path),
            remedy="Give the list of results that a detector wrote.",
        )
    reading = Reading(str(path), faults)
    return list(reading.records(value, "results", lambda entry: _result(entry, truth)))


def _is_of_videos(record: object) -> bool:
    return isinstance(record, dict) and "video_id" in record and "image_id" not in record


def _result(value: object, truth: AnnotationSet) -> PictureResult:
    record = json_object(value)
    image_id = known_id(record, "image_id", truth.videos, "the pictures of the truth")
    picture = truth.videos[image_id]
    # detectors write both for masks; the evaluation takes the one that is asked for
    box, mask = record.get("bbox"), record.get("segmentation")
    if box is None and mask is None:
        raise DataError("there is neither bbox nor segmentation", remedy="Write one of them.")
    return PictureResult(
        image_id=image_id,
        label=known_id(record, "category_id", truth.categories, "the categories of the truth"),
        score=score(record, "score"),
        box=None if box is None else _box(box),
        mask=None if mask is None else parse_rle(mask, (picture.height, picture.width)),
    )


def _box(value: Any) -> Box:
    numbers = value if isinstance(value, list) and all(map(is_number, value)) else []
    if len(numbers) != 4 or min(numbers[2:]) < 0:
        description = f"{numbers}" if len(numbers) == 4 else describe(value)
        raise DataError(
            f"the box is {description}, not [x, y, width, height]", remedy="Write four numbers."
        )
    x, y, width, height = map(float, numbers)
    return x, y, width, height
