"""Bringing files, and the names in a folder, to the disk, where a power cut does not undo them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EACCES, errno.ENOTSUP})
"""What file systems answer that sync files alone, such as some network mounts."""


def sync_file(path: Path) -> None:
    """Bring a file's content to the disk.

    Raises:
        OSError: the disk refuses.
    """
    # open for writing: Windows flushes no other handles
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the file system knows how.

    Raises:
        OSError: the disk refuses.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def sync_tree(path: Path) -> None:
    """Bring a file, or all files in a folder and in those within it, to the disk.

    Raises:
        OSError: the disk refuses.
    """
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            sync_file(file)
