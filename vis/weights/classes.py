"""Names of the classes that published models were trained on; "" where an index names nothing."""

from __future__ import annotations

from vis.formats.published import COCO, COCO_REGIONS, YOUTUBE_VIS_2019

__all__ = ["COCO", "COCO_PANOPTIC", "COCO_THINGS", "YOUTUBE_VIS_2019", "numbered"]


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that nobody has named."""
    return tuple(f"class {index}" for index in range(count))


COCO_THINGS = tuple(name for name in COCO if name)
"""The 80 that have a name, in the order of their ids."""
COCO_PANOPTIC = (*COCO_THINGS, *COCO_REGIONS.values())
"""The 133, the things before the regions, each in the order of their ids."""
