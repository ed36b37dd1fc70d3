"""A checkpoint as transformers saves it: a folder of settings and tensors; nothing is executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, InputError, VisError
from vis.formats.json_file import read_json
from vis.weights.tensor_file import read_safetensors
from vis.weights.torch_file import HubNotes, Published, read_published

if TYPE_CHECKING:
    from torch import Tensor

CONFIG = "config.json"
PREPROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""In order of preference, each alone or in the shards that its index lists."""
INDEX = ".index.json"
MAX_SETTINGS = 4 << 20
"""Bytes of a file of settings; LVIS has 1203 classes in 60 kB."""
MAX_INDEX = 32 << 20


def is_hub_folder(path: str | Path) -> bool:
    """Whether it is a folder with settings; its weights may be missing."""
    return (Path(path) / CONFIG).is_file()


def read_hub_folder(folder: str | Path, *, file: str | None = None) -> Published:
    """The tensors and the settings of a folder.

    Args:
        folder: with `config.json`.
        file: of its weights, where one is meant; else safetensors, its shards, or the `.bin`.

    Raises:
        InputError: there is no `config.json`, or no file of weights.
        DataError: a file is damaged, asks for code, or shards and index do not fit each other.
    """
    folder = Path(folder)
    if not is_hub_folder(folder):
        remedy = "Give a weight file, or a folder as transformers saves it."
        raise InputError(f"the folder has no {CONFIG}", where=str(folder), remedy=remedy)
    notes = check_settings(folder)
    published = _weights(folder, file)
    return Published(
        published.tensors, published.metadata, f"transformers, {published.format}", notes
    )


def check_settings(folder: Path) -> HubNotes:
    """The settings of a folder.

    Raises:
        InputError, DataError: as `read_hub_folder`.
    """
    config = _settings(folder / CONFIG)
    if "auto_map" in config:
        raise DataError(
            "auto_map: the repository brings its own code",
            where=str(folder / CONFIG),
            done="It is refused, as no code of a repository is ever run.",
        )
    present = [name for name in PREPROCESSORS if (folder / name).is_file()]
    return HubNotes(config, _settings(folder / present[0]) if present else {})


def _settings(path: Path) -> dict[str, Any]:
    content = read_json(path, largest=MAX_SETTINGS, finite=False)
    if not isinstance(content, dict):
        raise DataError("it holds no table of settings", where=str(path))
    return content


def _weights(folder: Path, file: str | None) -> Published:
    if file is not None:
        return _read(folder / file)
    for name in WEIGHTS:
        if (folder / name).is_file():
            return _read(folder / name)
        if (folder / f"{name}{INDEX}").is_file():
            return _shards(folder / f"{name}{INDEX}")
    names = " nor ".join(WEIGHTS)
    raise InputError(f"the folder has neither {names}, alone or in shards", where=str(folder))


def _shards(index: Path) -> Published:
    """All tensors of the files that an index lists, each where it says.

    Raises:
        InputError: a shard is missing.
        DataError: a shard is not beside the index, or holds other tensors than it says.
    """
    content = read_json(index, largest=MAX_INDEX, finite=False)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not all(isinstance(p, str) for p in places.values()):
        raise DataError("it has no weight_map from tensors to files", where=str(index))
    tensors: dict[str, Tensor] = {}
    form = ""
    for shard in dict.fromkeys(places.values()):
        if not shard or shard in (".", "..") or "/" in shard or "\\" in shard:
            raise DataError(f"the shard {shard!r:.80} is not beside its index", where=str(index))
        part = _read(index.parent / shard)
        expected = {name for name, place in places.items() if place == shard}
        _check_shard(expected, set(part.tensors), index, shard)
        tensors |= part.tensors
        form = f"{part.format} in shards"
    return Published(tensors, {}, form)


def _check_shard(expected: set[str], actual: set[str], index: Path, shard: str) -> None:
    if missing := sorted(expected - actual):
        what = f"{shard} has no {missing[0]!r:.100}, which the index says it holds"
        raise DataError(what, where=str(index), remedy="Fetch both again.")
    if extra := sorted(actual - expected):
        what = f"{shard} has {extra[0]!r:.100}, of which the index says nothing"
        raise DataError(what, where=str(index), remedy="Fetch both again.")


def _read(path: Path) -> Published:
    """One file of tensors: safetensors, or what the restricted reader takes."""
    if path.suffix != ".safetensors":
        return read_published(path)
    try:
        tensors, texts = read_safetensors(path)
    except VisError as error:
        raise error if error.where else error.at(str(path)) from None
    return Published(tensors, dict(texts), "safetensors")
