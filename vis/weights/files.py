"""Our own weight files: safetensors with the model's name, settings, classes and checksums.

Valid means: every tensor has the sha256 that the header states, and the header has the sha256
that its seal states (taken with the seal's digits at zero). So no flipped bit goes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from vis.errors import DataError
from vis.formats.whole_file import write_whole
from vis.weights.sniff import open_regular
from vis.weights.tensor_file import (
    DTYPES,
    MAX_HEADER,
    Header,
    file_bytes,
    header_bytes,
    number_bytes,
    read_header,
    read_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = TypeVar("Kind")

FORMAT, VERSION = "vis", "1"
BLANK = "0" * 64
KEYS = frozenset(["format", "version", "model", "settings", "classes", "sha256", "seal"])


@dataclass(frozen=True, slots=True)
class Card:
    """What a weight file says of its model."""

    model: str
    """A name of `vis.models.names()`."""
    settings: dict[str, object]
    """The model's `Config`, without the number of classes."""
    classes: tuple[str, ...]
    """Name of each class index; "" for an index that names nothing."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checked header."""

    card: Card
    header: Header
    digests: dict[str, str]
    """Tensor -> sha256 of its numbers, in hexadecimal."""


def save(
    path: str | Path, card: Card, tensors: Mapping[str, Tensor], *, overwrite: bool = False
) -> None:
    """Write a weight file beside `path` and rename it: `path` is whole or untouched.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is False.
        OutputError: it cannot be written.
        DataError: a tensor is not finite or of a type that weights do not have.
    """
    order = sorted(tensors, key=lambda name: -tensors[name].element_size())  # keeps all aligned
    kept = {name: tensors[name] for name in order}
    for name, tensor in kept.items():
        _check_numbers(name, tensor)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "model": card.model,
        "settings": _json(card.settings),
        "classes": _json(card.classes),
        "sha256": _json({name: _digest(tensor) for name, tensor in kept.items()}),
        "seal": BLANK,
    }
    blank = header_bytes(kept, metadata)
    if len(blank) > MAX_HEADER:
        raise DataError(f"the file's header would have more than {MAX_HEADER} bytes")
    write_whole(path, file_bytes(_sealed(blank), kept), overwrite=overwrite)


def read_card(path: str | Path) -> Sealed:
    """The checked header of a weight file; no number is read.

    Raises:
        InputError: it cannot be opened.
        DataError: it is damaged, or not written by vis.
    """
    with open_regular(path) as file:
        try:
            return _read_sealed(file)
        except DataError as error:
            raise error.at(str(path)) from None


def read_weights(path: str | Path) -> tuple[Card, dict[str, Tensor]]:
    """Card and tensors, every byte verified.

    Raises:
        InputError: it cannot be opened.
        DataError: it is damaged, not written by vis, or holds numbers that are not finite.
    """
    with open_regular(path) as file:
        try:
            sealed = _read_sealed(file)
            tensors = dict(read_tensors(file, sealed.header))
            for name, tensor in tensors.items():
                if _digest(tensor) != sealed.digests[name]:
                    raise DataError(f"tensor {name!r:.80} is damaged (its sha256 differs)")
                _check_numbers(name, tensor)
        except DataError as error:
            raise error.at(str(path)) from None
    return sealed.card, tensors


def _read_sealed(file: IO[bytes]) -> Sealed:
    header = read_header(file)
    metadata = header.metadata
    if metadata.get("format") != FORMAT or metadata.keys() != KEYS:
        raise DataError(
            "the file was not written by vis",
            remedy="Convert published weights with `vis weights convert`.",
        )
    if metadata["version"] != VERSION:
        raise DataError(f"the file is of version {metadata['version']}; only {VERSION} is known")
    if _sealed(header.raw.replace(_seal(metadata["seal"]), _seal(BLANK))) != header.raw:
        raise DataError("the file's header is damaged (its sha256 differs)")
    digests = _loaded(metadata, "sha256", dict)
    if digests.keys() != header.entries.keys():
        raise DataError("its sha256 list names other tensors than it holds")
    settings, classes = _loaded(metadata, "settings", dict), _loaded(metadata, "classes", list)
    if not classes or not all(isinstance(name, str) for name in classes):
        raise DataError("its list of classes is empty or holds something else than names")
    return Sealed(Card(metadata["model"], settings, tuple(classes)), header, digests)


def _loaded(metadata: dict[str, str], key: str, kind: type[Kind]) -> Kind:
    try:
        value = json.loads(metadata[key])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise DataError(f"its {key!r} is not a JSON {kind.__name__}")
    return value


def _sealed(blank: bytes) -> bytes:
    """The header with its digest in place of the 64 zeros that stand for it."""
    digest = hashlib.sha256(blank).hexdigest()
    return blank.replace(_seal(BLANK), _seal(digest))


def _seal(digits: str) -> bytes:
    """The seal as it stands in a header; texts inside have their quotation marks escaped."""
    return f'"seal":"{digits}"'.encode()


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(number_bytes(tensor)).hexdigest()


def _check_numbers(name: str, tensor: Tensor) -> None:
    if tensor.dtype not in DTYPES.values():
        raise DataError(f"tensor {name!r:.80} is of type {tensor.dtype}, which weights do not have")
    wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
    if wrong:
        raise DataError(f"tensor {name!r:.80} has {wrong} numbers that are not finite")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
