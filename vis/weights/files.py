"""Our own weight files: safetensors with the model's name, settings, classes and checksums.

All that vis states lies in one text, as the library writes several in random order: canonical JSON
with a sha256 of each tensor and, as its seal, one of itself. So no flipped bit goes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import safetensors.torch
import torch
from torch import Tensor

from vis.errors import DataError
from vis.models._pixels import USUAL, Pixels
from vis.storage.whole_file import write_whole
from vis.weights.rename import BACKBONE
from vis.weights.sniff import open_regular
from vis.weights.tensor_file import (
    DTYPES,
    MAX_HEADER,
    MAX_TENSORS,
    Header,
    read_header,
    read_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "vis"
"""Of our text in the header's metadata."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a weight file says of its model."""

    model: str
    """A name of `vis.models.names()`, or `backbone` of a file that holds nothing else."""
    settings: dict[str, object]
    """The model's `Config`, without the number of classes; of a backbone, its `name`."""
    classes: tuple[str, ...]
    """Name of each class index; "" for an index that names nothing. A backbone has none."""
    size: int | None = None
    """Pixels of the short side that it was trained for, where that is known."""
    pixels: Pixels = USUAL
    """How its pixels are prepared, where that is not as usual."""
    origin: dict[str, str] = field(default_factory=dict)
    """Where it was published: repository, commit, file, licence, as far as known."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checked header."""

    metadata: ModelMetadata
    header: Header
    digests: dict[str, str]
    """Tensor -> sha256 of its type, shape and numbers, in hexadecimal."""


def save(
    path: str | Path,
    metadata: ModelMetadata,
    tensors: Mapping[str, Tensor],
    *,
    overwrite: bool = False,
) -> None:
    """Write a weight file beside `path` and rename it: `path` is whole or untouched.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is False.
        OutputError: it cannot be written.
        DataError: a tensor is not finite or of an unknown type, or there are too many.
    """
    plain = _plain(tensors)
    for name, tensor in plain.items():
        check_numbers(name, tensor)
    content = {
        "version": VERSION,
        "model": metadata.model,
        "settings": metadata.settings,
        "classes": metadata.classes,
        **({} if metadata.size is None else {"size": metadata.size}),
        **({} if metadata.pixels == USUAL else {"pixels": metadata.pixels.stated()}),
        **({"origin": metadata.origin} if metadata.origin else {}),
        "sha256": {name: _digest(tensor) for name, tensor in plain.items()},
    }
    text = _json({**content, "seal": _seal(content)})
    whole = safetensors.torch.save(plain, {KEY: text})
    if len(plain) > MAX_TENSORS or int.from_bytes(whole[:8], "little") > MAX_HEADER:
        raise DataError("the weights have more tensors, or a longer header, than would be read")
    write_whole(path, whole, overwrite=overwrite)


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float32 as float16, the others as they are; a model takes them back as its own type.

    Raises:
        DataError: a number is too large; names the tensor.
    """
    halves = {n: t.half() if t.dtype == torch.float32 else t for n, t in tensors.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(halves[name]).all() and torch.isfinite(tensor).all():
            largest = float(tensor.abs().max())
            raise DataError(
                f"tensor {name!r:.80} holds {largest:.3g}, too large for half precision"
            )
    return halves


def read_metadata(path: str | Path) -> Sealed:
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


def read_weights(path: str | Path) -> tuple[ModelMetadata, dict[str, Tensor]]:
    """Metadata and tensors, every byte verified.

    Raises:
        InputError: it cannot be opened.
        DataError: it is damaged, not written by vis, or holds numbers that are not finite.
    """
    with open_regular(path) as file:
        try:
            sealed = _read_sealed(file)
            tensors = dict(read_tensors(path, sealed.header))
            for name, tensor in tensors.items():
                if _digest(tensor) != sealed.digests[name]:
                    raise DataError(f"tensor {name!r:.80} is damaged (its sha256 differs)")
                check_numbers(name, tensor)
        except DataError as error:
            raise error.at(str(path)) from None
    return sealed.metadata, tensors


def check_numbers(name: str, tensor: Tensor) -> None:
    """Pass if all numbers are finite and of a type that weights have.

    Raises:
        DataError: they are not; names the tensor.
    """
    if tensor.dtype not in DTYPES.values():
        raise DataError(f"tensor {name!r:.80} is of type {tensor.dtype}, which weights do not have")
    if tensor.is_floating_point() and tensor.numel():
        extremes = torch.stack(torch.aminmax(tensor))  # ten times as fast as isfinite of all
        if not torch.isfinite(extremes).all():
            wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
            raise DataError(f"tensor {name!r:.80} has {wrong} numbers that are not finite")


def _read_sealed(file: IO[bytes]) -> Sealed:
    header = read_header(file)
    if KEY not in header.metadata:
        raise DataError(
            "the file was not written by vis",
            remedy="Convert published weights with `vis weights convert`.",
        )
    content = _unsealed(header.metadata[KEY])
    if content.get("version") != VERSION:
        stated = content.get("version")
        raise DataError(f"the file is of version {stated!r:.20}; only {VERSION} is known")
    match content:
        case {
            "model": str(model),
            "settings": dict(settings),
            "classes": list(classes),
            "sha256": dict(digests),
        } if (classes or model == BACKBONE) and all(isinstance(name, str) for name in classes):
            size, origin = content.get("size"), content.get("origin", {})
            pixels = content.get("pixels", {})
            assert isinstance(origin, dict) and isinstance(pixels, dict)  # under the seal
            metadata = ModelMetadata(
                model,
                settings,
                tuple(classes),
                size if isinstance(size, int) else None,
                Pixels.of(pixels),
                origin,
            )
        case _:
            raise DataError("what it states of its model is incomplete or of another kind")
    if digests.keys() != header.entries.keys():
        raise DataError("its sha256 list names other tensors than it holds")
    return Sealed(metadata, header, digests)


def _unsealed(text: str) -> dict[str, object]:
    """The content of our text, if it is spelt as we spell it and has the digest that it states."""
    try:
        content = json.loads(text)
        if isinstance(content, dict) and text == _json(content):
            seal = content.pop("seal", None)
            if seal == _seal(content):
                return content
    except (ValueError, RecursionError):
        pass
    raise DataError("the file's header is damaged (its sha256 differs)")


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous, on the CPU, and no two on one memory, which the library would refuse."""
    plain: dict[str, Tensor] = {}
    addresses = set()
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous()
        # tied weights (one tensor under two names) are written twice
        address = flat.untyped_storage().data_ptr()
        plain[name] = flat.clone() if address in addresses else flat
        addresses.add(address)
    return plain


def _seal(content: Mapping[str, object]) -> str:
    return hashlib.sha256(_json(content).encode()).hexdigest()


def _digest(tensor: Tensor) -> str:
    """Of a contiguous tensor on the CPU."""
    digest = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)} ".encode())
    digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
