"""Cameras and network streams: no known end, no second pass, reconnected when they break."""

from __future__ import annotations

import platform
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from time import monotonic
from typing import TYPE_CHECKING

import av

from vis.errors import InputError, VideoError
from vis.records import Frame
from vis.video import limits
from vis.video.damage import PacketAccounting, ReadReport
from vis.video.decoder import FAULTS, choose_stream, decode, describe, flush
from vis.video.pixels import fit_into, rgb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

URL_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "rtmp://", "udp://")

_CAMERAS = {
    "Linux": ("v4l2", "/dev/video{}"),
    "Darwin": ("avfoundation", "{}"),
    "Windows": ("dshow", "video={}"),
}


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How patient to be with a camera or network stream."""

    timeout: float = 10.0
    """Seconds without data before the connection counts as broken."""
    reconnects: int = 5
    """Attempts in a row before giving up; a new frame starts the count again."""
    backoff: float = 0.5
    """Seconds before the first attempt; doubled each time, 20 s at most."""


PATIENT = LiveSettings()


class LiveSource:
    """A camera or network stream.

    After a break the times go on: a stream with a stated length is continued where it stopped, an
    endless one as much later as it was connected again.

    Args:
        name: a URL or, with `camera`, anything.
        settings: patience.
        camera: number of a local camera instead of a URL.
        strict: raise at the first break.

    Raises:
        InputError: no connection.
        VideoError: no video there.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: LiveSettings = PATIENT,
        camera: int | None = None,
        strict: bool = False,
    ) -> None:
        self._name, self._settings, self._camera = name, settings, camera
        self._accounting = PacketAccounting(name, strict, timed=False)
        # the closing thread sets this and no more: the reading thread may be inside of FFmpeg,
        # so it alone frees the container
        self._stopped = threading.Event()
        self._last: Fraction | None = None
        self._shift = Fraction(0)
        self._ended = False
        self._failures = 0
        self._first_packet: int | None = None
        began = monotonic()
        self._container, self._stream = self._open()
        self._decoded = self._decode()
        try:
            first = next(self._decoded, None)
        except FAULTS as error:
            raise self._no_connection(error) from error
        if first is None:
            self._container.close()
            raise VideoError("not one frame came", where=name, remedy="Check that it is sending")
        info, self._orientation = describe(name, self._container, self._stream, first)
        self._endless = camera is not None or info.duration is None
        if self._endless and first.pts is not None:  # their clocks start anywhere
            self._shift = -first.pts * info.time_base
        self._epoch = began + self._late(first)
        """When the first frame was sent, by the clock of this machine."""
        self.info = replace(info, live=True)
        self._next_frame: VideoFrame | None = first

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far."""
        return self._accounting.report(self.info.frames)

    def frames(self) -> Iterator[Frame]:
        """Frames as they come, until the stream ends or cannot be reached again."""
        try:
            while not self._stopped.is_set():
                yield from self._session()
                if self._stopped.is_set() or self._is_complete():
                    return
                if self._ended:  # some servers say goodbye before they are gone
                    self._accounting.add_problem("the connection was closed", self._last)
                if not self._reconnect():
                    return
        finally:
            self._container.close()

    def close(self) -> None:
        """Stop waiting for the stream; the reading thread frees it."""
        self._stopped.set()

    def _session(self) -> Iterator[Frame]:
        """The frames of one connection."""
        self._ended = False
        try:
            while (frame := self._next_frame) is not None and not self._stopped.is_set():
                timed_frame = self._with_time(frame)
                if timed_frame is not None:
                    yield timed_frame
                self._next_frame = next(self._decoded, None)
            self._ended = True
        except FAULTS as error:
            self._accounting.add_problem(
                f"the connection broke ({type(error).__name__})", self._last
            )

    def _with_time(self, frame: VideoFrame) -> Frame | None:
        tick = self._stream.time_base or Fraction(1, 90_000)
        stamp = frame.pts if frame.pts is not None else self._accounting.decoded
        time = stamp * tick + self._shift
        if self._last is not None and time <= self._last:
            return None  # seen before the break
        self._last, self._failures = time, 0
        index = self._accounting.add_frame(None, tick)
        picture = self._orientation.upright(rgb(frame, where=self._name))
        return Frame(index, time, fit_into(picture, self.info.width, self.info.height))

    def _is_complete(self) -> bool:
        """Whether all has come: the stated length, or over HTTP an end without an error."""
        if self._ended and self._endless and self._name.lower().startswith("http"):
            return True
        if self._endless or self.info.duration is None or self._last is None:
            return False
        step = 1 / (self.info.frame_rate or Fraction(25))
        # three frames: stated durations are rounded, and the last frame may lack its own length
        return self._last + 3 * step >= self.info.duration

    def _reconnect(self) -> bool:
        """Connect again; attempts are counted from the last frame that was new."""
        broke = monotonic()
        while self._failures < self._settings.reconnects:
            # doubled, so as not to flood a server; 20 s at most, so as to notice that it is back
            wait = min(20.0, self._settings.backoff * 2**self._failures)
            self._failures += 1
            if self._stopped.wait(wait):
                return False
            try:
                self._container.close()
                began = monotonic()
                self._container, self._stream = self._open()
                self._decoded = self._decode()
                self._next_frame = next(self._decoded, None)
            except (InputError, VideoError, *FAULTS):
                continue
            if self._next_frame is not None:
                self._continue_times(self._next_frame, began, began - broke)
                return True
        self._accounting.add_problem(
            f"gone after {self._failures} attempts to reconnect", self._last
        )
        return False

    def _continue_times(self, first: VideoFrame, began: float, gap: float) -> None:
        """An endless stream starts its clock anew: go on as late as this machine's clock says.

        The packets come from the moment on in which it is connected, and FFmpeg holds some seconds
        of them back to look at: when they are read says nothing.
        """
        if not self._endless or self._last is None:
            return
        tick = self._stream.time_base or Fraction(1, 90_000)
        # never back: the sender's clock may run ahead of ours, or it sends what it had recorded
        continued = max(began + self._late(first) - self._epoch, float(self._last) + gap)
        first_time = (first.pts or 0) * tick
        self._shift = round((Fraction(round(continued * 1000), 1000) - first_time) / tick) * tick

    def _late(self, first: VideoFrame) -> float:
        """Seconds by which the first frame lies behind the first packet of a connection."""
        if first.pts is None or self._first_packet is None:
            return 0.0
        return float((first.pts - self._first_packet) * (self._stream.time_base or 0))

    def _decode(self) -> Iterator[VideoFrame]:
        """The frames of this connection; on a break first those that the decoder still holds."""
        packets = self._container.demux(self._stream)
        self._first_packet = None
        fault: Exception | None = None
        while fault is None:
            try:
                packet = next(packets, None)
            except FAULTS as error:
                packet, fault = flush(), error
            if packet is None:
                return
            if self._first_packet is None:
                self._first_packet = packet.pts
            frames, errors = decode(packet, self._stream)
            self._accounting.undecodable += errors
            for frame in frames:
                limits.check_size(frame.width, frame.height, where=self._name)
                yield frame
        raise fault

    def _open(self) -> tuple[InputContainer, VideoStream]:
        timeout = self._settings.timeout
        try:
            if self._camera is not None:
                container = self._open_camera()
            else:
                options = {
                    "format_whitelist": limits.STREAM_FORMATS,
                    "protocol_whitelist": limits.STREAM_PROTOCOLS,
                    # over UDP, lost packets smear the pictures, and many routers let none through
                    "rtsp_transport": "tcp",
                }
                container = av.open(
                    self._name,
                    options=options,
                    # to open, and to read: without the second a dead camera blocks for ever
                    timeout=(timeout, timeout),
                    metadata_errors="replace",
                )
        except FAULTS as error:
            raise self._no_connection(error) from error
        return container, choose_stream(container, self._name)

    def _open_camera(self) -> InputContainer:
        kind, pattern = _CAMERAS.get(platform.system(), _CAMERAS["Linux"])
        return av.open(pattern.format(self._camera), format=kind, timeout=self._settings.timeout)

    def _no_connection(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        remedy = "Check the address and that it is sending"
        if self._camera is not None:
            remedy = "Check that the camera is plugged in and no other program uses it"
        return InputError(f"no connection ({reason})", where=self._name, remedy=remedy)
