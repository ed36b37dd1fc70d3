"""How transformers writes a published family: other names, split rows, and a config.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from vis.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Rows = tuple[tuple[str, str], ...]
Config = Mapping[str, Any]
"""The content of a `config.json`."""

LONG_PARTS = ("query", "key", "value")
PARTS = "qkv"
"""Thirds of stacked rows, in their order; a name that ends in ` q` is of the first."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a `config.json` says of one setting."""

    key: str
    """Its own, for whoever reads the error."""
    stated: object
    """As it stands there."""
    setting: str
    """Of the model's `Config`."""
    value: object
    """What the setting would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubForm:
    """A family as transformers writes it; its names become the published ones first."""

    model_types: tuple[str, ...]
    """What `config.json` may call it."""
    renames: Rows
    """Pattern of a whole name -> the published one; of a third of stacked rows with its part."""
    claims: Callable[[Config], list[Claim]]
    """What a `config.json` says; raises `DataError` for what is not read here, by its name."""
    no_object_rows: int = 1
    """Rows of the class head after the classes."""
    size: int | None = None
    """Pixels of the short side in the paper's evaluation."""
    completed: Callable[[Config, dict[str, Tensor]], dict[str, Tensor]] = field(
        default=lambda _, tensors: tensors
    )
    """Tensors by published names with those that a file leaves out because they are tied."""


def joined(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names that may end in ` q`, ` k`, ` v` -> the same with these rows stacked.

    Raises:
        DataError: one of three is missing, or they do not fit each other.
    """
    whole: dict[str, Tensor] = {}
    for name, tensor in parts.items():
        base, _, part = name.partition(" ")
        if not part:
            whole[name] = tensor
        elif base not in whole:
            thirds = [parts.get(f"{base} {letter}") for letter in PARTS]
            there = [third for third in thirds if third is not None]
            if len(there) < len(PARTS):
                lacking = PARTS[thirds.index(None)]
                raise DataError(f"of {base!r:.100} the part {lacking} is missing")
            if len({third.shape for third in there}) > 1 or not tensor.dim():
                shapes = ", ".join(str(tuple(third.shape)) for third in there)
                raise DataError(f"the parts of {base!r:.100} do not fit each other ({shapes})")
            whole[base] = torch.cat(there)
    return whole


def split(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    """The other way: a name with `*` or `**` is of stacked rows, whose thirds have letter or word.

    The one that stands there is of `PARTS` or `LONG_PARTS`.
    """
    if "*" not in name:
        return [(name, tensor)]
    mark, parts = ("**", LONG_PARTS) if "**" in name else ("*", tuple(PARTS))
    thirds = tensor.chunk(len(parts))
    return [(name.replace(mark, part), rows) for part, rows in zip(parts, thirds, strict=True)]


def whole_number(config: Config, key: str, default: int) -> int:
    """A positive whole number of `config.json`, transformers' default where it is absent.

    Raises:
        DataError: it is something else.
    """
    value = config.get(key, default)
    if type(value) is not int or value < 1:
        raise DataError(f"{key} is {value!r:.60}, not a positive whole number")
    return value


def truth(config: Config, key: str, default: bool = False) -> bool:
    """Likewise true or false."""
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise DataError(f"{key} is {value!r:.60}, not true or false")
    return value


def stated_by_shapes(config: Config, settings: Mapping[str, str]) -> list[Claim]:
    """Claims of what shapes tell too, for the keys that are there; only a contradiction matters.

    Args:
        config: of a checkpoint.
        settings: key of `config.json` -> setting of the model's `Config`.
    """
    return [
        Claim(key, value, setting, value)
        for key, setting in settings.items()
        if (value := config.get(key)) is not None
    ]


def equal_pair(config: Config, first: str, second: str, setting: str, default: int) -> Claim:
    """The claim of two numbers that are one setting here.

    Raises:
        DataError: they differ.
    """
    one, other = whole_number(config, first, default), whole_number(config, second, default)
    if one != other:
        raise DataError(f"{first} is {one}, {second} {other}; they are one number here")
    return Claim(first, one, setting, one)


def refuse(config: Config, allowed: Mapping[str, tuple[object, ...]]) -> None:
    """Refuse, by its name, what networks here do not have.

    Args:
        config: of a checkpoint.
        allowed: key -> values that are read; an absent key is fine.

    Raises:
        DataError: a key has another value.
    """
    for key, values in allowed.items():
        value = config.get(key, values[0])
        if value not in values:
            there = " or ".join(repr(one) for one in values)
            raise DataError(f"{key} is {value!r:.60}; only {there} is read")


def timm_name(text: str) -> str:
    """`microsoft/resnet-50`, `timm/resnet50.a1_in1k` -> `resnet50`."""
    return re.sub(r"\..*", "", text.rpartition("/")[2]).replace("-", "")
