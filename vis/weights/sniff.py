"""Open weight files and tell from their first bytes what they are; suffixes are not believed."""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING

from vis.errors import DataError, InputError
from vis.file_signatures import foreign_kind

if TYPE_CHECKING:
    from pathlib import Path


def open_regular(path: str | Path) -> IO[bytes]:
    """Open a regular file for reading; a pipe or a device would wait for ever.

    Raises:
        InputError: it is missing, unreadable or not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.fdopen(os.open(path, flags), "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be opened ({reason})", where=str(path)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError("is not a regular file", where=str(path))
    return file


def kind_of(head: bytes) -> str:
    """What a file is by its first bytes (at least 512, or all there are).

    Returns "zip", "pickle" or "safetensors".

    Raises:
        DataError: it is something else; says what.
    """
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if len(head) > 1 and head[0] == 0x80 and head[1] <= 5:
        return "pickle"
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    if head.lstrip().startswith(b"{"):
        raise DataError("it is a JSON text", remedy="Only torch and safetensors files are read.")
    kind = foreign_kind(head)
    if kind is not None:
        raise DataError(f"it is {kind.what}, not a weight file", remedy=kind.remedy)
    if not head:
        raise DataError("the file is empty", remedy="Fetch it again.")
    if head[257:262] == b"ustar":
        raise DataError("it is a tar archive (perhaps torch before 0.1.10), which is not read")
    raise DataError(f"it is no weight file that vis knows (it begins with {head[:8]!r})")
