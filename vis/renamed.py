"""Settings that have another name today: the old one is read for one version, with a warning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, VisWarning

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_current_names(kind: type, settings: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The settings of a dataclass with the names that its fields have today.

    Args:
        kind: dataclass whose `RENAMED`, where it has one, maps old names of fields to new ones.
        settings: values by old and new names.
        where: file or dotted path that they come from, for the message.

    Raises:
        DataError: a setting is given by its old and its new name.
    """
    renamed: Mapping[str, str] = getattr(kind, "RENAMED", {})
    current: dict[str, Any] = {}
    for name, value in settings.items():
        new = renamed.get(name, name)
        if new != name:
            # by name, not by a release number: whoever reads it has the file before them
            text = f"{where}: {name!r} is called {new!r} today; write that, the old name goes"
            warnings.warn(text, VisWarning, stacklevel=3)
        if new in current:
            raise DataError(
                f"{new!r} is set twice, once by its old name {name!r}",
                where=where,
                remedy="Leave the old one out.",
            )
        current[new] = value
    return current
