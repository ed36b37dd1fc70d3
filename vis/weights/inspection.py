"""What a weight file holds, ours or a foreign one, told without making a model of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from vis.weights import converters
from vis.weights.convert import is_ours, read_foreign
from vis.weights.files import ModelMetadata, read_metadata
from vis.weights.hub import fetched_from
from vis.weights.pickle_allow_list import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Summary:
    """What a weight file holds."""

    format: str
    """`vis`, `safetensors`, `torch zip`, `torch legacy`, `pickle` or `tensorflow graph`."""
    tensors: dict[str, tuple[tuple[int, ...], torch.dtype]]
    """Name -> shape and type."""
    model_metadata: ModelMetadata | None = None
    """Of our own files: what they say of their model."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What else a foreign file states, as short texts."""
    family: str | None = None
    """Of a foreign file, what `convert` calls what was published; None where no family fits."""

    @property
    def numbers(self) -> int:
        """Of all tensors together."""
        return sum(torch.Size(shape).numel() for shape, _ in self.tensors.values())


def inspect(path: str | Path) -> Summary:
    """What a weight file holds; of our own, only the header is read.

    Raises:
        InputError: it cannot be opened.
        DataError: it is no weight file, is damaged, or asks for anything but numbers.
    """
    path = fetched_from(path).path
    if is_ours(path):
        sealed = read_metadata(path)
        entries = {n: (e.shape, e.dtype) for n, e in sealed.header.entries.items()}
        return Summary("vis", entries, sealed.metadata)
    published = read_foreign(path)
    shapes = {name: (tuple(t.shape), t.dtype) for name, t in published.tensors.items()}
    family = converters.family_of(published.tensors)
    return Summary(published.format, shapes, metadata=_described(published.metadata), family=family)


def _described(metadata: Mapping[str, object]) -> dict[str, str]:
    """Short texts of plain values; of the rest only what they are, as they may nest deeply."""
    texts: dict[str, str] = {}
    for key, value in metadata.items():
        if isinstance(value, Record):
            texts |= {f"{key}.{name}": _short(item) for name, item in value.fields.items()}
        else:
            texts[key] = _short(value)
    return texts


def _short(value: object) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return str(value)[:100]
    if isinstance(value, list | tuple | dict | set):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
