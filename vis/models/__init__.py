"""The catalogue of models: one file of this folder is one paper, with its `Config` and `build`."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.models._contract import Model
from vis.renamed import with_current_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

__all__ = ["Model", "build", "current_settings", "learns_masks", "names"]


def names() -> list[str]:
    """The models that there are, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    # Parts that models share begin with an underscore, so the folder is the catalogue.
    return sorted(name for name in modules if not name.startswith("_"))


def build(name: str, *, classes: int, **settings: Any) -> Model[Any]:
    """A model with fresh weights.

    Args:
        name: one of `names()`.
        classes: number of classes of the data set.
        settings: fields of the model's `Config` that differ from its defaults, by today's names or
            those that they had before.

    Raises:
        UsageError: there is no such model or setting, or a value cannot be.
    """
    module = _module(name)
    settings = current_settings(name, settings, where=name)
    fields = [field.name for field in dataclasses.fields(module.Config)]
    for setting in settings:
        if setting not in fields:
            raise UsageError(f"{name} has no setting {setting!r}", remedy=_nearest(setting, fields))
    model: Model[Any] = module.build(module.Config(classes=classes, **settings))
    return model


def current_settings(name: str, settings: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The settings of a model by the names that its `Config` has today.

    Args:
        name: one of `names()`.
        settings: by today's names or those that they had before.
        where: file or dotted path that they come from, for the warning.

    Raises:
        UsageError: there is no such model.
        DataError: a setting is given by both of its names.
    """
    return with_current_names(_module(name).Config, settings, where=where)


def learns_masks(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether the losses of a model read masks; if not, boxes are all the truth that it needs.

    Args:
        name: one of `names()`.
        settings: as for `build`.

    Raises:
        UsageError: there is no such model.
    """
    # some have a mask branch or none, as they are set; of the others, `masks` is no setting
    default = getattr(_module(name).Config(classes=1), "masks", True)
    return bool(settings.get("masks", default))


def _module(name: str) -> ModuleType:
    if name not in names():
        raise UsageError(f"there is no model {name!r}", remedy=_nearest(name, names()))
    return importlib.import_module(f"{__name__}.{name}")


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(words)}."
