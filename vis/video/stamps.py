"""When a packet or frame is to be shown, in ticks; some containers know only when to decode it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_DECODE_TIMES_ONLY = frozenset({"avi"})
"""Containers whose presentation stamps are guesses: frames are placed by decoding time there."""


class Stamps:
    """The presentation time of packets and frames, in ticks of the stream's time base."""

    def __init__(self, container: InputContainer) -> None:
        self.by_decoding = container.format.name in _DECODE_TIMES_ONLY
        self.last_packet: int | None = None
        """Of the packets so far, where they are placed by decoding time."""
        self._first_packet: int | None = None
        self._delay: int | None = None
        self._last = -1

    def of_packet(self, packet: Packet[VideoStream]) -> int | None:
        """Ticks, or None where the container states none."""
        if not self.by_decoding:
            return packet.pts
        if self._first_packet is None:
            self._first_packet = packet.dts
        self.last_packet = packet.dts
        return packet.dts

    def of_frame(self, frame: VideoFrame) -> int | None:
        """Ticks, or None where the container states none."""
        if not self.by_decoding:
            return frame.pts
        if self._first_packet is None:
            return None
        if frame.dts is None:  # what the decoder held back until the end
            self._last += 1
            return self._last
        if self._delay is None:  # a decoder that reorders holds its first frame back
            self._delay = frame.dts - self._first_packet
        self._last = frame.dts - self._delay
        return self._last
