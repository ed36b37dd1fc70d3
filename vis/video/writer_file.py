"""Frames into one video file through FFmpeg: which codec, which clock, and what survives a kill."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Literal

import av
from av.codec.context import Flags
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from vis.errors import VisError, VisWarning
from vis.storage.disk_errors import INCREMENTAL, output_error
from vis.video.picture_track import PictureTrack
from vis.video.writer_colour import Palette, Yuv420, even, stated_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vis.records import Pixels, VideoInfo
    from vis.video.audio import AudioCopy

Quality = Literal["fast", "normal", "high"]

# H.264, as browsers play it; MPEG-4 part 2 (OpenCV's mp4v) plays in none
# crf: the scales of H.264 (0 to 51) and VP9 (0 to 63) differ
# bf: with B-frames FFmpeg's MP4 header of a fragmented file can end before the last frame does
# rc-lookahead: what the encoder holds back is lost when the process is killed
_H264: Mapping[Quality, Mapping[str, str]] = {
    "fast": {"preset": "ultrafast", "crf": "23", "bf": "0"},
    "normal": {"preset": "veryfast", "crf": "20", "bf": "0", "rc-lookahead": "5"},
    "high": {"preset": "medium", "crf": "17", "bf": "0", "rc-lookahead": "10"},
}
# lag-in-frames: libvpx holds back 25 frames by default, and a kill loses them
_REALTIME = {"deadline": "realtime", "lag-in-frames": "0", "row-mt": "1"}
_VP9: Mapping[Quality, Mapping[str, str]] = {
    "fast": _REALTIME | {"cpu-used": "8", "crf": "36"},
    "normal": _REALTIME | {"cpu-used": "6", "crf": "31"},
    "high": {"deadline": "good", "cpu-used": "3", "crf": "24", "row-mt": "1"},
}
# times in microseconds, but of clusters in milliseconds
_FLUSHED = {"flush_packets": "1", "max_interleave_delta": "500000", "fflags": "+bitexact"}
# delay_moov: without it the fragments forget when the video starts
_MP4 = _FLUSHED | {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "50000"}
# by default all would be moved by the lead of the sound, which often begins before 0
_MATROSKA = _FLUSHED | {"cluster_time_limit": "50", "avoid_negative_ts": "disabled"}
_MILLISECOND = Fraction(1, 1000)
_REFUSED = {
    **INCREMENTAL,
    "other": ("the encoder refuses ({reason})", "Try another suffix, or a smaller picture"),
}


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A container and how it is written."""

    container: str
    codec: str
    encoder: Mapping[Quality, Mapping[str, str]] = field(default_factory=dict)
    muxer: Mapping[str, str] = field(default_factory=lambda: _FLUSHED)
    tick: Fraction | None = None
    """The container's own clock in seconds; None: it takes any."""
    gap: int = 1
    """Fewest ticks from frame to frame."""
    square: bool = False
    """Whether it knows square pixels only (of WebM: as FFmpeg writes it)."""
    constant: bool = False
    """Whether it knows a rate and no times."""


VIDEO_FORMATS = {
    ".mp4": VideoFormat("mp4", "libx264", _H264, _MP4),
    ".mov": VideoFormat("mov", "libx264", _H264, _MP4),
    ".mkv": VideoFormat("matroska", "libx264", _H264, _MATROSKA, _MILLISECOND),
    ".webm": VideoFormat("webm", "libvpx-vp9", _VP9, _MATROSKA, _MILLISECOND, square=True),
    # browsers show a frame of less than 20 ms for 100 ms
    ".avi": VideoFormat("avi", "libx264", _H264, constant=True),
    ".gif": VideoFormat("gif", "gif", tick=Fraction(1, 100), gap=2, square=True),
}
"""By suffix."""

_ANY_CLOCK = Fraction(1, 720_000)
"""All frame rates in use, their 1000/1001, milliseconds and 90 kHz are whole numbers of these."""
_FINEST_CLOCK = 10**9
_USUAL_RATE = Fraction(30)
_THREADS = 4
"""Not by the number of processors, so that every machine writes the same bytes."""


@contextmanager
def encoding_errors(path: Path) -> Iterator[None]:
    """What the system or FFmpeg raises while the video `path` is written, as an `OutputError`."""
    try:
        yield
    except VisError:
        raise
    except OSError as error:
        raise output_error(error, path) from error
    except av.FFmpegError as error:
        # a full disk may come from FFmpeg too, by its number
        fault = OSError(error.errno, error.strerror or str(error))
        raise output_error(fault, path, _REFUSED) from error


