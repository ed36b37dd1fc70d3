"""Published Mask2Former checkpoints of clips: YouTube-VIS 2019 and 2021."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vis.weights.classes import YOUTUBE_VIS_2019, numbered
from vis.weights.converters._hub_mask2former import MASK2FORMER
from vis.weights.converters._mask2former import DROPPED, RENAMES, shared_settings
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes

SIZE = 360
"""Pixels of the short side in the paper's evaluation."""


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; the longest clip is nobody's but ours.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    del arguments
    return shared_settings(shapes) | {"task": "video"}


def class_names(count: int) -> tuple[str, ...]:
    """YouTube-VIS 2019's names, for as many classes; 2021 has as many, so state those."""
    return YOUTUBE_VIS_2019 if count == len(YOUTUBE_VIS_2019) else numbered(count)


FAMILY = Family(
    model="mask2former",
    renames=RENAMES,
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    hub=replace(MASK2FORMER, size=SIZE),
)
