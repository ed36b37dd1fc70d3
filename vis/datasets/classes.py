"""The classes that a model learns, and which category of a data set is which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vis.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from vis.formats.ytvis_records import Category


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a model, as one data set knows them."""

    names: tuple[str, ...]
    """Of the classes `0..K - 1`."""
    indices: Mapping[int, int]
    """Category id -> class; objects of a category without an entry are background."""

    @property
    def labelled(self) -> Tensor | None:
        """`[K]` bool: whether any category of the data set is this class; None where all are."""
        annotated = set(self.indices.values())
        if len(annotated) == len(self.names):
            return None
        return torch.tensor([index in annotated for index in range(len(self.names))])


def classes_of(
    categories: Mapping[int, Category],
    names: Sequence[str] | None = None,
    *,
    key: str = "name",
    renamed: Mapping[str, str] | None = None,
) -> Classes:
    """Match the categories of a data set with classes, by name.

    Where the exact name is no class, one that differs in capitals, blanks, - and _ alone counts, if
    there is one such class: OVIS has "Person", COCO "person".

    Args:
        categories: of the data set, by id.
        names: of the classes; without them, the categories' own, in the order of their ids.
        key: which entry of a category names its class: `name`, or another that its file has.
        renamed: what the data set calls it -> what the class is called.

    Raises:
        UsageError: a name is there twice, or `renamed` knows more than the data set.
        DataError: no category has the key, or none is one of the classes.
    """
    renamed = renamed or {}
    called = {id_: _called(categories[id_], key) for id_ in sorted(categories)}
    own = {id_: renamed.get(name, name) for id_, name in called.items() if name is not None}
    # a name that maps nothing is a slip of the pen, and would silently leave a class out
    unknown = sorted(set(renamed) - set(called.values()))
    if unknown:
        raise UsageError(
            f"no category is called {unknown[0]!r}",
            remedy=f"There are: {_listed(name for name in called.values() if name)}.",
        )
    class_names = tuple(dict.fromkeys(own.values())) if names is None else tuple(names)
    # Rows without a name are of no class, as many as there are: COCO's by category id have 11.
    named_classes = [name for name in class_names if name]
    if len(set(named_classes)) < len(named_classes):
        raise UsageError("a class is named twice", remedy="Name each class once.")
    # a class whose exact name a category has is that one's alone
    free = [name for name in named_classes if name not in own.values()]
    spelled = {n: n if n in named_classes else _spelling(n, free) for n in own.values()}
    indices = {id_: class_names.index(spelled[n]) for id_, n in own.items() if spelled[n]}
    if not indices:
        raise DataError(
            f"no category of the data set has {key!r} among the classes ({_listed(named_classes)})",
            remedy=f"The data set has: {_listed(own.values())}. Map them by `renamed` (--rename).",
        )
    return Classes(class_names, indices)


def _spelling(name: str, named_classes: Sequence[str]) -> str | None:
    """The class that a name means; None if it means none, or nobody knows which."""
    alike = [one for one in named_classes if _plain(one) == _plain(name)]
    return alike[0] if len(alike) == 1 else None


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _called(category: Category, key: str) -> str | None:
    name = category.name if key == "name" else category.extra.get(key)
    return name if isinstance(name, str) else None


def _listed(names: object) -> str:
    assert hasattr(names, "__iter__")
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - 12} more" if len(unique) > 12 else ""
    return ", ".join(unique[:12]) + more if unique else "none"
