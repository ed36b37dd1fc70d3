"""What the system raises while an output is written, as an `OutputError` with cause and remedy."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from vis.errors import OutputError, VisError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Cause = Literal["full", "forbidden", "no folder", "no name", "other"]
Messages: TypeAlias = "Mapping[Cause, tuple[str, str]]"
"""Cause -> what is wrong and its remedy; a cause that is missing has the words of `other`."""

# a quota and the largest size of a file (RLIMIT_FSIZE, FAT's 4 GB) end a disk as its last byte does
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
WHOLE: Messages = {
    "full": ("the disk is full", "Free some space or write elsewhere."),
    "no folder": ("there is no folder {folder}", "Make it first."),
    "no name": ("this is no name for a file", "Choose another name."),
    "other": ("it cannot be written ({reason})", "Write elsewhere."),
}
"""For a file that is written in one go."""
INCREMENTAL: Messages = {
    "full": ("disk full ({reason})", "Free some space, or write to another disk"),
    "forbidden": ("may not be written ({reason})", "Choose a folder that you may write to"),
    "other": ("cannot be written ({reason})", "Check the path"),
}
"""For an output that is written frame by frame."""


def output_error(
    error: OSError | ValueError, path: Path, messages: Messages = INCREMENTAL, *, done: str = ""
) -> OutputError:
    """The error for `path` that could not be written.

    Args:
        error: what the system raised; a `ValueError` is pathlib's for what is no name.
        path: what was to be written.
        messages: the words for each cause.
        done: what was done about it.
    """
    reason = getattr(error, "strerror", None) or str(error)
    what, remedy = messages.get(_cause(error), messages["other"])
    what = what.format(reason=reason, folder=path.parent)
    return OutputError(what, where=str(path), done=done, remedy=remedy)


@contextmanager
def output_errors(
    path: Path, messages: Messages = INCREMENTAL, *, done: str = ""
) -> Iterator[None]:
    """What the system raises while `path` is written, as an `OutputError`; see `output_error`.

    A `ValueError` is one of the name only where `messages` has words for it: a block that encodes
    has others.
    """
    try:
        yield
    except VisError:
        raise
    except OSError as error:
        raise output_error(error, path, messages, done=done) from error
    except ValueError as error:
        if "no name" not in messages:
            raise
        raise output_error(error, path, messages, done=done) from None


def _cause(error: OSError | ValueError) -> Cause:
    if not isinstance(error, OSError):
        return "no name"
    if isinstance(error, FileNotFoundError):
        return "no folder"
    if error.errno in FULL:
        return "full"
    return "forbidden" if error.errno in FORBIDDEN else "other"
