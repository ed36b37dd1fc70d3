"""Random access to the frames of a file, exact on every file: by presentation time, never by count.

A scan of the packets, without decoding, lists the times. A frame is reached by decoding from the
last key frame at or before it; only if exactly its time comes out is it returned, else decoding
starts further back, at last from the very beginning, which is always right.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from vis.errors import UsageError, VideoError
from vis.video import limits
from vis.video.decoder import FAULTS, decode, open_file
from vis.video.pixels import fit_into, rgb
from vis.video.stamps import Stamps
from vis.video.untimed import TimedPackets

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vis.records import Pixels
    from vis.video.orientation import Orientation

_NO_SEEKING = frozenset({"gif"})
"""Containers whose packets all call themselves key frames though each builds on the one before."""

_ATTEMPTS = 3
"""Key frames tried, going back, before decoding from the beginning."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The frames of a file in the order of their times."""

    stamps: tuple[int, ...]
    """Ticks, ascending; frame i is shown at `stamps[i]`."""
    keys: tuple[tuple[int, int], ...]
    """Presentation and decoding stamp of each key frame; empty where seeking is unsafe."""
    tick: Fraction
    """Seconds."""
    timed: bool
    """False where the container states no times: stamps are then counts."""


def scan(path: str) -> FrameIndex:
    """Read every packet of a file, decoding none unless the container states no times.

    Raises:
        InputError, VideoError: as `open_file`.
    """
    container, stream = open_file(path)
    try:
        stamps = Stamps(container)
        packet_stamps: list[int] = []
        keys: list[tuple[int, int]] = []
        timed = True
        for packet in _demux(container, stream):
            if not packet.size or packet.is_discard:
                continue
            stamp = stamps.of_packet(packet)
            timed = timed and stamp is not None
            if stamp is None:
                continue
            packet_stamps.append(stamp)
            if packet.is_keyframe:
                keys.append((stamp, stamp if packet.dts is None else packet.dts))
        tick = stream.time_base or Fraction(1, 90_000)
        # raw H.264 states no times at all: only decoding tells how many frames there are
        if not timed:
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            return FrameIndex(tuple(range(_count(path))), (), 1 / Fraction(rate), False)
        if keys:  # what leads the first key frame has no reference
            packet_stamps = [stamp for stamp in packet_stamps if stamp >= keys[0][0]]
        seekable = not stamps.by_decoding and container.format.name not in _NO_SEEKING
        return FrameIndex(
            tuple(sorted(packet_stamps)), tuple(sorted(keys)) if seekable else (), tick, True
        )
    finally:
        container.close()


class FileAccess:
    """Frames of a video file in any order.

    Args:
        path: the file.
        size: width and height that every picture is fitted into (the first frame's).
        orientation: how pictures are turned upright (the first frame's).
        threads: decoding threads; 0 lets FFmpeg choose.
    """

    def __init__(
        self, path: str, size: tuple[int, int], orientation: Orientation, *, threads: int = 0
    ) -> None:
        self._path, self._size, self._threads = path, size, threads
        self._orientation = orientation
        self._index = scan(path)
        self._cursor: _Cursor | None = None

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Presentation time of every frame in seconds."""
        return tuple(stamp * self._index.tick for stamp in self._index.stamps)

    def read(self, indices: Sequence[int]) -> Pixels:
        """`[n H W 3]`, frame `indices[i]` at place i; repeats and any order are fine.

        Raises:
            UsageError: an index beyond the video.
            VideoError: a frame that cannot be decoded.
        """
        check_indices(indices, len(self._index.stamps), self._path)
        width, height = self._size
        out = np.empty((len(indices), height, width, 3), np.uint8)
        for index in sorted(set(indices)):
            frame = self._at(index)
            picture = self._orientation.upright(rgb(frame, where=self._path))
            out[[i == index for i in indices]] = fit_into(picture, width, height)
        return out

    def close(self) -> None:
        """Free the decoder and the file."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def _at(self, index: int) -> VideoFrame:
        stamp = self._index.stamps[index]
        before = bisect_right([key for key, _ in self._index.keys], stamp)
        if self._cursor is not None and self._cursor.reaches(stamp, self._index.keys[:before]):
            frame = self._cursor.advance(stamp)
            if frame is not None:
                return frame
        # open groups of pictures: frames that lead a key frame refer to the group before it
        for key in reversed(self._index.keys[max(0, before - _ATTEMPTS) : before]):
            frame = self._start(key).advance(stamp)
            if frame is not None and not frame.is_corrupt:
                return frame
        frame = self._start(None).advance(stamp)
        if frame is None:
            time = float(stamp * self._index.tick)
            raise VideoError(
                f"frame {index} at {time:.2f} s cannot be decoded",
                where=self._path,
                remedy="Leave this frame out, or repair the file",
            )
        return frame

    def _start(self, key: tuple[int, int] | None) -> _Cursor:
        self.close()
        self._cursor = _Cursor(self._path, key, self._index.timed, self._threads)
        return self._cursor


