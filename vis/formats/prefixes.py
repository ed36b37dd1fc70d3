"""File names that begin as they do on another machine: URLs, buckets, absolute paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the frames of a data set lie, beyond what is found by itself."""

    folder: str | Path | None = None
    """That the file names are relative to."""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """What file names begin with -> what stands for it, as {"s3://bucket/": ""}."""


AnyFrames = str | Path | Frames | None
"""The folder, or more of it; None: what is found by itself."""


def renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """A file name in which the longest of `prefixes` that it begins with is replaced."""
    # a user types what a message shows, and there backslashes are slashes
    slashed, by_length = name.replace("\\", "/"), sorted(prefixes, key=len, reverse=True)
    old = next((old for old in by_length if slashed.startswith(old.replace("\\", "/"))), None)
    if old is None:
        return name
    rest = name[len(old) :]
    # with nothing before it, the slash that is left would make the name absolute
    return prefixes[old] + rest if prefixes[old] else rest.lstrip("/\\")


def with_renamed_files(value: Any, prefixes: Mapping[str, str]) -> Any:
    """The JSON value of a COCO or YouTube-VIS file with its file names replaced."""
    if not prefixes or not isinstance(value, dict):
        return value
    lists = {key: value[key] for key in ("images", "videos") if isinstance(value.get(key), list)}
    return value | {
        key: [_record(one, prefixes) for one in one_list] for key, one_list in lists.items()
    }


def _record(record: Any, prefixes: Mapping[str, str]) -> Any:
    if not isinstance(record, dict):
        return record
    changed = dict(record)
    if isinstance(record.get("file_name"), str):
        changed["file_name"] = renamed(record["file_name"], prefixes)
    if isinstance(record.get("file_names"), list):
        changed["file_names"] = [
            renamed(name, prefixes) if isinstance(name, str) else name
            for name in record["file_names"]
        ]
    return changed