class VideoFile:
    """A video file that can be played at any time, up to the last few frames.

    Args:
        part: the file to write; its suffix is a key of `VIDEO_FORMATS`.
        size: width and height of every frame.
        first: time of the first frame in seconds.
        info: the source's, if known.
        quality: which of the encoder's settings.
        audio: sound to copy along; closed with the video.
    """

    def __init__(
        self,
        part: Path,
        *,
        size: tuple[int, int],
        first: Fraction,
        info: VideoInfo | None,
        quality: Quality,
        audio: AudioCopy | None,
    ) -> None:
        self._format = video_format = VIDEO_FORMATS[part.suffix.lower()]
        self.padded = bool(video_format.encoder) and any(side % 2 for side in size)
        # not every container knows times before 0; those of the sound move along
        self._shift = -first if video_format.constant else max(-first, Fraction(0))
        rate = ((info and info.frame_rate) or _USUAL_RATE).limit_denominator(10**6)
        self._tick = video_format.tick or (
            1 / rate if video_format.constant else _clock(info, first)
        )
        self._step = max(1, round(1 / rate / self._tick))
        self._last: int | None = None
        self._has_warned = False
        self._audio = audio
        options = muxer_options(video_format, self._tick, audio)
        # "file:" makes any name a name; Python's own files would lose a Ctrl-C inside a write
        self._container = av.open(
            f"file:{part}", "w", format=video_format.container, container_options=options
        )
        self._stream = self._add_stream(size, rate, video_format.encoder.get(quality, {}))
        self._paint = self._prepare_colour(size, info)
        if audio is not None:
            audio.attach(self._container, first=first, shift=self._shift)
        self._container.start_encoding()
        self._track = PictureTrack(self._container, audio, self._shift)
        if self._shift > 0:
            _warn(f"{part.name}: the video begins {-float(first):.3f} s before time 0; moved there")

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Encode one frame, of the first one's size and later than all before."""
        ticks = round((time + self._shift) / self._tick)
        if self._format.constant:
            ticks = self._next_place(ticks, time)
        if not self._fits(ticks, time):
            return
        picture = self._paint(even(pixels) if self.padded else pixels)
        picture.pts, picture.time_base, picture.duration = ticks, self._tick, self._step
        # lazy, so that the track calls the encoder: Ctrl-C in between would lose what it returned
        self._track.add(chain.from_iterable(map(self._stream.encode, (picture,))))

    def close(self) -> None:
        """Write what the encoder holds back, the sound up to the end, and the index."""
        try:
            if self._last is not None:
                self._track.add(self._stream.encode(None))
                # AVI would count empty packets behind the last frame as frames
                steps = 1 if self._format.constant else self._step
                self._track.close(steps * self._tick)
        finally:
            try:
                self._container.close()
            finally:
                if self._audio is not None:
                    self._audio.close()

    def _add_stream(
        self, size: tuple[int, int], rate: Fraction, options: Mapping[str, str]
    ) -> VideoStream:
        width, height = (side + side % 2 for side in size) if self.padded else size
        stream = self._container.add_stream(self._format.codec, rate=rate, options=dict(options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = width, height
        context.time_base = self._tick
        context.thread_count = _THREADS
        return stream

    def _prepare_colour(self, size: tuple[int, int], info: VideoInfo | None) -> Yuv420 | Palette:
        """State colour and pixel shape in the stream, and build what converts to them."""
        context = self._stream.codec_context
        if info is not None and info.pixel_aspect != 1:
            context.sample_aspect_ratio = info.pixel_aspect.limit_denominator(1000)
            if self._format.square:
                _warn(
                    f"{self._format.container} has square pixels, these are {info.pixel_aspect} : 1"
                )
        if not self._format.encoder:
            context.pix_fmt = Palette.pixel_format
            context.flags |= Flags.frame_duration  # or its last frame would last 1/30 s
            return Palette(*size)
        colour = stated_colour(info)
        context.pix_fmt = Yuv420.pixel_format
        context.colorspace, context.color_range = colour.matrix, ColorRange.MPEG
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        return Yuv420(colour.matrix)

    def _fits(self, ticks: int, time: Fraction) -> bool:
        """Take the time of a frame, unless the container cannot tell it from the last one's."""
        if self._last is not None:
            if ticks - self._last < self._format.gap:
                self._warn_too_close(time)
                return False
            self._step = ticks - self._last
        self._last = ticks
        return True

    def _next_place(self, ticks: int, time: Fraction) -> int:
        """The place of a frame among those of a constant rate: the nearest that is free."""
        if self._last is not None:
            ticks = max(ticks, self._last + 1)
        if abs(ticks * self._tick - self._shift - time) > _MILLISECOND and not self._has_warned:
            self._has_warned = True
            rate = f"{float(1 / self._tick):g} frames per second"
            what = f"{self._format.container} keeps {rate} and no times; every frame is written"
            _warn(
                f"{what}, the first moved one is that of {float(time):.3f} s. An .mkv keeps times"
            )
        return ticks

    def _warn_too_close(self, time: Fraction) -> None:
        if not self._has_warned:
            self._has_warned = True
            least = float(self._format.gap * self._tick * 1000)
            what = f"{self._format.container} keeps frames {least:g} ms apart"
            _warn(f"{what}; closer ones are left out, the first at {float(time):.3f} s")


def _clock(info: VideoInfo | None, first: Fraction) -> Fraction:
    """The source's clock, where the frames keep to it and the containers can."""
    if info is not None:
        tick = info.time_base
        if tick.denominator <= _FINEST_CLOCK and (first / tick).denominator == 1:
            return tick
    return _ANY_CLOCK


def muxer_options(
    video_format: VideoFormat, tick: Fraction, audio: AudioCopy | None
) -> dict[str, str]:
    """What FFmpeg's muxer is told, for a video on the clock `tick` (seconds)."""
    options = dict(video_format.muxer)
    if video_format.tick is not None or video_format.constant:
        return options
    # MP4 states on this clock when each stream starts: one that has all starts exactly
    clock = math.lcm(tick.denominator, 1000, *(audio.rates if audio is not None else ()))
    return options | {"movie_timescale": str(clock if clock < 2**31 else tick.denominator)}


def _warn(text: str) -> None:
    warnings.warn(text, VisWarning, stacklevel=5)
