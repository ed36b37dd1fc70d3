"""Published weights into our files, and what a weight file holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vis import backbones, models
from vis.errors import DataError, UsageError, VisError
from vis.weights import agreement, converters
from vis.weights.archive_file import looks_like_archive, read_archive
from vis.weights.files import KEY, ModelMetadata, save
from vis.weights.graph_file import looks_like_graph, read_graph
from vis.weights.hub import Fetched, fetched_from
from vis.weights.hub_folder import WEIGHTS, is_hub_folder, read_hub_folder
from vis.weights.hub_settings import arguments_of, check_kind, check_names, label_names, settled
from vis.weights.pickle_allow_list import Record
from vis.weights.preprocessor import read_preprocessor
from vis.weights.rename import BACKBONE, published_names, rename
from vis.weights.sniff import kind_of, open_regular
from vis.weights.tensor_file import read_header, read_safetensors
from vis.weights.torch_file import Published, read_published

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from vis.weights.rename import Family, Rows

ARGUMENTS = ("nheads", "num_frames", "num_ins", "num_windows")
"""What is believed of the training script's arguments inside a published file."""
SECTIONS = ("hyper_parameters", "model_config", "args")
"""Where they are, records or dictionaries; of several the last one counts."""


def read_foreign(path: str | Path) -> Published:
    """The tensors of a published file; nothing is executed.

    It is a `.pth`, safetensors, or a frozen graph, which may lie in a `.tar.gz`; or a folder as
    transformers saves it, which one of its files may stand for.

    Raises:
        InputError: it cannot be opened.
        DataError: it is no weight file, is damaged, or asks for anything but numbers.
    """
    path = Path(path)
    if path.is_dir():
        return read_hub_folder(path)
    if path.name in WEIGHTS and is_hub_folder(path.parent):
        return read_hub_folder(path.parent, file=path.name)
    with open_regular(path) as file:
        head = file.read(512)
    if looks_like_graph(head):
        return read_graph(path)
    if looks_like_archive(head):
        return read_archive(path)
    try:
        kind = kind_of(head)
    except DataError as error:
        raise error.at(str(path)) from None
    if kind != "safetensors":
        return read_published(path)
    tensors, texts = read_safetensors(path)
    return Published(tensors, dict(texts), "safetensors")


def is_ours(path: str | Path) -> bool:
    """Whether a file says that vis wrote it.

    Raises:
        InputError: it cannot be opened.
    """
    if Path(path).is_dir():
        return False
    with open_regular(path) as file:
        try:
            return KEY in read_header(file).metadata
        except DataError:
            return False  # whoever reads it next says what it is


def convert(
    family: str | None,
    source: str | Path,
    destination: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    overwrite: bool = False,
    **settings: object,
) -> tuple[ModelMetadata, Rows]:
    """Turn a published checkpoint into a file of ours.

    Every name of the source is renamed or dropped for a stated reason, every tensor of the model
    is filled, all shapes agree; or nothing is written.

    Args:
        family: one of `vis.weights.converters.names()`; None for the one that the names tell.
        source: `.pth`, `.pkl`, safetensors, a frozen graph, alone or in its `.tar.gz`, a folder as
            transformers saves it, or `hf:OWNER/NAME` of the hub; nothing in it is executed.
        destination: the file to write.
        class_names: of the classes, where they are not the published ones.
        overwrite: whether `destination` may be replaced.
        settings: fields of the model's `Config` that shapes do not tell, such as `frames`.

    Returns:
        What the file says of its model; the dropped names with their reasons.

    Raises:
        UsageError: there is no such family or setting, or it does not fit the weights.
        InputError: `source` cannot be opened.
        DataError: `source` is not of this family, damaged or hostile; or its settings contradict
            its tensors.
        OutputError: `destination` cannot be written, or is there already.
    """
    read = read_model(source, family=family, class_names=class_names, **settings)
    save(destination, read.metadata, read.tensors, overwrite=overwrite)
    return read.metadata, read.dropped


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A published checkpoint as a model of ours."""

    metadata: ModelMetadata
    tensors: dict[str, Tensor]
    """By our names, of the model's types."""
    dropped: Rows
    """Names that have no place here, each with its reason."""


