"""Checkpoints in and out: our sealed files, published ones, and a start from others' weights."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vis import models
from vis.errors import DataError, VisError
from vis.weights.classes import numbered
from vis.weights.convert import convert, fitting, is_ours, read_model
from vis.weights.fetch import weights_folder
from vis.weights.files import ModelMetadata, halved, read_metadata, read_weights, save
from vis.weights.get import get
from vis.weights.hub_export import export
from vis.weights.initialise import LoadReport, initialise
from vis.weights.inspection import Summary, inspect
from vis.weights.located import located
from vis.weights.rename import BACKBONE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from vis.models._contract import Model

__all__ = [
    "LoadReport",
    "ModelMetadata",
    "Summary",
    "convert",
    "export",
    "get",
    "initialise",
    "inspect",
    "load",
    "metadata_of",
    "save",
    "save_model",
    "weights_folder",
]


def load(source: str | Path) -> Model[Any]:
    """The model of a weight file, ready for use (in eval mode, on the CPU).

    Args:
        source: a file, the name of one in `weights_folder()` without `.safetensors`, or `default`
            for the model that ships with the package; a folder as transformers saves it, or
            `hf:OWNER/NAME[@REVISION][:FILE]` of the hub. Half precision becomes float32.

    Raises:
        InputError: there is no such file.
        DataError: it is damaged, not of vis, a backbone's alone, or does not fit the model that it
            names.
    """
    fetched = located(source)
    path = fetched.path
    # foreign files of this machine are converted first, by whoever knows what they are
    if path.is_dir() or (fetched.origin and not is_ours(path)):
        read = read_model(fetched)
        return _built(read.metadata, read.metadata.settings, read.tensors)
    sealed = read_metadata(path)
    if sealed.metadata.model == BACKBONE:
        raise DataError(
            f"it holds no model but a backbone, {sealed.metadata.settings.get('name')}",
            where=str(path),
            remedy="Start a model from it: model.backbone and model.init_from of `vis train`.",
        )
    try:
        stated = sealed.metadata
        settings = models.current_settings(stated.model, stated.settings, where=str(path))
        fitting(dataclasses.replace(stated, settings=settings), sealed.header.shapes)
    except VisError as error:
        raise error.at(str(path)) from None
    metadata, tensors = read_weights(path)
    return _built(metadata, settings, tensors)


def _built(
    metadata: ModelMetadata, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Model[Any]:
    model = models.build(metadata.model, classes=len(metadata.classes), **settings)
    model.load_state_dict(tensors)
    model.class_names, model.size = metadata.classes, metadata.size
    model.pixels = metadata.pixels
    model.lay_out()
    return model.eval()


def save_model(
    path: str | Path, model: Model[Any], *, half: bool = False, overwrite: bool = False
) -> None:
    """Write a model to a weight file; `path` is whole or untouched.

    Args:
        path: the file.
        model: whose weights, settings and classes are written.
        half: whether float32 is written as float16: half the size, 11 bits of each number.
        overwrite: whether `path` may be replaced.

    Raises:
        OutputError: it cannot be written, or is there and `overwrite` is False.
        DataError: a tensor is not finite, or too large for half precision; names it.
    """
    tensors = model.state_dict()
    save(path, metadata_of(model), halved(tensors) if half else tensors, overwrite=overwrite)


def metadata_of(model: Model[Any]) -> ModelMetadata:
    """What a weight file says of this model; classes that nobody has named are numbered."""
    settings = dataclasses.asdict(model.config)
    count = settings.pop("classes")
    names = model.class_names or numbered(count)
    return ModelMetadata(model.name, settings, names, model.size, model.pixels)
