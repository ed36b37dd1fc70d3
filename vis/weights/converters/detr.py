"""Published DETR checkpoints, of boxes (names without a prefix) or of boxes and masks (`detr.`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.weights.classes import COCO, numbered
from vis.weights.converters._hub_detr import DETR
from vis.weights.converters._trunk import DROPPED, MASKS, size, trunk, trunk_settings
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes

NO_OBJECT = 1
"""Rows of the class head after the classes."""


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    return {
        **trunk_settings(shapes, arguments),
        "instance_queries": size(shapes, "queries", 0),
        "classes": size(shapes, "class_head.weight", 0) - NO_OBJECT,
        "masks": any(name.startswith("masks.") for name in shapes),
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names by category id, for as many classes as the published model has."""
    return COCO if count == len(COCO) else numbered(count)


FAMILY = Family(
    model="detr",
    renames=(
        *trunk(r"(?:detr\.)?"),
        *MASKS,
        (r"mask_head\.lay5\.(weight|bias)", r"masks.pyramid.end.conv.conv.\1"),
        (r"mask_head\.gn5\.(weight|bias)", r"masks.pyramid.end.conv.norm.\1"),
        (r"mask_head\.out_lay\.(weight|bias)", r"masks.pyramid.end.logit.\1"),
    ),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    hub=DETR,
)
