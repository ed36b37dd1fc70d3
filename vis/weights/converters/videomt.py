"""Published VidEoMT checkpoints, the authors' and transformers': YouTube-VIS, OVIS and others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vis.weights.classes import YOUTUBE_VIS_2019, numbered
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
    """YouTube-VIS 2019's names, for as many classes; 2021 has as many, so state those."""
    return YOUTUBE_VIS_2019 if count == len(YOUTUBE_VIS_2019) else numbered(count)


FAMILY = Family(
    model="videomt",
    renames=partial(name_rule, prefix="backbone", updater=True),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    adapt=adapt,
)
