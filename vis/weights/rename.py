"""From a published family's names to ours, by one table; every name is mapped or accounted for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.weights.hub_form import HubForm, joined
from vis.weights.hub_form import Rows as Rows  # for who writes rules

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
"""Our name -> shape."""

MAX_LISTED = 5
BACKBONE = "backbone"
"""In place of a model's name, of weights that are a backbone's alone; its settings name it."""


@dataclass(frozen=True, slots=True)
class Family:
    """How a published family is read."""

    model: str
    """The name of ours that it becomes, or `BACKBONE`."""
    renames: Rows | Callable[[str], str | None]
    """Pattern of a whole published name -> ours (`\\1` and so on are its groups), or a rule."""
    dropped: Rows
    """Pattern of a whole published name -> why it has no place here."""
    settings: Callable[[Shapes, Mapping[str, int]], dict[str, object]]
    """Shapes and the arguments stored in the file -> what shapes tell of the model's `Config`.

    The arguments are those of the published training script, updated with the user's settings.
    """
    class_names: Callable[[int], tuple[str, ...]]
    """Number of classes -> their names."""
    adapt: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    """Tensors by our names -> the same where numbers, too, differ: other colours, joined parts."""
    refused: Rows = ()
    """Pattern of a whole name of which one shows that the file is of something else -> what."""
    hub: HubForm | None = None
    """How transformers writes it, where it does."""

    def ours(self, key: str) -> str | None:
        """Our name of a published one; None if it has none."""
        return self.renames(key) if callable(self.renames) else first_of(self.renames, key)

    def published(self, key: str) -> str:
        """The published name of transformers' one, perhaps with a part; others as they are."""
        return (first_of(self.hub.renames, key) if self.hub else None) or key

    def knows(self, key: str) -> bool:
        """Whether a name, published or transformers', has one of ours."""
        return self.ours(self.published(key).partition(" ")[0]) is not None


def published_names(tensors: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Transformers' names as the published ones, split rows stacked; others stay as they are.

    Raises:
        DataError: two names become one, or a part of stacked rows is missing.
    """
    parts: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name = family.published(key)
        if name in parts:
            raise DataError(f"{key!r:.100} becomes {name!r}, which another one became already")
        parts[name] = tensor
    return joined(parts)


def rename(tensors: Mapping[str, Tensor], family: Family) -> tuple[dict[str, Tensor], Rows]:
    """The tensors by our names, and the published names that were dropped, each with its reason.

    Names may be the published ones or transformers'.

    Raises:
        DataError: a name is in neither table or refused, or two names become one.
    """
    tensors = published_names(tensors, family)
    ours: dict[str, Tensor] = {}
    dropped, unknown = [], []
    for key, tensor in tensors.items():
        if (refusal := first_of(family.refused, key)) is not None:
            raise DataError(f"{refusal} ({key:.100})")
        name, reason = family.ours(key), first_of(family.dropped, key)
        if reason is not None:
            dropped.append((key, reason))
        elif name is None:
            unknown.append(f"{key} {tuple(tensor.shape)}")
        elif name in ours:
            raise DataError(f"{key!r:.100} becomes {name!r}, which another one became already")
        else:
            ours[name] = tensor
    if unknown:
        more = f", and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
        raise DataError(
            f"{len(unknown)} of {len(tensors)} names are not of this family:"
            f" {', '.join(unknown[:MAX_LISTED])}{more}",
            remedy="Check the family and whether the file is of the published model.",
        )
    return family.adapt(ours), tuple(dropped)


def first_of(rows: Rows, key: str) -> str | None:
    """What the first row whose pattern is the whole of `key` makes of it; None if there is none."""
    for pattern, replacement in rows:
        match = _compiled(pattern).fullmatch(key)
        if match:
            return match.expand(replacement)
    return None


@functools.cache  # families have more patterns than `re` keeps
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
