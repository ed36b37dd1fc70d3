"""Published VidEoMT checkpoints, the authors' and transformers': YouTube-VIS, OVIS and others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vis.formats.published import OVIS, YOUTUBE_VIS_2019
from vis.weights.classes import numbered
from vis.weights.converters._hub_videomt import SIZE, hub_form
from vis.weights.converters._videomt import DROPPED, adapt, name_rule, shared_settings
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells.

    Raises:
        DataError: a tensor that has to be there is not, or the positions make no square.
    """
    return shared_settings(shapes, arguments) | {"task": "video"}


def class_names(count: int) -> tuple[str, ...]:
    """YouTube-VIS 2019's or OVIS's names, by their number; 2021 has as many, so state those."""
    by_count = {len(names): names for names in (YOUTUBE_VIS_2019, OVIS)}
    return by_count.get(count, numbered(count))


FAMILY = Family(
    model="videomt",
    renames=partial(name_rule, prefix="backbone", updater=True),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    adapt=adapt,
    hub=hub_form("videomt", "backbone", size=SIZE),
)
