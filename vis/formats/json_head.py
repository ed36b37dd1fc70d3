"""The beginning of a JSON file, by which the tool that wrote it is known without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOOKED_AT = 2**16
"""Bytes: what follows may be a picture, which has millions."""


def json_head(path: Path, opening: bytes, size: int = LOOKED_AT) -> bytes:
    """The first bytes of a JSON file whose value begins with `opening`; none of any other file."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return b""
    with path.open("rb") as file:
        head = file.read(LOOKED_AT)
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(opening):
            return b""
        return head + file.read(size - LOOKED_AT)
