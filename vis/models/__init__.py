"""The catalogue of models: one file of this folder is one paper, with its `Config` and `build`."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.models._contract import Model

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Model", "build", "names"]


def names() -> list[str]:
    """The models that there are, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


def build(name: str, *, classes: int, **settings: Any) -> Model[Any]:
    """A model with fresh weights.

    Args:
        name: one of `names()`.
        classes: number of classes of the data set.
        settings: fields of the model's `Config` that differ from its defaults.

    Raises:
        UsageError: there is no such model or setting, or a value cannot be.
    """
    module = _module(name)
    fields = [field.name for field in dataclasses.fields(module.Config)]
    for setting in settings:
        if setting not in fields:
            raise UsageError(f"{name} has no setting {setting!r}", remedy=_nearest(setting, fields))
    model: Model[Any] = module.build(module.Config(classes=classes, **settings))
    return model


def _module(name: str) -> ModuleType:
    if name not in names():
        raise UsageError(f"there is no model {name!r}", remedy=_nearest(name, names()))
    return importlib.import_module(f"{__name__}.{name}")


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(words)}."
