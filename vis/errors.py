"""Everything that `vis` raises or warns of on purpose.

    VisError                      exit 70  base class; alone it is a fault of ours
    ├── UsageError (ValueError)        64  an argument or the command line is wrong
    ├── DataError (ValueError)         65  the content of a file is wrong
    │   ├── MaskError                      a run-length code or polygon is malformed
    │   └── VideoError                     a video cannot be decoded, or is damaged and strict
    ├── InputError (OSError)           66  an input is missing, unreadable or no such thing
    ├── DeviceError                    69  a device or an optional library is not there
    └── OutputError (OSError)          74  an output cannot be written
        └── OutputExistsError              it is there already and nobody said to replace it

    VisWarning (UserWarning)
    └── DamageWarning                      the work goes on without what was lost; exit 1 at the end

The exit codes follow sysexits.h where it has one.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_DAMAGED = 1
EXIT_TEMPORARY = 75
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class VisError(Exception):
    """An error with a place and a remedy.

    Args:
        what: what is wrong, without the place.
        where: the place, outermost first: file, record, frame or time.
        done: what was done about it ("Nothing was written.").
        remedy: what the reader can do.
    """

    exit_code = 70

    def __init__(self, what: str, *, where: str = "", done: str = "", remedy: str = "") -> None:
        self.what, self.where, self.done, self.remedy = what, where, done, remedy
        super().__init__(what)

    def __str__(self) -> str:
        """One line: where, what, what was done, what to do; control characters made visible."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        sentences = [_sentence(part) for part in (head, self.done, self.remedy) if part]
        return printable(" ".join(sentences))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every field when the error crosses a process boundary."""
        return _rebuild, (type(self), self.what, self.where, self.done, self.remedy)

    def at(self, where: str) -> VisError:
        """The same error, placed inside `where`; used by a caller that knows the file or record."""
        place = f"{where}: {self.where}" if self.where else where
        return type(self)(self.what, where=place, done=self.done, remedy=self.remedy)


class UsageError(VisError, ValueError):
    """An argument or the command line is wrong."""

    exit_code = 64


class DataError(VisError, ValueError):
    """The content of a file is wrong."""

    exit_code = 65


class MaskError(DataError):
    """A run-length code or polygon is malformed."""


class VideoError(DataError):
    """A video cannot be decoded, or is damaged and `strict` was asked for."""


class InputError(VisError, OSError):
    """An input is missing, unreadable or not the kind of thing that was expected."""

    exit_code = 66


class DeviceError(VisError):
    """A device, or an optional library, is not there."""

    exit_code = 69


class OutputError(VisError, OSError):
    """An output cannot be written."""

    exit_code = 74


class OutputExistsError(OutputError):
    """The output is there already and nobody said to replace it."""


class VisWarning(UserWarning):
    """Base class of our warnings."""


class DamageWarning(VisWarning):
    """Part of an input was lost; the work goes on with the rest."""


def printable(text: str) -> str:
    """`text` with control characters escaped, so that file content cannot drive a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def explain_resume(error: BaseException, so_far: str) -> None:
    """Add to an error what of a broken-off run is kept, and how to go on with it."""
    way = "Go on with the same command and --resume"
    if isinstance(error, VisError):
        error.done = so_far
        error.remedy = ". ".join(part.rstrip(".") for part in (error.remedy, way) if part)
    else:
        error.add_note(f"{so_far}. {way}")


def _rebuild(kind: type[VisError], what: str, where: str, done: str, remedy: str) -> VisError:
    return kind(what, where=where, done=done, remedy=remedy)
