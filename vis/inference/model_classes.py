"""A model as users name it, the names of its classes, and a number to know it again by."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vis import weights
from vis.errors import UsageError
from vis.models import Model
from vis.weights.catalogue import shipped_file
from vis.weights.classes import numbered

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence


def load_model(model: Model[Any] | str | os.PathLike[str] | None) -> Model[Any]:
    """A model as it is, that of a weight file, or the one that ships with the package.

    Raises:
        UsageError: None was named and none ships.
        InputError, DataError: as `vis.load`.
    """
    if isinstance(model, Model):
        return model
    if model is not None:
        return weights.load(model if isinstance(model, str) else Path(model))
    if not shipped_file().is_file():
        raise UsageError(
            "no model is named, and this installation comes without one",
            remedy="Give a weight file, or the name of one in the folder of weights.",
        )
    return weights.load(shipped_file())


def model_sha256(model: Model[Any]) -> str:
    """A number for weights, classes and settings together; equal where the model is."""
    digest = hashlib.sha256(f"{model.name} {model.config} {model.class_names}".encode())
    # settings too: the same weights with another window are another model
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def names_of(model: Model[Any]) -> dict[int, str]:
    """The name of each class index; classes that nobody has named are numbered."""
    return dict(enumerate(model.class_names or numbered(model.config.classes)))


def indices_of(classes: Sequence[str] | None, names: Mapping[int, str]) -> tuple[int, ...] | None:
    """The indices of the classes that are asked for, None for all.

    A class whose name is "" is nobody's: a row of COCO's ids that COCO has no category for.

    Raises:
        UsageError: there is no class of a name; says which is nearest.
    """
    rows = tuple(index for index, name in names.items() if name)
    if classes is None:
        return None if len(rows) == len(names) else rows
    indices = {names[index]: index for index in rows}
    for name in classes:
        if name not in indices:
            near = difflib.get_close_matches(name, indices, n=1)
            there = f"There are: {', '.join(list(indices)[:20])}{', ...' * (len(indices) > 20)}."
            raise UsageError(
                f"the model has no class {name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else there,
            )
    return tuple(sorted(indices[name] for name in classes))
