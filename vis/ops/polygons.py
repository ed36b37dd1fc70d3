"""Polygons as masks: checked, then rasterised by COCO's own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pycocotools import mask as native

from vis.errors import MaskError
from vis.ops.rle import merge, parse_rles
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from vis.records import RLE

Points = npt.NDArray[np.float64]

MOST_VALUES = 100_000
"""Numbers in all polygons of one mask."""
LONGEST_OUTLINE = 2_000_000
"""Pixels along all edges of one mask: the native code keeps about 80 bytes for each."""
FARTHEST = 10
"""How many times the longer side of the picture a coordinate may be away from its origin."""
_NOTATION = (
    "Write each polygon as one list [x, y, x, y, ...] within the list of polygons; vis data check "
    "with --fix does it."
)
_REMEDY = "Draw the object again, or write null where it is not visible."


def rasterise(polygons: object, height: int, width: int) -> RLE:
    """The union of polygons as a mask, pixel for pixel as COCO's reference code rasterises them.

    Args:
        polygons: a list of lists [x0, y0, x1, y1, ...] in pixels, at least three points each;
            what lies outside the picture is cut off.
        height: of the picture.
        width: of the picture.

    Raises:
        MaskError: which polygon is malformed, and how; or a picture size that no mask may have.
    """
    check_size(height, width)
    if not isinstance(polygons, list) or not polygons:
        raise _fault("a mask by polygons is a list of at least one list of numbers")
    _check_notation(polygons)
    values = sum(len(polygon) for polygon in polygons if isinstance(polygon, list))
    if values > MOST_VALUES:
        raise _fault(f"the polygons have {values} numbers, {MOST_VALUES} are legal")
    farthest = FARTHEST * max(height, width)
    points = [_points(polygon, index, farthest) for index, polygon in enumerate(polygons)]
    outline = sum(_outline(polygon) for polygon in points)
    if outline > LONGEST_OUTLINE:
        raise _fault(f"the outline is {outline:.0f} pixels long, {LONGEST_OUTLINE} are legal")
    coded = native.frPyObjects([polygon.ravel().tolist() for polygon in points], height, width)
    return merge(list(parse_rles(dict(enumerate(coded)), (height, width)).values()))


def _check_notation(polygons: list[object]) -> None:
    """Refuse a list of numbers, and lists of points, by what they are."""
    for index, polygon in enumerate(polygons):
        if type(polygon) in (int, float):
            raise MaskError("a polygon lies in no list of polygons", remedy=_NOTATION)
        if isinstance(polygon, list) and polygon and isinstance(polygon[0], list):
            raise MaskError(f"polygon {index} is a list of points", remedy=_NOTATION)
    if len(polygons) > 2 and all(isinstance(part, list) and len(part) == 2 for part in polygons):
        raise MaskError("a list of points lies in no list of polygons", remedy=_NOTATION)


def _points(polygon: object, index: int, farthest: int) -> Points:
    """The points `[P 2]` of a sound polygon."""
    if not isinstance(polygon, list):
        raise _fault(f"polygon {index} is {type(polygon).__name__}, not a list of numbers")
    foreign = {type(value) for value in polygon} - {int, float}
    if foreign:
        raise _fault(f"polygon {index} holds {min(kind.__name__ for kind in foreign)}, not numbers")
    if len(polygon) < 6 or len(polygon) % 2:
        raise _fault(f"polygon {index} has {len(polygon)} numbers, not an even count of 6 or more")
    for at, value in enumerate(polygon):
        # also false of NaN; whole numbers of any length compare exactly
        if not -farthest <= value <= farthest:
            said = f"{value:.6g}" if isinstance(value, float) else "a whole number"
            raise _fault(f"polygon {index}: number {at} is {said}, outside -{farthest}..{farthest}")
    return np.array(polygon, np.float64).reshape(-1, 2)


def _outline(points: Points) -> float:
    """Length in pixels, along the longer axis of each edge, as the native code draws it."""
    steps = points - np.roll(points, 1, axis=0)
    return float(np.abs(steps).max(axis=1).sum())


def _fault(what: str) -> MaskError:
    return MaskError(what, remedy=_REMEDY)
