"""Packets of Matroska that state no time get the one that their neighbours imply."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_MOST = 256
"""Packets of one block (RFC 9559, 10.3): more than these never wait for the next time."""


class TimedPackets:
    """The packets of a stream in order; see `implied` for how many had no time of their own.

    A block of Matroska may lace several frames together and states the time of the first alone. The
    others lie at equal steps up to the next block; behind the last block, at the step before it, or
    where there was none, at that of the stated rate.

    Args:
        container: whose packets are read.
        stream: the video in it.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.implied = 0
        self._packets = container.demux(stream)
        # a decoder that reorders would need the times of the order of showing, which none states
        self._laces = (
            container.format.name.startswith("matroska") and not stream.codec_context.has_b_frames
        )
        tick = stream.time_base or Fraction(1, 1000)
        self._step = 1 / Fraction(stream.average_rate or 25) / tick
        self._last: int | None = None

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        if not self._laces:
            yield from self._packets
            return
        waiting: list[Packet[VideoStream]] = []
        for packet in self._packets:
            untimed = packet.pts is None and packet.size and self._last is not None
            if untimed:
                waiting.append(packet)
            if waiting and (not untimed or len(waiting) == _MOST):
                yield from self._give_times(waiting, packet.pts)
                waiting = []
            if not untimed:
                self._last = self._last if packet.pts is None else packet.pts
                yield packet

    def _give_times(
        self, packets: list[Packet[VideoStream]], end: int | None
    ) -> Iterator[Packet[VideoStream]]:
        """The packets, at equal steps between the last time and `end`, both in ticks."""
        assert self._last is not None
        begin = self._last
        if end is not None:
            self._step = Fraction(end - begin, len(packets) + 1)
        for number, packet in enumerate(packets, 1):
            packet.pts = packet.dts = self._last = begin + round(number * self._step)
            self.implied += 1
            yield packet
