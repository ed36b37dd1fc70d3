"""Objects whose truth is boxes alone: to all that reads masks, a mask is its filled box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.fields import is_number
from vis.ops.polygons import rasterise

if TYPE_CHECKING:
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import RLE, Track

USE_COCO = "Write COCO, which has boxes alone too (vis data convert --to coco)."
"""The remedy where another format needs masks."""


def box_mask(value: object, height: int, width: int) -> RLE:
    """The filled box [x, y, width, height]: its edges at whole pixels, one pixel at the least.

    What is past the edge of the picture is cut off.

    Args:
        value: of the box.
        height: of the picture.
        width: of the picture.

    Raises:
        DataError: it is no box with an extent that the picture shows.
    """
    numbers = value if isinstance(value, list) and all(map(is_number, value)) else []
    if len(numbers) != 4 or min(numbers[2:]) <= 0:
        raise DataError(
            f"there is no mask, and the box is {value!r:.60}, not [x, y, width, height]",
            remedy="Draw the mask, correct the box, or take the annotation out.",
        )
    x, y, across, down = numbers
    if x >= width or y >= height or x + across <= 0 or y + down <= 0:
        raise DataError(
            f"the box {numbers} leaves the picture of {width} x {height}",
            remedy="Correct the box, or take the annotation out.",
        )
    left, right = _pixels(x, x + across, width)
    top, bottom = _pixels(y, y + down, height)
    return rasterise([[left, top, right, top, right, bottom, left, bottom]], height, width)


def without_drawn_box(record: object) -> object:
    """An annotation of COCO without its polygon, where that is the corners of its box alone."""
    if not isinstance(record, dict):
        return record
    polygons, box = record.get("segmentation"), record.get("bbox")
    numbers = box if isinstance(box, list) and all(map(is_number, box)) else []
    if len(numbers) != 4 or not isinstance(polygons, list) or len(polygons) != 1:
        return record
    x, y, width, height = numbers
    edges = {(x, y), (x + width, y), (x + width, y + height), (x, y + height)}
    values = polygons[0] if isinstance(polygons[0], list) else []
    corners = set(zip(values[::2], values[1::2], strict=False)) if len(values) == 8 else set()
    return {**record, "segmentation": None} if corners == edges else record


def box_only_tracks(annotation_set: AnnotationSet) -> list[Track]:
    """The objects that have boxes alone."""
    return [
        track for tracks in annotation_set.tracks.values() for track in tracks if track.box_only
    ]


def check_masks(annotation_set: AnnotationSet, what: str, remedy: str, where: str = "") -> None:
    """Refuse objects of boxes alone.

    Args:
        annotation_set: the truth.
        what: needs masks, in words.
        remedy: what to do instead.
        where: the data set, in messages.

    Raises:
        DataError: how many there are, and the first of them.
    """
    tracks = box_only_tracks(annotation_set)
    if tracks:
        raise DataError(
            f"{len(tracks)} objects have a box alone, the first is annotation {tracks[0].id}: "
            f"{what} needs masks",
            where=where,
            remedy=remedy,
        )


def _pixels(low: float, high: float, side: int) -> tuple[int, int]:
    first = min(max(round(low), 0), side - 1)
    return first, max(min(round(high), side), first + 1)
