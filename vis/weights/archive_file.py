"""The frozen graph inside a published `.tar.gz`, read in memory: no file is unpacked anywhere."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.weights.graph_file import MAX_FILE, graph_of
from vis.weights.sniff import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import NoReturn

    from vis.weights.torch_file import Published

GRAPH = "frozen_inference_graph.pb"
"""Name of the one member that is read, in whatever folder of the archive it lies."""
MAX_TOTAL = 4 << 30
"""Bytes of all members together: a few kilobytes of gzip can stand for gigabytes."""
MAX_MEMBERS = 10_000
MAX_MEMBER = 8 << 30
"""Bytes that the octal size of a tar header can state; larger ones are of newer forms."""
MAX_HEADER = 8 << 10
"""Bytes of one member's headers: of 512 each, and of the comments (a long name has 4,096)."""
MAX_COMMENTS = 256 << 10
"""Bytes of all headers beyond the first 512 of each member."""
BLOCK, CHUNK = tarfile.BLOCKSIZE, 1 << 20
FILE, FOLDER = (tarfile.REGTYPE, tarfile.AREGTYPE), tarfile.DIRTYPE
"""Kinds of members that a published archive has."""


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
            graphs = list(_graphs(_Reader(gzip.GzipFile(fileobj=file))))
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


class _Reader(io.BufferedIOBase):
    """A stream that is read forward once: headers by `tarfile`, content by us; both bounded.

    `tarfile` takes comments of any size into memory, believes a sparse file's map, and searches
    comments in quadratic time before Python 3.12.6: so what it may read is bounded here.

    Args:
        stream: the unpacked archive.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._position = 0
        self.left = MAX_TOTAL
        """Bytes that may still be unpacked."""
        self.header = bytearray()
        """What `tarfile` has read since the last member."""
        self._comments_left = MAX_COMMENTS

    def read(self, size: int | None = -1) -> bytes:
        """A part of a header."""
        # a negative size is one that a forged header states; it would mean all there is
        if size is None or size < 0:
            _refuse()
        # the first block of a member is none of its comments
        comments = size if self.header else max(size - BLOCK, 0)
        self._comments_left -= comments
        if len(self.header) + size > MAX_HEADER or self._comments_left < 0:
            raise DataError(
                f"the headers of the archive's members are longer than {MAX_HEADER} bytes, or"
                f" their comments than {MAX_COMMENTS} together"
            )
        piece = self._take(size)
        self.header += piece
        return piece

    def tell(self) -> int:
        """Bytes that were read."""
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Refused: `tarfile` seeks only where a forged size makes it lose its place."""
        del position, whence
        _refuse()

    def content(self, size: int) -> Iterator[bytes]:
        """So many bytes, in pieces: a header may state more than there is."""
        while size:
            piece = self._take(min(CHUNK, size))
            if not piece:
                raise EOFError("it ends within a member")
            yield piece
            size -= len(piece)

    def finish(self) -> None:
        """Check that the archive ends here, and read what follows: gzip's checksum comes last.

        Raises:
            EOFError: it is cut short.
            DataError: it ends in a damaged header, which `tarfile` takes for the end.
        """
        if len(self.header) % BLOCK or not self.header:
            raise EOFError("it ends within a member")
        if self.header != bytes(BLOCK):
            _refuse()
        while self._take(CHUNK):
            pass

    def _take(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._position += len(piece)
        self.left -= len(piece)
        if self.left < 0:
            raise DataError(f"the archive unpacks to more than {MAX_TOTAL} bytes")
        return piece


def _refuse() -> NoReturn:
    raise DataError("it is no tar archive, or a damaged one")


def _graphs(reader: _Reader) -> Iterator[bytearray]:
    """The content of each member of that name; all else is read past, so that damage is seen."""
    for member in _members(reader):
        name = PurePosixPath(member.name)
        if member.type == FOLDER:
            continue
        # a sparse file says it is regular, and its map takes the place of its content
        if member.type not in FILE or member.issparse():
            raise DataError(f"member {str(name)!r:.120} is a link or a device, not a file")
        is_outside = name.is_absolute() or ".." in name.parts
        is_graph = name.name == GRAPH and not is_outside
        _check_size(member, reader.left, name if is_graph else None)
        content = bytearray()
        for piece in reader.content(member.size):
            if is_graph:
                content += piece
        for _ in reader.content(-member.size % BLOCK):
            pass  # content is padded to whole blocks
        if is_graph:
            yield content
    reader.finish()


def _members(reader: _Reader) -> Iterator[tarfile.TarInfo]:
    """Each member, while the reader stands at its content; that must be read before the next.

    Raises:
        DataError: there are too many, or a header is damaged.
    """
    try:
        # by "r:" tarfile leaves decompression to us: its own does not check gzip's checksum
        with tarfile.open(fileobj=reader, mode="r:", encoding="utf-8", errors="replace") as archive:
            for _ in range(MAX_MEMBERS):
                member = archive.next()
                if member is None:
                    return
                # it keeps every member, and in each a copy of all comments on the archive
                archive.members = []  # type: ignore[attr-defined]  # missing in the stubs alone
                archive.pax_headers = {}
                reader.header.clear()
                yield member
    except DataError:
        raise
    except (tarfile.TarError, ValueError):
        return  # `finish` says what is wrong
    raise DataError(f"the archive has more than {MAX_MEMBERS} members")


def _check_size(member: tarfile.TarInfo, left: int, graph: PurePosixPath | None) -> None:
    """A stated size is believed within bounds alone."""
    if member.size < 0:
        _refuse()
    if member.size >= MAX_MEMBER:
        raise DataError("it is no tar archive, or a member has more than 8 GiB")
    if member.size > left:
        raise DataError(f"the archive unpacks to more than {MAX_TOTAL} bytes")
    if graph is not None and member.size > MAX_FILE:
        raise DataError(f"{graph} has {member.size} bytes; at most {MAX_FILE} are read")
