"""The entries of one object frame by frame: masks, and the boxes and areas stated beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import DataError, MaskError
from vis.formats.fields import describe, is_number
from vis.ops.polygons import rasterise
from vis.ops.rle import area, box, parse_rles
from vis.ops.rle_checks import fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.records import RLE

Size = tuple[int, int]
"""(height, width)."""
_REMEDY = "Correct it, or leave boxes and areas out: the masks say it too."


def parse_masks(frames: Sequence[object], size: Size) -> dict[int, RLE]:
    """The masks of the frames that have one; each entry is null, run lengths or polygons.

    Raises:
        MaskError: placed at its frame.
    """
    coded = {}
    masks = {}
    for frame, value in enumerate(frames):
        if isinstance(value, list):
            masks[frame] = _rasterised(value, size, frame)
        elif value is not None:
            coded[frame] = value
    # all at once: a check of one run-length code costs more in calls than in work
    masks |= parse_rles(coded, size)
    return {frame: masks[frame] for frame in sorted(masks)}


def stated_size(frames: Sequence[object]) -> Size | None:
    """The size that the first mask states; None where no frame has a mask.

    Raises:
        MaskError: it is not run lengths with a size.
    """
    for frame, value in enumerate(frames):
        if isinstance(value, list):
            raise MaskError(
                "polygons do not say how large the picture is",
                where=f"frame {frame}",
                remedy="Give the annotations of the same videos too, or write run lengths.",
            )
        if value is not None:
            try:
                return fields(value)[:2]
            except MaskError as error:
                raise error.at(f"frame {frame}") from None
    return None


def frame_boxes(masks: Mapping[int, RLE], length: int) -> list[list[float] | None]:
    """Tight [x, y, width, height] of each frame, None where nothing is visible."""
    boxes: list[list[float] | None] = [None] * length
    for frame, mask in masks.items():
        edges = box(mask)
        if edges is not None:
            x0, y0, x1, y1 = map(float, edges)
            boxes[frame] = [x0, y0, x1 - x0, y1 - y0]
    return boxes


def frame_areas(masks: Mapping[int, RLE], length: int) -> list[int | None]:
    """Pixels of each frame's mask, None where there is none."""
    return [area(masks[frame]) if frame in masks else None for frame in range(length)]


def check_boxes(stated: Sequence[object], masks: Mapping[int, RLE]) -> None:
    """Check the box of each frame.

    Raises:
        DataError: which box, and why.
    """
    for frame, value in enumerate(stated):
        try:
            check_box(value, masks.get(frame))
        except DataError as error:
            raise error.at(f"frame {frame}") from None


def check_areas(stated: Sequence[object]) -> None:
    """Check the area of each frame.

    Raises:
        DataError: which area, and why.
    """
    for frame, value in enumerate(stated):
        try:
            check_area(value)
        except DataError as error:
            raise error.at(f"frame {frame}") from None


def check_box(value: object, mask: RLE | None) -> None:
    """Refuse a box that is none, lies outside the picture or contradicts the mask on visibility.

    What is past an edge is no reason to lose the object: `vis data check` has a note of it.

    Raises:
        DataError: why.
    """
    numbers = _numbers(value)
    has_extent = max(numbers[2:]) > 0
    if has_extent and mask is None:
        raise DataError("there is a box but no mask", remedy=_REMEDY)
    if mask is None:
        return
    if not has_extent and area(mask):
        raise DataError("there is a mask but no box", remedy=_REMEDY)
    x, y, width, height = numbers
    inside = x < mask.width and y < mask.height and x + width > 0 and y + height > 0
    if has_extent and not inside:
        raise DataError(
            f"the box {numbers} leaves the picture of {mask.width} x {mask.height}", remedy=_REMEDY
        )


def check_area(value: object) -> None:
    """Refuse an area that is neither null nor a number of pixels.

    Raises:
        DataError: what it is.
    """
    if value is not None and not (is_number(value) and value >= 0):
        raise DataError(
            f"the area is {describe(value)}, not null or a number of pixels", remedy=_REMEDY
        )


def _numbers(value: object) -> list[float]:
    """A stated box [x, y, width, height]; null and an empty list have no extent."""
    if value in (None, []):
        return [0.0] * 4
    numbers = value if isinstance(value, list) and all(map(is_number, value)) else []
    if len(numbers) != 4 or min(numbers[2:]) < 0:
        description = f"{numbers}" if len(numbers) == 4 else describe(value)
        raise DataError(
            f"the box is {description}, not null or [x, y, width, height]", remedy=_REMEDY
        )
    return numbers


def _rasterised(polygons: list[Any], size: Size, frame: int) -> RLE:
    try:
        return rasterise(polygons, *size)
    except MaskError as error:
        raise error.at(f"frame {frame}") from None
