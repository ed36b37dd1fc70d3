"""The pictures of a video on their way into the file: each with its duration, with the sound."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from vis.video.audio import AudioCopy


class PictureTrack:
    """Writes each picture once the next one tells how long it lasts, and the sound beside it.

    A fragment of MP4 ends where its last packet does, and FFmpeg moves the first packet of the next
    fragment there. Sound ends fragments at any time, so that a duration that is not the time up to
    the next picture would move that picture.

    Args:
        container: whose header is written.
        audio: sound to copy along, attached to `container`.
        shift: seconds by which the times of the packets are later than those of the source.
    """

    def __init__(
        self, container: OutputContainer, audio: AudioCopy | None, shift: Fraction
    ) -> None:
        self._container, self._audio, self._shift = container, audio, shift
        self._waiting: deque[Packet[VideoStream]] = deque()

    def add(self, packets: Iterable[Packet[VideoStream]]) -> None:
        """Take packets in order of time; all but the last one are written."""
        # Ctrl-C cannot part a packet from here or from the file: no Python runs inside these calls
        self._waiting.extend(packets)
        while len(self._waiting) > 1:
            self._write_first(self._begin(1))

    def close(self, last: Fraction) -> None:
        """Write what waits, and the sound up to the end.

        Args:
            last: seconds that the last picture lasts.
        """
        while self._waiting:
            one = len(self._waiting) == 1
            self._write_first(self._begin(0) + last if one else self._begin(1))

    def _begin(self, place: int) -> Fraction:
        """When a picture that waits is shown, in seconds of the container."""
        packet = self._waiting[place]
        assert packet.pts is not None
        return packet.pts * packet.time_base

    def _write_first(self, end: Fraction) -> None:
        """Write the first picture that waits and the sound up to `end`, the end of that picture."""
        packet, begin = self._waiting[0], self._begin(0)
        packet.duration = round((end - begin) / packet.time_base)
        if self._audio is not None:
            self._audio.copy_until(begin - self._shift)
        # any iterable will do
        self._container.mux(map(deque.popleft, (self._waiting,)))  # type: ignore[arg-type]
        if self._audio is not None:
            # FFmpeg holds a picture back until it knows the sound that follows
            self._audio.copy_until(end - self._shift)
