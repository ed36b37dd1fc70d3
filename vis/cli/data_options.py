"""Options of several commands: where the frames of a data set lie, and what of it is meant."""

from __future__ import annotations

from dataclasses import dataclass

from vis.errors import UsageError
from vis.formats.prefixes import Frames


@dataclass(frozen=True)
class FrameOptions:
    """Where the frames of a data set lie."""

    frames: str | None = None
    """The folder that the file names are relative to, if it is not beside the file."""
    frames_prefix: list[str] | None = None
    """What stands for the beginning of file names, as s3://bucket/= (nothing) or
    /data/upload/1/=images/; the last = divides it."""

    def place(self) -> Frames:
        """Both options as one.

        Raises:
            UsageError: a prefix is no pair.
        """
        table = {}
        for pair in self.frames_prefix or []:
            # the last one: addresses have = in their queries
            old, equals, new = pair.rpartition("=")
            if not (old and equals):
                raise UsageError(
                    f"{pair!r} replaces nothing",
                    remedy="Write the beginning of the names = what stands for it, or nothing.",
                )
            table[old] = new
        return Frames(self.frames, table)


@dataclass(frozen=True)
class DataOptions(FrameOptions):
    """What of a data set a model looks at, and how it calls the classes."""

    videos: list[str] | None = None
    """Names or ids of the videos that the model looks at, instead of all."""
    key: str = "name"
    """Entry of a category that names its class, if that is not its name."""
    rename: list[str] | None = None
    """Classes that the model calls otherwise, as two-wheeler=bicycle (data set=model)."""

    def renamed(self) -> dict[str, str]:
        """The data set's name of a class -> the model's.

        Raises:
            UsageError: one of `rename` is no pair.
        """
        table = {}
        for pair in self.rename or []:
            name, equals, new = pair.partition("=")
            if not (name and equals and new):
                raise UsageError(
                    f"{pair!r} renames nothing", remedy="Write the data set's name = the model's."
                )
            table[name] = new
        return table