def read_model(
    source: str | Path | Fetched,
    *,
    family: str | None = None,
    class_names: Sequence[str] | None = None,
    **settings: object,
) -> ReadModel:
    """What `convert` would write; arguments and errors are its own."""
    fetched = source if isinstance(source, Fetched) else fetched_from(source)
    published = read_foreign(fetched.path)
    try:
        name = family or converters.family_of(published.tensors)
        if published.hub is not None:
            knows = converters.get(name).knows if name else (lambda _: False)
            check_names(key for key in published.tensors if not knows(key))
        if name is None:
            raise _unknown(published)
        converter = converters.get(name)
        if converter.model != BACKBONE:
            settings = models.current_settings(converter.model, settings, where=name)
        tensors, dropped = rename(_completed(published, converter, name), converter)
        metadata = _metadata(
            converter, published, tensors, class_names=class_names, settings=settings
        )
        expected = fitting(metadata, shapes_of(tensors))
    except VisError as error:
        raise error.at(str(fetched.path)) from None
    tensors = {name: tensors[name].to(value.dtype) for name, value in expected.items()}
    return ReadModel(dataclasses.replace(metadata, origin=fetched.origin), tensors, dropped)


def _unknown(published: Published) -> DataError:
    """No family knows the names: what it says it is, or how they look."""
    kind = "" if published.hub is None else published.hub.config.get("model_type")
    stated = f"model_type {kind!r:.60} is not read here" if kind else "it is of no known family"
    first = next(iter(published.tensors))
    return DataError(
        f"{stated} (first name: {first!r:.80})",
        remedy=f"There are: {', '.join(converters.names())}.",
    )


def _completed(published: Published, family: Family, name: str) -> dict[str, Tensor]:
    """The tensors, with those that hub files leave out; refused where the settings are others'."""
    tensors = published.tensors
    if published.hub is not None:
        check_kind(published.hub.config, name, family.hub)
        if family.hub is not None:
            tensors = published_names(tensors, family)
            tensors = family.hub.completed(published.hub.config, tensors)
    return tensors


def fitting(metadata: ModelMetadata, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors (without numbers) of the metadata's model or backbone, if `shapes` are theirs.

    A backbone's norms of levels may be missing: a classifier has the last alone.

    Raises:
        UsageError: there is no such model or setting.
        DataError: the settings make no model, or names or shapes differ from its own.
    """
    try:
        # without memory: settings of a forged file may describe a model of terabytes
        with torch.device("meta"):
            expected = _expected(metadata, shapes)
    except VisError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"its settings make no {metadata.model} ({error})"
        raise DataError(what, remedy="The file is of another version, or forged.") from None
    agreement.check(shapes, shapes_of(expected))
    return expected


def _expected(metadata: ModelMetadata, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    if metadata.model != BACKBONE:
        return models.build(
            metadata.model, classes=len(metadata.classes), **metadata.settings
        ).state_dict()
    state = backbones.build(str(metadata.settings.get("name"))).state_dict()
    prefixed = {f"backbone.{name}": tensor for name, tensor in state.items()}
    return {n: t for n, t in prefixed.items() if n in shapes or not n.startswith("backbone.norm")}


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Name -> shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _metadata(
    family: Family,
    published: Published,
    tensors: Mapping[str, Tensor],
    *,
    class_names: Sequence[str] | None,
    settings: Mapping[str, object],
) -> ModelMetadata:
    claims = (
        [] if published.hub is None or not family.hub else family.hub.claims(published.hub.config)
    )
    numbers = {name: value for name, value in settings.items() if type(value) is int}
    arguments = _stored_arguments(published) | arguments_of(claims) | numbers
    if class_names is not None:
        arguments["classes"] = len(class_names)
    derived = settled(claims, family.settings(shapes_of(tensors), arguments)) | dict(settings)
    count = derived.pop("classes")
    assert isinstance(count, int)
    names = tuple(class_names) if class_names is not None else None
    if names is None and published.hub is not None:
        names = label_names(published.hub.config, count)
    names = family.class_names(count) if names is None else names
    if len(names) != count:
        raise UsageError(f"{len(names)} class names for a model of {count} classes")
    metadata = ModelMetadata(family.model, derived, names)
    if published.hub is None:
        return metadata
    size = None if family.hub is None else family.hub.size
    pixels = read_preprocessor(published.hub.preprocessor)
    if pixels.resize and pixels.resize.height and "input_height" in derived:
        # of a model that squashes frames: what else would squash them first
        sides = {"input_height": pixels.resize.height, "input_width": pixels.resize.width}
        metadata = dataclasses.replace(metadata, settings=derived | sides | dict(settings))
    return dataclasses.replace(metadata, size=size, pixels=pixels)


def _stored_arguments(published: Published) -> dict[str, int]:
    stated: dict[str, int] = {}
    for section in SECTIONS:
        arguments = published.metadata.get(section)
        fields = arguments.fields if isinstance(arguments, Record) else arguments
        if isinstance(fields, dict):
            stated |= {name: v for name in ARGUMENTS if type(v := fields.get(name)) is int}
    return stated
