"""An output that is written beside its final name and gets that name when it is whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vis.errors import OutputExistsError
from vis.storage.disk_errors import output_errors
from vis.storage.sync import sync_file, sync_folder

if TYPE_CHECKING:
    import re
    from pathlib import Path


def part_path(path: Path) -> Path:
    """`NAME.part.EXT` beside `NAME.EXT`: the suffix still tells players and muxers the format."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


class PartFile:
    """One file.

    Args:
        path: the final name.
        overwrite: whether a file of that name may be replaced.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self.part = part_path(path)
        self._overwrite = overwrite

    def check(self) -> None:
        """Raise `OutputExistsError` if something has the final name."""
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
            # never opened as it is: it may be a link, and what that names is not ours
            self.part.unlink(missing_ok=True)
            self.part.touch(exist_ok=False)

    def publish(self) -> None:
        """Give the part file, once it is on disk, its final name."""
        with output_errors(self.path):
            sync_file(self.part)
            self.check()
            self.part.replace(self.path)
            sync_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the part file."""
        with output_errors(self.path):
            self.part.unlink(missing_ok=True)


class PartFolder:
    """A folder of files of one kind; a folder that holds anything else is never replaced.

    Args:
        path: the final name.
        overwrite: whether such a folder may be replaced.
        names: what the names of such files match.
    """

    def __init__(self, path: Path, *, overwrite: bool, names: re.Pattern[str]) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self._overwrite, self._names = overwrite, names

    def check(self) -> None:
        """Raise `OutputExistsError` if more than an empty folder has the final name."""
        with output_errors(self.path):
            if not os.path.lexists(self.path):
                return
            self._refuse_foreign(self.path)
            if not self._overwrite and any(self.path.iterdir()):
                raise _exists(self.path)

    def prepare(self) -> None:
        """Make the parent folders and an empty part folder; a stale one goes."""
        with output_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._clear(self.part)
            self.part.mkdir()

    def publish(self) -> None:
        """Give the part folder, once it is on disk, its final name."""
        with output_errors(self.path):
            for entry in self.part.iterdir():
                sync_file(entry)
            sync_folder(self.part)
            self.check()
            self._clear(self.path)
            self.part.rename(self.path)
            sync_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the part folder."""
        with output_errors(self.path):
            self._clear(self.part)

    def _refuse_foreign(self, folder: Path) -> None:
        """Raise unless `folder` is a real folder that holds nothing but what we write."""
        if folder.is_symlink() or not folder.is_dir():
            raise _exists(folder, "not a folder, so it is not replaced")
        for entry in folder.iterdir():
            if not self._names.fullmatch(entry.name) or not entry.is_file():
                raise _exists(folder, f"holds {entry.name!r} too, so it is not replaced")

    def _clear(self, folder: Path) -> None:
        """Delete a folder of ours, if there is one."""
        if not os.path.lexists(folder):
            return
        self._refuse_foreign(folder)
        # no rmtree: what comes into the folder after the check makes rmdir fail, and stays
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()


def _exists(path: Path, what: str = "there already") -> OutputExistsError:
    remedy = (
        "Choose another name"
        if "not" in what
        else "Choose another name, or allow overwriting (--overwrite)"
    )
    return OutputExistsError(what, where=str(path), remedy=remedy)
