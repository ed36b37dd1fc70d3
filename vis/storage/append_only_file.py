"""A file that only grows, by whole records, and can forget what came after a known offset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.storage.disk_errors import output_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO


class AppendOnlyFile:
    """A file of records; a record is there whole or not at all, even when the disk is full.

    Args:
        path: of the file; what it holds after `size` is cut off.
        size: bytes that are kept; 0 begins anew.

    Raises:
        DataError: the file is shorter than `size`.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path, self.size = path, size
        with output_errors(path):
            # unbuffered: what `append` has returned for is with the system, and a kill keeps it
            self._file = path.open("r+b" if size else "w+b", buffering=0)
            if path.stat().st_size < size:
                self._file.close()
                raise DataError(
                    f"the file has {path.stat().st_size} bytes where {size} were saved",
                    where=str(path),
                    remedy="Begin anew (--overwrite).",
                )
            self._cut()

    def append(self, record: bytes) -> int:
        """Add a record; returns the offset at which it begins.

        Raises:
            OutputError: it cannot be written; the file is as before.
        """
        offset = self.size
        with output_errors(self.path):
            try:
                write_all(self._file, record)
            except BaseException:
                self._cut()
                raise
        self.size += len(record)
        return offset

    def line_at(self, offset: int) -> bytes:
        """The line that begins at `offset`, without its end."""
        self._file.seek(offset)
        pieces: list[bytes] = []
        while not pieces or (b"\n" not in pieces[-1] and pieces[-1]):
            pieces.append(self._file.read(4096) or b"")
        self._file.seek(self.size)
        return b"".join(pieces).partition(b"\n")[0]

    def lines(self) -> Iterator[bytes]:
        """All lines, each without its end."""
        with self.path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\n")

    def sync(self) -> int:
        """Bring all to the disk; returns the size, for a later `AppendOnlyFile` to go on from.

        Raises:
            OutputError: the disk refuses.
        """
        with output_errors(self.path):
            os.fsync(self._file.fileno())
        return self.size

    def close(self) -> None:
        """Half a record that a signal left is cut off. Closing twice does nothing."""
        if not self._file.closed:
            with output_errors(self.path):
                self._cut()
                self._file.close()

    def _cut(self) -> None:
        self._file.truncate(self.size)
        self._file.seek(self.size)


def write_all(file: IO[bytes], content: bytes) -> None:
    """Write all to an unbuffered file, which may take less at a time; what fits is written first.

    Raises:
        OSError: the disk refuses.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
