"""A video file as a source: its frames in order with exact times, and what was lost of them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from vis.errors import VideoError
from vis.records import Frame, Pixels
from vis.video import gif, limits, matroska, transport
from vis.video.damage import PacketAccounting, ReadReport
from vis.video.decoder import (
    FAULTS,
    be_exact,
    decode,
    decode_damaged,
    describe,
    open_file,
    orientation_of,
)
from vis.video.pixels import fit_into, rgb
from vis.video.stamps import Stamps
from vis.video.untimed import TimedPackets

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class FileSource:
    """One pass over a video file; the first frame is decoded at once, so `info` is the truth.

    Args:
        path: the file.
        strict: raise at the first sign of damage.
        threads: decoding threads; 0 lets FFmpeg choose.
        opened: container and stream, where `path` is the name of something that is no file.

    Raises:
        InputError: the file cannot be read.
        VideoError: it is no video, or not one frame of it can be decoded.
    """

    def __init__(
        self,
        path: str,
        *,
        strict: bool = False,
        threads: int = 0,
        opened: tuple[InputContainer, VideoStream] | None = None,
    ) -> None:
        self._container, self._stream = opened or open_file(path, threads=threads)
        self._is_file = opened is None
        self._is_exact = be_exact(self._stream)
        self._stamps = Stamps(self._container)
        self._tick = self._stream.time_base or Fraction(1, 90_000)
        self._packets = TimedPackets(self._container, self._stream)
        self._accounting = PacketAccounting(path, strict)
        self._last: Fraction | None = None
        self._end = Fraction(0)
        self._decoded = self._decode()
        # headers promise sizes that frames do not keep: the first frame says what is true
        first = next(self._decoded, None)
        if first is None:
            self._container.close()
            raise VideoError(
                f"not one frame can be decoded (the header declares {self._stream.frames})"
                if self._stream.frames
                else "not one frame can be decoded",
                where=path,
                remedy="Copy or download it again",
            )
        self.info, self.orientation = describe(path, self._container, self._stream, first)
        self._next_frame: VideoFrame | None = first
        self._geometry = _geometry(first)

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far; complete once `frames` has ended."""
        return self._accounting.report(self.info.frames)

    def frames(self) -> Iterator[Frame]:
        """Every frame that can be decoded, in order; one pass."""
        try:
            while (frame := self._next_frame) is not None:
                timed_frame = self._with_time(frame)
                if timed_frame is not None:
                    yield timed_frame
                self._next_frame = next(self._decoded, None)
            self._compare_with_header()
        finally:
            self.close()

    def close(self) -> None:
        """Free the decoder and the file."""
        self._decoded.close()
        self._container.close()

    def _decode(self) -> Generator[VideoFrame, None, None]:
        for packet in self._demux():
            if packet.size == 0 and packet.dts is not None:
                continue  # an empty packet repeats a frame; the decoder would take it for the end
            time = self._account(packet) if packet.size else None
            frames, errors = decode(packet, self._stream)
            if errors and self._is_exact:
                frames = decode_damaged(packet, self._stream)
                if frames:
                    self._accounting.add_problem("a frame is damaged", time)
                    errors = 0
            self._accounting.undecodable += errors
            for frame in frames:
                limits.check_size(frame.width, frame.height, where=self._accounting.name)
                yield frame

    def _demux(self) -> Iterator[Packet[VideoStream]]:
        try:
            yield from self._packets
        except FAULTS as error:
            self._accounting.add_problem(
                f"the file breaks off ({type(error).__name__})", self._last
            )

    def _account(self, packet: Packet[VideoStream]) -> Fraction | None:
        """The packet's time in seconds, where one is stated."""
        stamp = self._stamps.of_packet(packet)
        time = None if stamp is None else stamp * self._tick
        if packet.is_discard:
            self._accounting.discarded += 1
            return time
        if packet.is_corrupt:
            self._accounting.add_problem("a packet is marked as corrupt", time)
        self._accounting.add_packet(stamp, key=packet.is_keyframe)
        return time

    def _with_time(self, frame: VideoFrame) -> Frame | None:
        """The frame with its index and time, or None where its time would not go forward."""
        stamp = self._stamps.of_frame(frame)
        if stamp is not None and self._last is not None and stamp * self._tick <= self._last:
            self._accounting.add_problem("a frame came too late", stamp * self._tick)
            return None  # counted as lost when a later one came
        index = self._accounting.add_frame(stamp, self._tick)
        self._last = time = self._time(stamp, index)
        self._end = time + max(self._step(), (frame.duration or 0) * self._tick)
        if frame.is_corrupt:
            self._accounting.add_problem("a frame is damaged", time)
        return Frame(index, time, self._pixels(frame, time))

    def _time(self, stamp: int | None, index: int) -> Fraction:
        if stamp is not None:
            return stamp * self._tick
        return index / (self.info.frame_rate or Fraction(25))

    def _pixels(self, frame: VideoFrame, time: Fraction) -> Pixels:
        # FFmpeg changes size and rotation in mid-stream without a word
        if _geometry(frame) != self._geometry:
            self._geometry, self.orientation = _geometry(frame), orientation_of(frame)
            width, height = self.orientation.size(frame.width, frame.height)
            self._accounting.add_problem(f"the picture changes to {width} x {height}", time)
        pixels = self.orientation.upright(rgb(frame, where=self._accounting.name))
        return fit_into(pixels, self.info.width, self.info.height)

    def _compare_with_header(self) -> None:
        accounting = self._accounting
        accounting.count_missing(self._tick)
        if self._packets.implied:
            what = f"{self._packets.implied} packets state no time: it is that of equal steps"
            accounting.add_problem(what)
        # packets, not frames: one that was there and could not be decoded is counted already
        packets = accounting.packets + accounting.discarded
        if self._stamps.last_packet is not None:
            # AVI counts the empty packets too that repeat a frame, and the demuxer skips them
            packets = max(packets, self._stamps.last_packet + 1)
        missing = self._stream.frames - packets
        if missing > 0:
            accounting.add_problem(
                f"the header declares {self._stream.frames} frames", lost=missing
            )
        elif self.info.duration is not None:
            self._compare_with_duration(self.info.duration)
        if self._is_file and not self._is_whole(packets):
            accounting.add_problem("the file breaks off or its parts do not fit together")

    def _is_whole(self, packets: int) -> bool:
        """Whether the container fits together, where FFmpeg passes over what does not."""
        match self.info.container:
            case "gif":
                return gif.is_whole(self._accounting.name, packets)
            case "matroska":
                return matroska.is_whole(self._accounting.name)
            case "mpegts":
                return transport.is_whole(self._accounting.name, self._stream.id)
        return True

    def _compare_with_duration(self, duration: Fraction) -> None:
        step = self._step()
        missing = duration - self._end
        # muxers round durations, and sound may last longer than the pictures; only more is a loss
        if missing > max(3 * step, Fraction(1, 5)):
            what = f"the header declares {float(duration):.2f} s, the file ends"
            self._accounting.add_problem(what, self._end, lost=round(missing / step))

    def _step(self) -> Fraction:
        return 1 / self.info.frame_rate if self.info.frame_rate else Fraction(1, 25)


def _geometry(frame: VideoFrame) -> tuple[int, int, int]:
    """What a decoded picture must keep from frame to frame."""
    return frame.width, frame.height, frame.rotation
