"""The frozen graph inside a published `.tar.gz`, read in memory: no file is unpacked to any place.

A tar archive (POSIX.1-1988, "ustar") is a run of blocks of 512 bytes: of each member a header, with
its name at 0, size in octal at 124, checksum at 148, kind at 156, its folder at 345; then content.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.weights.graph_file import MAX_FILE, graph_of
from vis.weights.sniff import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vis.weights.torch_file import Published

GRAPH = "frozen_inference_graph.pb"
"""Name of the one member that is read, in whatever folder of the archive it lies."""
MAX_TOTAL = 4 << 30
"""Bytes of all members together: a few kilobytes of gzip can stand for gigabytes."""
MAX_MEMBERS = 10_000
BLOCK, CHUNK = 512, 1 << 20
REGULAR, FOLDER, COMMENTS = (b"0", b"\0"), b"5", (b"x", b"g", b"L", b"K")
"""Kinds of members; comments state times, owners and long names, which no published file needs."""


def looks_like_archive(head: bytes) -> bool:
    """Whether a file's first bytes are those of gzip."""
    return head.startswith(b"\x1f\x8b")


def read_archive(path: str | Path) -> Published:
    """The variables of the frozen graph that a compressed archive holds.

    Raises:
        InputError: it cannot be opened.
        DataError: it holds no such graph or more than one, a link or a device, is too large or
            damaged.
    """
    with open_regular(path) as file:
        try:
            graphs = list(_graphs(gzip.GzipFile(fileobj=file)))
            if len(graphs) != 1:
                raise DataError(
                    f"the archive holds {len(graphs) or 'no'} {GRAPH}",
                    remedy="Unpack it and give the file of the weights inside.",
                )
            return graph_of(memoryview(graphs[0]))
        except DataError as error:
            raise error.at(str(path)) from None
        except (OSError, EOFError, zlib.error) as error:
            what = f"the archive is damaged or cut short ({error})"
            raise DataError(what, where=str(path), remedy="Fetch it again.") from None


def _graphs(stream: gzip.GzipFile) -> Iterator[bytearray]:
    """The content of each member of that name; all else is read past, so that damage is seen."""
    left = MAX_TOTAL
    for _ in range(MAX_MEMBERS):
        header = bytes(_read(stream, BLOCK))
        if not any(header):
            while stream.read(CHUNK):  # gzip's own checksum comes last
                left = _less(left, CHUNK)
            return
        name, size = _member(header)
        left = _less(left, size + BLOCK)
        if name is not None and name.name == GRAPH:
            if size > MAX_FILE:
                raise DataError(f"{name} has {size} bytes; at most {MAX_FILE} are read")
            yield _read(stream, size)
        else:
            _skip(stream, size)
        _skip(stream, -size % BLOCK)
    raise DataError(f"the archive has more than {MAX_MEMBERS} members")


def _member(header: bytes) -> tuple[PurePosixPath | None, int]:
    """Name and bytes of a member; no name where it is none that may be read.

    Raises:
        DataError: it is damaged, or something else than a file or a folder.
    """
    size, stated = _octal(header[124:136]), _octal(header[148:156])
    if stated != sum(header[:148]) + sum(header[156:]) + 8 * ord(" "):
        raise DataError("it is no tar archive, or a damaged one")
    kind = header[156:157]
    folder = header[345:500] if header[257:263] == b"ustar\0" else b""
    texts = [part.split(b"\0")[0].decode("utf-8", "replace") for part in (folder, header[:100])]
    if kind == FOLDER or kind in COMMENTS:
        return None, size
    name = PurePosixPath(*(text for text in texts if text))
    if kind not in REGULAR:
        raise DataError(f"member {str(name)!r:.120} is a link or a device, not a file")
    outside = name.is_absolute() or ".." in name.parts
    return None if outside else name, size


def _octal(field: bytes) -> int:
    text = field.strip(b" \0")
    if not all(byte in b"01234567" for byte in text):
        raise DataError("it is no tar archive, or a member has more than 8 GiB")
    return int(text or b"0", 8)


def _less(left: int, size: int) -> int:
    if size > left:
        raise DataError(f"the archive unpacks to more than {MAX_TOTAL} bytes")
    return left - size


def _read(stream: gzip.GzipFile, size: int) -> bytearray:
    """So many bytes, in pieces: a header may state more than there is."""
    content = bytearray()
    while len(content) < size:
        piece = stream.read(min(CHUNK, size - len(content)))
        if not piece:
            raise EOFError("it ends within a member")
        content += piece
    return content


def _skip(stream: gzip.GzipFile, size: int) -> None:
    while size:
        piece = stream.read(min(CHUNK, size))
        if not piece:
            raise EOFError("it ends within a member")
        size -= len(piece)
