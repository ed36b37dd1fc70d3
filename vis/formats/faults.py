"""Faults of whole data sets that several rooms tell in the same words."""

from __future__ import annotations

from vis.errors import DataError


def crowds_alone(count: int, where: str) -> DataError:
    """The fault of a data set in which nothing but crowds is marked."""
    return DataError(
        f"all its objects ({count}) are crowds (iscrowd: 1), which no model learns from",
        where=where,
        remedy="Where each is one object, as CVAT marks brush masks, write iscrowd: 0, or set "
        "crowds_are_objects: true beside the path in data.sources.",
    )
