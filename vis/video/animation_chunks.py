"""The frames that an animated PNG or WebP states, by its chunks alone: no pixel is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_PNG, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF", b"WEBP"
_UNSTATED = Fraction(1, 10)
"""Seconds, as browsers show a frame that lasts 0."""


@dataclass(slots=True)
class StatedFrames:
    """What the chunks of an animation say of its frames."""

    kind: str
    """`apng` or `webp`."""
    durations: list[Fraction] = field(default_factory=list)
    """Seconds that each frame lasts."""
    declared: int = 0
    """Frames that the header promises, where it does."""
    hidden: int = 0
    """Pictures before the animation that are no part of it."""
    whole: bool = False
    """Whether the file ends as its format ends."""
    end: int = 0
    """Bytes up to the end of the last whole chunk."""


def stated_frames(path: str) -> StatedFrames | None:
    """What an animated PNG or WebP states; None for every other file."""
    with open(path, "rb") as file:  # noqa: PTH123 - any name, also one that Path would tidy
        head = file.read(12)
        if head.startswith(_PNG):
            file.seek(len(_PNG))
            stated = _of_png(file)
        elif head[:4] == _RIFF and head[8:] == _WEBP:
            stated = _of_webp(file, 8 + int.from_bytes(head[4:8], "little"))
        else:
            return None
    return stated if len(stated.durations) > 1 or stated.declared > 1 else None


def _of_png(file: BinaryIO) -> StatedFrames:
    """Chunks acTL and fcTL of PNG, third edition, 11.3.2."""
    stated = StatedFrames("apng")
    for name, data in _chunks(file, stated, big=True):
        if name == b"acTL" and len(data) == 8:
            stated.declared = int.from_bytes(data[:4], "big")
        elif name == b"IDAT" and not stated.durations:
            stated.hidden = 1
        elif name == b"fcTL" and len(data) == 26:
            over, under = struct.unpack(">HH", data[20:24])
            stated.durations.append(Fraction(over, under or 100) or _UNSTATED)
        elif name == b"IEND":
            stated.whole = True
            break
    return stated


def _of_webp(file: BinaryIO, size: int) -> StatedFrames:
    """Chunks ANMF of RFC 9649, 2.7.1.1."""
    stated = StatedFrames("webp")
    for name, data in _chunks(file, stated, big=False):
        if name == b"ANMF" and len(data) >= 16:
            milliseconds = int.from_bytes(data[12:15], "little")
            stated.durations.append(Fraction(milliseconds, 1000) or _UNSTATED)
    # some writers forget the padding of the last chunk
    stated.whole = stated.end + 1 >= size
    return stated


def _chunks(file: BinaryIO, stated: StatedFrames, *, big: bool) -> Iterator[tuple[bytes, bytes]]:
    """Name and first bytes of every whole chunk."""
    stated.end = file.tell()
    length = file.seek(0, 2)
    while stated.end + 8 <= length:
        file.seek(stated.end)
        head = file.read(8)
        # PNG: length, name, data, check sum; RIFF: name, length, data, padded to even
        name, size = (head[4:], head[:4]) if big else (head[:4], head[4:])
        count = int.from_bytes(size, "big" if big else "little")
        end = stated.end + 8 + count + (4 if big else count % 2)
        if end > length:
            return
        stated.end = end
        yield name, file.read(min(count, 26))
