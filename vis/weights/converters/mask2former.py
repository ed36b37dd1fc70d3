"""Published Mask2Former checkpoints of pictures: instance, panoptic and semantic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.weights.classes import COCO_PANOPTIC, COCO_THINGS, numbered
from vis.weights.converters._hub_mask2former import MASK2FORMER
from vis.weights.converters._mask2former import DROPPED, RENAMES, shared_settings
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes

SCENES = (19, 65, 150, 171)
"""Classes of Cityscapes, Mapillary Vistas, ADE20K and COCO-Stuff, whose models name pixels."""


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; what the masks mean, its number of classes does.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    del arguments
    shared = shared_settings(shapes)
    return shared | task_of(shared["classes"])


def task_of(classes: object) -> dict[str, object]:
    """What the number of classes tells of the task."""
    if classes == len(COCO_PANOPTIC):
        return {"task": "panoptic", "things": len(COCO_THINGS)}
    return {"task": "semantic" if classes in SCENES else "instance"}


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names in the order of their ids, where a published model has them."""
    by_count = {len(names): names for names in (COCO_THINGS, COCO_PANOPTIC)}
    return by_count.get(count, numbered(count))


FAMILY = Family(
    model="mask2former",
    renames=RENAMES,
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    hub=MASK2FORMER,
)
