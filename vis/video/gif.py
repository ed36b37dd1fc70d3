"""Whether a GIF is whole: FFmpeg shows what it finds of one and is silent about the rest."""

from __future__ import annotations

from typing import BinaryIO

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B


def is_whole(path: str) -> bool:
    """Walk the blocks of a GIF (GIF89a, appendix B) without decoding a pixel."""
    with open(path, "rb") as file:  # noqa: PTH123 - any name, also one that Path would tidy
        head = file.read(13)
        if len(head) < 13:
            return False
        _skip_palette(file, head[10])
        while True:
            mark = file.read(1)
            if mark == bytes([_END]):
                return True
            if mark == bytes([_EXTENSION]):
                file.seek(1, 1)  # the extension's label
            elif mark == bytes([_IMAGE]) and len(place := file.read(9)) == 9:
                _skip_palette(file, place[8])
                file.seek(1, 1)  # the code size
            else:
                return False
            if not _skip_blocks(file):
                return False


def _skip_palette(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)


def _skip_blocks(file: BinaryIO) -> bool:
    """Pass a chain of blocks, each led by its length, up to its empty one."""
    while length := file.read(1):
        if length == b"\0":
            return True
        file.seek(length[0], 1)
    return False
