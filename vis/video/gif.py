"""Whether a GIF is whole: FFmpeg shows what it finds of one and is silent about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_MOST_CODES = 4096
"""A table of codes never grows further; codes stay 12 bits wide (GIF89a, appendix F)."""


def is_whole(path: str, pictures: int) -> bool:
    """Walk the blocks of a GIF (GIF89a, appendix B) and count what its pictures' codes stand for.

    Args:
        path: the file.
        pictures: how many were found in it; a GIF that holds another number is not whole.
    """
    with Path(path).open("rb") as file:
        head = file.read(13)
        if len(head) < 13:
            return False
        _skip_palette(file, head[10])
        while True:
            mark = file.read(1)
            if mark == bytes([_END]):
                return not pictures
            if mark == bytes([_EXTENSION]):
                file.seek(1, 1)  # the extension's label
                if _blocks(file) is None:
                    return False
            elif mark != bytes([_IMAGE]) or not _image_is_whole(file):
                return False
            else:
                pictures -= 1


def _image_is_whole(file: BinaryIO) -> bool:
    place = file.read(9)
    if len(place) < 9:
        return False
    _skip_palette(file, place[8])
    size = file.read(1)
    codes = _blocks(file)
    width, height = (int.from_bytes(place[at : at + 2], "little") for at in (4, 6))
    if codes is None or not 1 <= size[0] <= 8:
        return False
    return count_pixels(codes, size[0]) == width * height


def count_pixels(data: bytes, size: int) -> int:
    """How many pixels LZW codes stand for; -1 where one of them means nothing.

    The width of a code follows from its place behind the last clearing of the table alone, so that
    codes are read together. Each adds a string one longer than its own to the table (appendix F).

    Args:
        data: codes, least bit first.
        size: bits of a pixel; `2 ** size` clears the table, the next code ends the data.
    """
    clear = 1 << size
    content = np.frombuffer(data + bytes(4), np.uint8).astype(np.uint32)
    words = content[:-3] | content[1:-2] << 8 | content[2:-1] << 16
    at, pixels, bits, window = 0, 0, 8 * len(data), _MOST_CODES
    while True:
        # the code at place k is read when k - 1 strings have been added
        last = np.minimum(clear + 1 + np.arange(window), _MOST_CODES - 1)
        widths = np.maximum(np.ceil(np.log2(last + 1)).astype(np.int64), size + 1)
        ends = at + np.cumsum(widths)
        ends = ends[: np.searchsorted(ends, bits, side="right")]
        places = ends - widths[: len(ends)]
        codes = words[places >> 3].astype(np.int64) >> (places & 7) & (1 << widths[: len(ends)]) - 1
        marks = np.flatnonzero((codes == clear) | (codes == clear + 1))
        if not len(marks) and len(codes) == window:  # a full table may be used on and on
            window *= 2
            continue
        length = int(marks[0]) if len(marks) else len(codes)
        strings = _lengths(codes[:length], clear)
        if strings is None:
            return -1
        pixels += int(strings.sum())
        if not len(marks) or codes[length] == clear + 1:
            return pixels
        at, window = int(ends[length]), _MOST_CODES


def _lengths(codes: NDArray[np.int64], clear: int) -> NDArray[np.int64] | None:
    """Pixels of each code; None where one is not in the table yet."""
    if np.any(codes > clear + 1 + np.arange(len(codes))):
        return None
    # the string at place k of the table is one longer than that of code k: the lengths are depths
    parents = np.concatenate([np.arange(clear + 2), codes])
    depths = (np.arange(len(parents)) >= clear + 2).astype(np.int64)
    while np.any(parents >= clear + 2):
        depths += np.where(parents >= clear + 2, depths[parents], 0)
        parents = parents[parents]
    lengths: NDArray[np.int64] = depths[codes] + 1
    return lengths


def _skip_palette(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)


def _blocks(file: BinaryIO) -> bytes | None:
    """The content of a chain of blocks, each led by its length, up to its empty one."""
    parts: list[bytes] = []
    while length := file.read(1):
        if length == b"\0":
            return b"".join(parts)
        parts.append(file.read(length[0]))
    return None
