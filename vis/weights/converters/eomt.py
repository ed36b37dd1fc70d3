"""Published EoMT checkpoints of pictures, the authors' and transformers'."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vis.weights.converters._hub_videomt import hub_form
from vis.weights.converters._videomt import DROPPED, adapt, name_rule, shared_settings
from vis.weights.converters.mask2former import class_names, task_of
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; what the masks mean, its number of classes does.

    Raises:
        DataError: a tensor that has to be there is not, or the positions make no square.
    """
    shared = shared_settings(shapes, arguments)
    return shared | task_of(shared["classes"])


FAMILY = Family(
    model="videomt",
    renames=partial(name_rule, prefix="network", updater=False),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    adapt=adapt,
    hub=hub_form("eomt", "network", size=None),
)
