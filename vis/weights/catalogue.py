"""The models there are: the one that ships, and what others have published, from one table."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from vis.errors import UsageError
from vis.formats.published import YOUTUBE_VIS_2021
from vis.weights.digest import Digest, digest
from vis.weights.hub_id import is_hub_id

ASSETS = Path(str(resources.files("vis") / "assets"))
"""The folder of the table, and of the shipped model with its model card."""
DEFAULT = "default"
"""Name of the model that ships."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model that can be had; texts are for people."""

    name: str
    what: str
    licence: str
    """In a word."""
    terms: str
    """What a user must know of the licence."""
    data: str
    """What it was trained on."""
    score: str
    """Its best-known number, and on what; as its authors state it."""
    numbers: int
    """All numbers of the file, buffers too."""
    size: int
    """Bytes of our file."""
    model: str
    """A name of `vis.models.names()`."""
    classes: int
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the model, where they differ from its own."""
    family: str = ""
    """Of `vis weights convert`; "" of what ships."""
    address: str = ""
    browser: bool = False
    """Whether the address is a page on which a person must click."""
    digest: Digest | None = None
    """Of the published file; None where nobody states one."""
    inside: Digest | None = None
    """Of the file within, where the published one is an archive; a user may have that alone."""
    class_names: tuple[str, ...] | None = None
    """Where the family's own are others."""

    @property
    def ships(self) -> bool:
        """Whether it is part of the package."""
        return not self.family

    @property
    def of_hub(self) -> bool:
        """Whether the hub's library fetches it; its name is what it is loaded by."""
        return is_hub_id(self.name)


def shipped_file() -> Path:
    """Where the shipped model is, if this installation has it."""
    return ASSETS / f"{DEFAULT}.safetensors"


def entries() -> list[Entry]:
    """The shipped model, if this installation has it, then the published ones."""
    return [*_shipped(), *_published()]


def entry(name: str) -> Entry:
    """The model of this name.

    Raises:
        UsageError: there is none; says which is nearest.
    """
    by_name = {one.name: one for one in entries()}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "`vis models` lists them."
        raise UsageError(f"there is no published model {name!r}", remedy=remedy)
    return by_name[name]


def _shipped() -> list[Entry]:
    """What `scripts/dev/make_default.py` wrote beside the weights."""
    path = shipped_file()
    if not path.is_file():
        return []
    stated = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return [Entry(name=DEFAULT, size=path.stat().st_size, **stated)]


def _published() -> list[Entry]:
    table = json.loads((ASSETS / "models.json").read_text(encoding="utf-8"))
    return [
        _entry({key: value for key, value in group.items() if key != "models"} | row)
        for group in table["families"]
        for row in group["models"]
    ]


def _entry(row: dict[str, Any]) -> Entry:
    classes, stated, inside = row.pop("classes"), row.pop("hash"), row.pop("hash_inside", "")
    model = row.pop("model", row["family"].removesuffix("_video"))
    names = YOUTUBE_VIS_2021 if classes == "YouTube-VIS 2021" else None
    return Entry(
        **row,
        model=model,
        classes=len(names) if names else classes,
        class_names=names,
        digest=digest(stated) if stated else None,
        inside=digest(inside) if inside else None,
        size=4 * row["numbers"],
    )
