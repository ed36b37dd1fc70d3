"""Where an output grows, beside its final name, and how it gets that name: whole and on disk."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av

from vis.errors import OutputError, OutputExistsError, VisError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_OURS = re.compile(r"\d{6,}\.png(\.part)?|times\.json(\.part)?")
"""Names in a folder of pictures that may be deleted to make room for new ones."""


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """What the system or FFmpeg raises while `path` is written, as an `OutputError`."""
    try:
        yield
    except VisError:
        raise
    except (OSError, av.FFmpegError) as error:
        raise _output_error(error, path) from error


class FilePlace:
    """One file.

    Args:
        path: the final name.
        overwrite: whether a file of that name may be replaced.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self.part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._overwrite = overwrite

    def check(self) -> None:
        """Raise `OutputExistsError` if the final name is taken."""
        with output_errors(self.path):
            if not os.path.lexists(self.path):
                return
            if not self._overwrite:
                raise _exists(self.path)
            if not self.path.is_file():
                raise _exists(self.path, "not a file, so it is not replaced")

    def prepare(self) -> None:
        """Make the parent folders and an empty part file; a stale one goes."""
        with output_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.part.unlink(missing_ok=True)
            self.part.touch(exist_ok=False)

    def publish(self) -> None:
        """Give the part file, once it is on disk, its final name."""
        with output_errors(self.path):
            _sync(self.part)
            self.check()
            self.part.replace(self.path)
            _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the part file."""
        with output_errors(self.path):
            self.part.unlink(missing_ok=True)


class FolderPlace:
    """A folder of numbered pictures; a folder that holds anything else is never replaced.

    Args:
        path: the final name.
        overwrite: whether such a folder may be replaced.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self._overwrite = overwrite

    def check(self) -> None:
        """Raise `OutputExistsError` if the final name is taken by more than an empty folder."""
        with output_errors(self.path):
            if not os.path.lexists(self.path):
                return
            _refuse_foreign(self.path)
            if not self._overwrite and any(self.path.iterdir()):
                raise _exists(self.path)

    def prepare(self) -> None:
        """Make the parent folders and an empty part folder; a stale one goes."""
        with output_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _clear(self.part)
            self.part.mkdir()

    def publish(self) -> None:
        """Give the part folder, once it is on disk, its final name."""
        with output_errors(self.path):
            for entry in self.part.iterdir():
                _sync(entry)
            _sync_folder(self.part)
            self.check()
            _clear(self.path)
            self.part.rename(self.path)
            _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the part folder."""
        with output_errors(self.path):
            _clear(self.part)


def _output_error(error: OSError | av.FFmpegError, path: Path) -> OutputError:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        what, remedy = f"disk full ({reason})", "Free some space, or write to another disk"
    elif error.errno in _FORBIDDEN:
        what, remedy = f"may not be written ({reason})", "Choose a folder that you may write to"
    elif isinstance(error, OSError):
        what, remedy = f"cannot be written ({reason})", "Check the path"
    else:
        what, remedy = f"the encoder refuses ({reason})", "Try another suffix, or a smaller picture"
    return OutputError(what, where=str(path), remedy=remedy)


def _exists(path: Path, what: str = "there already") -> OutputExistsError:
    remedy = (
        "Choose another name"
        if "not" in what
        else "Choose another name, or allow overwriting (--overwrite)"
    )
    return OutputExistsError(what, where=str(path), remedy=remedy)


def _refuse_foreign(folder: Path) -> None:
    """Raise unless `folder` is a real folder that holds nothing but what we write."""
    if folder.is_symlink() or not folder.is_dir():
        raise _exists(folder, "not a folder, so it is not replaced")
    for entry in folder.iterdir():
        if not _OURS.fullmatch(entry.name) or not entry.is_file():
            raise _exists(folder, f"holds {entry.name!r} too, so it is not replaced")


def _clear(folder: Path) -> None:
    """Delete a folder of ours, if there is one."""
    if not os.path.lexists(folder):
        return
    _refuse_foreign(folder)
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """So that the new name outlives a power cut, where the file system knows how."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
