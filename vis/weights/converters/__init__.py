"""The published families: one file, and in it one rename table, each."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from typing import TYPE_CHECKING

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from vis.weights.rename import Family


def names() -> list[str]:
    """The families that can be converted, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_"))


def get(name: str) -> Family:
    """The family of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names())}."
        raise UsageError(f"there is no family {name!r}", remedy=remedy)
    family: Family = importlib.import_module(f"{__name__}.{name}").FAMILY
    return family


def family_of(published: Collection[str]) -> str | None:
    """The family that knows most of the names, if more than half: many share those of backbones."""

    def mapped(name: str) -> int:
        family = get(name)
        return sum(family.knows(key) for key in published)

    # of equals the first by name: the answer does not depend on the order of files on a disk
    nearest = max(names(), key=mapped)
    return nearest if mapped(nearest) > len(published) / 2 else None
