"""Whether the elements of a Matroska file fit together and are those that were written.

FFmpeg looks for the next block after damage and says nothing of what it passed over.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

_SEGMENT, _CLUSTER, _CHECKSUM = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xbf\x84"
_LEVEL_ONE = frozenset(
    (_CLUSTER, b"\x11\x4d\x9b\x74", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b")
) | {*(b"\x19\x41\xa4\x69", b"\x10\x43\xa7\x70", b"\x12\x54\xc3\x67", b"\xec", b"\xbf")}
"""What a segment holds (RFC 9559, 5.1), and what any element may (RFC 8794, 11.3)."""
_IN_CLUSTER = frozenset((b"\xe7", b"\xa7", b"\xab", b"\xa3", b"\xa0", b"\xaf", b"\xec", b"\xbf"))
_IN_CLUSTER |= {b"\x58\x54"}
_PIECE = 1 << 20


def is_whole(path: str) -> bool:
    """Walk the elements of a file, and recompute the check sums of those that have one.

    Blocks are not decoded. Check sums (CRC-32 of RFC 8794, 11.3.1) are optional: FFmpeg writes them
    in Matroska, in WebM nobody does.
    """
    with Path(path).open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        while file.tell() < end:
            identity, size = _head(file)
            if identity == _SEGMENT:
                return _children(file, _within(file, size, end), _LEVEL_ONE, end)
            if size is None or not identity:
                return False
            file.seek(size, 1)
        return False


def _children(file: BinaryIO, stop: int, expected: frozenset[bytes], end: int) -> bool:
    """Whether what follows up to `stop` are whole elements of these kinds."""
    if stop > end:
        return False
    while file.tell() < stop:
        before = file.tell()
        identity, size = _head(file)
        if identity not in expected:
            # a cluster of unknown size ends with the next thing of the segment's level
            file.seek(before)
            return expected is _IN_CLUSTER and identity in _LEVEL_ONE
        inner = _within(file, size, stop)
        # an element of a known size ends within its parent, with the sum that it states
        if inner > stop or (size is not None and not _sum_is_right(file, inner)):
            return False
        if identity == _CLUSTER and not _children(file, inner, _IN_CLUSTER, end):
            return False
        if size is not None:
            file.seek(inner)
    return True


def _within(file: BinaryIO, size: int | None, stop: int) -> int:
    """Where an element ends; one of unknown size, as a live recording has it, with its parent."""
    return stop if size is None else file.tell() + size


def _head(file: BinaryIO) -> tuple[bytes, int | None]:
    """Identity and size of the element here, None where its size is unknown (RFC 8794, 4 to 6)."""
    first = file.read(1)
    if not first or not first[0] & 0xF0:
        return b"", 0
    identity = first + file.read(8 - first[0].bit_length())
    first = file.read(1)
    if not first or not first[0]:
        return b"", 0
    length = 9 - first[0].bit_length()
    rest = first + file.read(length - 1)
    size = int.from_bytes(rest, "big") & ((1 << 7 * length) - 1)
    return identity, None if size == (1 << 7 * length) - 1 else size


def _sum_is_right(file: BinaryIO, stop: int) -> bool:
    """Whether the element here has no check sum as its first child, or has its own."""
    start = file.tell()
    try:
        head = file.read(6)
        if start + 6 > stop or head[:2] != _CHECKSUM:
            return True
        left, value = stop - start - 6, 0
        while left and (piece := file.read(min(left, _PIECE))):
            value = zlib.crc32(piece, value)
            left -= len(piece)
        return not left and value == int.from_bytes(head[2:], "little")
    finally:
        file.seek(start)
