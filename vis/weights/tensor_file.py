"""The safetensors format: we check its header number by number, the library reads the numbers.

Eight bytes (the header's length, little-endian), the header (JSON: name -> type, shape, place),
then the numbers. https://github.com/huggingface/safetensors states the format. The library alone
takes repeated names, and seconds and gigabytes for a long list of empty tensors.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from vis.errors import DataError
from vis.weights.sniff import kind_of, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

MAX_HEADER = 10_000_000
MAX_TENSORS = 20_000
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor lies."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    """Bytes from the end of the header."""
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself before any number is read."""

    entries: dict[str, Entry]
    """In the order of the numbers."""
    metadata: dict[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape."""
        return {name: entry.shape for name, entry in self.entries.items()}


def read_header(file: IO[bytes]) -> Header:
    """Read and check the header.

    Raises:
        DataError: it is no safetensors file, or its header does not fit it.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(512)
    if kind_of(head) != "safetensors":
        raise DataError("it is a torch file, not a safetensors file")
    length = int.from_bytes(head[:8], "little")
    if length > min(MAX_HEADER, size - 8):
        raise DataError(f"its header would have {length} bytes; the file is damaged or cut short")
    file.seek(8)
    metadata, table = _divided(_parsed(file.read(length)))
    entries = dict(sorted(table.items(), key=lambda item: (item[1].begin, item[1].end)))
    place = 0
    for name, entry in entries.items():
        if entry.begin != place:
            raise DataError(f"tensor {name!r:.80} does not begin where the one before it ends")
        place = entry.end
    if place != size - 8 - length:
        raise DataError(
            f"it has {size - 8 - length} bytes of numbers, its header describes {place}"
        )
    return Header(entries, metadata)


def read_tensors(path: str | Path, header: Header) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor, one after the other, of a file whose header has been checked.

    Raises:
        DataError: the library refuses it, or a tensor of truth values holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            for name in header.entries:
                tensor = file.get_tensor(name)
                if tensor.dtype is torch.bool and (tensor.view(torch.uint8) > 1).any():
                    what = f"tensor {name!r:.80} of truth values holds other bytes than 0 and 1"
                    raise DataError(what)
                yield name, tensor.clone()  # the library's own changes whenever the file does
    except (SafetensorError, OSError) as error:
        raise DataError(f"its numbers cannot be read ({error})") from None


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata of a foreign safetensors file.

    Raises:
        InputError: it cannot be opened.
        DataError: it is damaged or no such file.
    """
    with open_regular(path) as file:
        try:
            header = read_header(file)
            return dict(read_tensors(path, header)), header.metadata
        except DataError as error:
            raise error.at(str(path)) from None


def _parsed(raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_without_repeats, parse_constant=_no)
    except RecursionError:
        raise DataError("its header is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"its header is damaged ({error})") from None
    if not isinstance(value, dict):
        raise DataError("its header is not a table")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _no(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


def _divided(table: dict[str, object]) -> tuple[dict[str, str], dict[str, Entry]]:
    texts = table.pop("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise DataError("its metadata is not a table of texts")
    if len(table) > MAX_TENSORS:
        raise DataError(f"it holds {len(table)} tensors; at most {MAX_TENSORS} are read")
    return texts, {name: _entry(name, value) for name, value in table.items()}


def _entry(name: str, value: object) -> Entry:
    match value:
        case {"dtype": str(word), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if (
            word in DTYPES
            and len(shape) <= 16
            and all(type(size) is int and 0 <= size < 1 << 40 for size in shape)
            and math.prod(shape) * DTYPES[word].itemsize == end - begin
            and begin >= 0
        ):
            return Entry(DTYPES[word], tuple(shape), begin, end)
    raise DataError(f"tensor {name!r:.80} has a malformed description")
