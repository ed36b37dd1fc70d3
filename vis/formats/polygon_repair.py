"""Polygons in notations that are not COCO's, and parts that are none, put right."""

from __future__ import annotations

from typing import Any

FEWEST = 6
"""Numbers of a polygon: three points."""


def with_polygons(record: dict[str, Any]) -> dict[str, Any]:
    """An annotation whose polygons are lists of x and y in turn, without parts of two points.

    One list of numbers is one polygon; so is a list of points; a list too many around them goes.
    Where no polygon is left, all stays as it was.
    """
    changed = dict(record)
    if isinstance(record.get("segmentation"), list):
        changed["segmentation"] = _polygons(record["segmentation"])
    if isinstance(record.get("segmentations"), list):
        changed["segmentations"] = [
            _polygons(value) if isinstance(value, list) else value
            for value in record["segmentations"]
        ]
    return changed


def _polygons(value: list[Any]) -> list[Any]:
    parts = [value] if _are_numbers(value) or _are_points(value) else value
    if all(_are_polygons(part) for part in parts):
        parts = [polygon for part in parts for polygon in part]  # a list too many around them
    flat = [_flat(part) if _are_points(part) else part for part in parts]
    sound = [part for part in flat if not (_are_numbers(part) and len(part) < FEWEST)]
    return sound or value


def _are_points(value: object) -> bool:
    if not isinstance(value, list) or 2 * len(value) < FEWEST:
        return False
    return all(_are_numbers(point) and len(point) == 2 for point in value)


def _are_polygons(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(_are_numbers(part) and len(part) >= FEWEST for part in value)


def _are_numbers(value: object) -> bool:
    # not isinstance: true and false are ints to it
    return isinstance(value, list) and bool(value) and all(type(x) in (int, float) for x in value)


def _flat(points: list[list[float]]) -> list[float]:
    return [number for point in points for number in point]