class _Cursor:
    """A decoder under way from a key frame, or from the beginning."""

    def __init__(self, path: str, key: tuple[int, int] | None, timed: bool, threads: int) -> None:
        self._container, self._stream = open_file(path, threads=threads)
        self._path, self._key, self._timed = path, key, timed
        self._frames = self._decode()
        self._last: tuple[int, VideoFrame] | None = None

    def reaches(self, stamp: int, keys: tuple[tuple[int, int], ...]) -> bool:
        """Whether going on is right for `stamp` and no later start would be nearer."""
        if self._last is None or self._last[0] > stamp:
            return False
        return not keys or keys[-1][0] <= self._last[0]

    def advance(self, stamp: int) -> VideoFrame | None:
        """Decode until the frame of this time; None if it does not come."""
        while self._last is None or self._last[0] < stamp:
            following = next(self._frames, None)
            if following is None:
                return None
            self._last = following
        return self._last[1] if self._last[0] == stamp else None

    def close(self) -> None:
        self._frames.close()
        self._container.close()

    def _decode(self) -> Generator[tuple[int, VideoFrame], None, None]:
        stamps = Stamps(self._container)
        count = 0
        for packet in self._from_key():
            # an empty packet repeats a frame; the decoder would take it for the end
            if packet.size == 0 and packet.dts is not None:
                continue
            stamps.of_packet(packet)
            for frame in decode(packet, self._stream)[0]:
                limits.check_size(frame.width, frame.height, where=self._path)
                stamp = stamps.of_frame(frame) if self._timed else count
                count += 1
                if stamp is not None:
                    yield stamp, frame

    def _from_key(self) -> Iterator[Packet[VideoStream]]:
        packets = _demux(self._container, self._stream, self._key)
        if self._key is None:
            yield from packets
            return
        pts, dts = self._key
        for packet in packets:
            if packet.is_keyframe and packet.pts == pts:
                yield packet
                break
            if packet.dts is not None and packet.dts > dts:
                return  # the container landed too late
        yield from packets


def check_indices(indices: Sequence[int], length: int, where: str) -> None:
    """Refuse frame numbers that the video does not have.

    Raises:
        UsageError: an index is negative or too large.
    """
    for index in indices:
        if not 0 <= index < length:
            raise UsageError(
                f"frame {index} was asked for, the video has {length} frames",
                where=where,
                remedy=f"Ask for 0 to {length - 1}",
            )


def _demux(
    container: InputContainer, stream: VideoStream, key: tuple[int, int] | None = None
) -> Iterator[Packet[VideoStream]]:
    try:
        if key is not None:
            # by decoding time; some containers land late all the same, which `_from_key` notices
            container.seek(key[1], stream=stream, backward=True)
        yield from TimedPackets(container, stream)
    except FAULTS:
        return  # damage ends the packets; sequential reading reports it


def _count(path: str) -> int:
    cursor = _Cursor(path, None, False, 0)
    try:
        return sum(1 for _ in cursor._frames)
    finally:
        cursor.close()
