"""Writing a file or a folder whole or not at all: beside its place, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import OutputExistsError
from vis.storage.disk_errors import WHOLE, output_errors
from vis.storage.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTHING = "Nothing was written."


def write_whole(path: str | Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write `content` beside `path` and rename, so that nobody ever sees half a file.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: the disk is full, or the folder is missing or may not be written.
    """
    path = Path(path)
    with output_errors(path, WHOLE, done=_NOTHING):
        beside = path.with_name(_part_name())
        refuse_existing(path, overwrite)
        try:
            _write_through(beside, content)
            # once more: it may have come while we wrote
            refuse_existing(path, overwrite)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    _sync_name(path)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A new folder to fill; it gets the name `path` when the block ends, and is gone if it fails.

    The folder around it is made where it is not there.

    Raises:
        OutputExistsError: `path` is there and no empty folder.
        OutputError: the disk is full, or a folder is missing or may not be written.
    """
    path = Path(path)
    with output_errors(path, WHOLE, done=_NOTHING):
        beside = path.with_name(_part_name())
        refuse_filled(path)
        try:
            path.parent.mkdir(exist_ok=True)
            beside.mkdir()
            yield beside
            # onto an empty folder alone; anything else fails
            beside.replace(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    _sync_name(path)


def make_folder(path: Path) -> None:
    """Make a folder, not those around it; one that is there stays as it is.

    Raises:
        OutputError: it cannot be made, or something else has its name.
    """
    with output_errors(path, WHOLE, done=_NOTHING):
        path.mkdir(exist_ok=True)


def already_there(path: Path) -> OutputExistsError:
    """The error for a file that is there and may not be replaced."""
    return OutputExistsError(
        "the file is there already",
        where=str(path),
        done=_NOTHING,
        remedy="Choose another name, or say that it may be overwritten.",
    )


def _part_name() -> str:
    # by chance: two processes may write the same file, and the last one's counts
    return f".{secrets.token_hex(8)}.part"


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `OutputExistsError` if something is there that may not be replaced."""
    if not overwrite and path.exists():
        raise already_there(path)


def refuse_filled(path: Path) -> None:
    """Raise `OutputExistsError` if more than an empty folder is there."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise OutputExistsError(
            "it is there already and not an empty folder",
            where=str(path),
            done=_NOTHING,
            remedy="Choose another name.",
        )


def _write_through(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        # before the rename: ext4 and xfs may else keep the name and lose the content
        os.fsync(file.fileno())


def _sync_name(path: Path) -> None:
    # it is there already: a disk that refuses now has not undone it
    with suppress(OSError):
        sync_folder(path.parent)
