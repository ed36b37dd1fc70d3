"""Standard input as a video: read once, as it comes; nothing of it is kept but its first bytes."""

from __future__ import annotations

import os
import select
from dataclasses import replace
from typing import TYPE_CHECKING

import av

from vis.errors import InputError, VideoError
from vis.video import limits
from vis.video.decoder import FAULTS, choose_stream, foreign_error
from vis.video.file_source import FileSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.records import Frame

STANDARD_INPUT = "-"
"""The source of that name; a file that is called so is written ./-"""
NAME = "standard input"
_HEAD = 4096
"""Bytes of the start that are kept to tell what it is."""
_PATIENCE = 0.2
"""Seconds after which a waiting read looks whether it was stopped."""
_BEFORE_INDEX = (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pnot")
"""Boxes that may come before the index of an MP4 (ISO/IEC 14496-12) or its pictures."""


class PipeSource(FileSource):
    """One pass over the video that comes in by standard input, whose frames are all waited for.

    Args:
        strict: raise at the first sign of damage.
        threads: decoding threads; 0 lets FFmpeg choose.
        descriptor: of the open pipe.

    Raises:
        InputError: nothing comes.
        VideoError: it is no video, or one that cannot be read without going back.
    """

    def __init__(self, *, strict: bool = False, threads: int = 0, descriptor: int = 0) -> None:
        self._pipe = _Pipe(descriptor)
        head = self._pipe.peek()
        if not head:
            raise InputError("nothing comes", where=NAME, remedy="Check the command before the |")
        if _has_late_index(head):
            raise VideoError(
                "an MP4 whose index comes after its pictures cannot be read from a pipe",
                where=NAME,
                remedy="Give the file itself, or make it with -movflags +faststart",
            )
        try:
            container = av.open(
                self._pipe,
                "r",
                options={
                    "format_whitelist": limits.FILE_FORMATS,
                    "protocol_whitelist": limits.FILE_PROTOCOLS,
                },
                metadata_errors="replace",
            )
        except FAULTS as error:
            raise foreign_error(head, NAME) from error
        opened = container, choose_stream(container, NAME, threads=threads)
        super().__init__(NAME, strict=strict, opened=opened)
        # no end that is known, no second pass
        self.info = replace(self.info, live=True)

    def frames(self) -> Iterator[Frame]:
        """Every frame that can be decoded, in order; one pass."""
        try:
            yield from super().frames()
        finally:
            super().close()

    def close(self) -> None:
        """Let the reading thread come to the end; it frees the decoder."""
        self._pipe.stopped = True


class _Pipe:
    """What FFmpeg reads from: it has no `seek`, so that nothing tries to go back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._head = descriptor, b""
        self.stopped = False

    def peek(self) -> bytes:
        """The first bytes, which are read again."""
        while len(self._head) < _HEAD and (data := os.read(self._descriptor, _HEAD)):
            self._head += data
        return self._head

    def read(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are any; none at the end, or once stopped."""
        if self._head and not self.stopped:
            data, self._head = self._head[:size], self._head[size:]
            return data
        # a read that waits for a silent pipe could not be ended by anybody
        while not self.stopped:
            if _has_data(self._descriptor):
                return os.read(self._descriptor, size)
        return b""


def _has_data(descriptor: int) -> bool:
    """Whether a read would return at once, by the end of a short wait."""
    try:
        return bool(select.select([descriptor], [], [], _PATIENCE)[0])
    except (OSError, ValueError):
        return True  # Windows waits for sockets alone


def _has_late_index(head: bytes) -> bool:
    """Whether the pictures of an MP4 come before its index."""
    place = 0
    while head[place + 4 : place + 8] in _BEFORE_INDEX:
        place += max(8, int.from_bytes(head[place : place + 4], "big"))
    return place > 0 and head[place + 4 : place + 8] == b"mdat"
