"""A run that fails before anything is worth keeping leaves its folder as it found it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vis.training.experiment import CONFIG
from vis.training.log import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, where it is not there; after a failure it is gone again if it is empty."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # what is worth keeping lies there, or another process began
                folder.rmdir()
        raise


@contextmanager
def taken_back(folder: Path) -> Iterator[None]:
    """Within, a failed start of a new run is undone, so that the corrected command may begin it.

    A checkpoint, a line of a log or a note of a bad batch is worth keeping: then all stays.

    Args:
        folder: of the run, which this process owns; its settings are written, nothing else is.
    """
    # the lock, and whatever else the user keeps there
    earlier = {path for path in folder.iterdir() if path.name != CONFIG}
    try:
        yield
    except BaseException:
        added = set(folder.iterdir()) - earlier
        if not any(_is_worth_keeping(path) for path in added):
            for path in added:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _is_worth_keeping(path: Path) -> bool:
    # the settings are on the command line, and events begin with the time alone
    if path.name in (CONFIG, EVENTS):
        return False
    return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0
