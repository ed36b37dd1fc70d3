"""Any video as an iterator of frames with exact times, decoded ahead in a bounded thread."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np

from vis.errors import DamageWarning, UsageError, VideoError
from vis.ops.pictures import SUFFIXES
from vis.records import Frame, Pixels, VideoInfo
from vis.video import limits
from vis.video.access import FileAccess
from vis.video.ahead import Ahead
from vis.video.animation import open_animation
from vis.video.file_source import FileSource
from vis.video.live import PATIENT, URL_SCHEMES, LiveSettings, LiveSource
from vis.video.pictures import PictureFiles, PicturesSource, find_pictures
from vis.video.pipe import STANDARD_INPUT, PipeSource
from vis.video.pool import Pool

if TYPE_CHECKING:
    from types import TracebackType

    from vis.video.damage import ReadReport

Backend = Literal["av", "decord", "torchcodec"]
_USUAL_RATE = Fraction(25)
"""Of pictures without stated times."""
_ANIMATIONS = frozenset({".apng"})
"""Endings of picture files that are looked into only where they are the source themselves."""


class Source(Protocol):
    """What a backend gives to the reader."""

    info: VideoInfo

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far."""

    def frames(self) -> Iterator[Frame]:
        """Frames in order; one pass; frees everything at its end."""

    def close(self) -> None:
        """Free everything."""


class Access(Protocol):
    """Frames in any order."""

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Presentation time of every frame in seconds."""

    def read(self, indices: Sequence[int]) -> Pixels:
        """`[n H W 3]`."""

    def close(self) -> None:
        """Free everything."""


def open_video(
    source: str | os.PathLike[str] | int | Sequence[Path],
    *,
    backend: Backend = "av",
    strict: bool = False,
    ahead: int = 8,
    frame_rate: Fraction | float | None = None,
    threads: int = 0,
    live: LiveSettings = PATIENT,
) -> VideoReader:
    """Open a video for reading; its first frame is decoded at once, so that `info` is the truth.

    Args:
        source: a video file, a folder or glob of pictures (natural order), a list of pictures, an
            animated GIF, PNG, WebP or AVIF, a stack of TIFF, a camera number, an rtsp/http URL,
            or `-` for what comes in by standard input.
        backend: who decodes files: `av` (everything), `decord` or `torchcodec` (refused where they
            are known to return wrong frames).
        strict: raise at the first sign of damage instead of warning at the end.
        ahead: frames decoded ahead of the reader; at most 64 and 256 MiB of them.
        frame_rate: frames per second of pictures without stated times; 25 if not given.
        threads: decoding threads; 0 lets the decoder choose.
        live: patience with cameras and URLs.

    Raises:
        InputError: the source is missing, empty or cannot be reached.
        VideoError: it is no video of a kind that is opened here, or beyond the size limits.
        DeviceError: the backend is not installed.
        UsageError: an argument is wrong, or the backend is not right for this file.
    """
    if ahead < 1 or (frame_rate is not None and frame_rate <= 0):
        raise UsageError("ahead and frame_rate must be positive", remedy="Leave them out")
    rate = None if frame_rate is None else Fraction(frame_rate).limit_denominator(1_000_000)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _open_pictures(str(source[0].parent), source, rate, strict=strict, ahead=ahead)
    name = str(source) if isinstance(source, int) else os.fspath(source)
    # a file may be called 0; a camera of that number is then given as an int
    if isinstance(source, int) or (name.isdecimal() and not Path(name).exists()):
        camera = LiveSource(f"camera {name}", settings=live, camera=int(name), strict=strict)
        return VideoReader(camera, ahead=ahead, drop_oldest=True)
    if name == STANDARD_INPUT:
        return VideoReader(PipeSource(strict=strict, threads=threads), ahead=ahead)
    if name.lower().startswith(URL_SCHEMES):
        stream = LiveSource(name, settings=live, strict=strict)
        return VideoReader(stream, ahead=ahead, drop_oldest=True)
    files = _pictures(name)
    if files:
        return _open_pictures(name, files, rate, strict=strict, ahead=ahead)
    if backend != "av":
        return _open_with(backend, name, strict=strict, ahead=ahead)
    file = FileSource(name, strict=strict, threads=threads)
    size, upright = (file.info.width, file.info.height), file.orientation

    def access() -> Access:
        return FileAccess(name, size, upright, threads=threads)

    return VideoReader(file, access=access, ahead=ahead)


class VideoReader(Iterator[Frame]):
    """Frames of a video in order, once; `open_video` makes one.

    Iterating runs a decoding thread that is at most a fixed number of frames ahead and stops when
    the reader is closed or dropped. What was lost is warned of after the last frame: see `report`.
    """

    def __init__(
        self,
        source: Source,
        *,
        ahead: int,
        access: Callable[[], Access] | None = None,
        drop_oldest: bool = False,
    ) -> None:
        self.info = source.info
        """What the source says of itself."""
        self._source, self._make_access, self._drop_oldest = source, access, drop_oldest
        self._access: Access | None = None
        width, height = self.info.width, self.info.height
        self._depth = limits.frames_ahead(ahead, width, height)
        self._pool_size = limits.frames_ahead(limits.MAX_FRAMES_AHEAD, width, height)
        self._ahead: Ahead[Frame] | None = None
        self._ended = False

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far; complete after the last frame."""
        return self._source.report

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Presentation time of every frame in seconds, by a scan of the file.

        Raises:
            UsageError: the source is live.
        """
        return self._in_any_order().times

    def clip(self, indices: Sequence[int]) -> Pixels:
        """Frames in any order, exact on every file; independent of the iteration.

        Args:
            indices: frame numbers from 0; repeats are fine.

        Returns:
            `[n H W 3]` uint8 RGB.

        Raises:
            UsageError: a number beyond the video, or a live source.
            VideoError: a frame that cannot be decoded.
        """
        return self._in_any_order().read(indices)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        if self._ended:
            raise StopIteration
        if self._ahead is None:
            frames = _copy_to_pool(self._source.frames(), self._pool_size)
            self._ahead = Ahead(frames, depth=self._depth, drop_oldest=self._drop_oldest)
        try:
            return next(self._ahead)
        except StopIteration:
            self._finish()
            raise
        except VideoError:
            self._ended = True
            raise

    def close(self) -> None:
        """Stop the decoding thread and free the file."""
        self._ended = True
        if self.info.live:
            self._source.close()  # wakes a thread that waits for the network
        if self._ahead is not None:
            self._ahead.close()
        else:
            self._source.close()
        if self._access is not None:
            self._access.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _finish(self) -> None:
        self._ended = True
        report = self.report
        if report.problems:
            warnings.warn(f"{self.info.name}: {report}", DamageWarning, stacklevel=3)

    def _in_any_order(self) -> Access:
        if self._make_access is None:
            raise UsageError(
                "a live source has no frames to go back to",
                where=self.info.name,
                remedy="Record it to a file first",
            )
        if self._access is None:
            self._access = self._make_access()
        return self._access


def _copy_to_pool(frames: Iterator[Frame], most: int) -> Iterator[Frame]:
    """Frames in memory that is used again; at most so many unused ones are kept."""
    pool = Pool(most)
    try:
        for frame in frames:
            pixels = pool.empty(frame.pixels.shape)
            np.copyto(pixels, frame.pixels)
            pooled_frame = replace(frame, pixels=pixels)
            del frame, pixels
            yield pooled_frame
            del pooled_frame
    finally:
        close = getattr(frames, "close", None)  # a generator frees its file here
        if close is not None:
            close()


def _pictures(name: str) -> list[Path]:
    """The picture files that the source names, or none where it is something else."""
    path = Path(name)
    if path.is_dir():
        return find_pictures(name)
    if path.is_file():
        return [path] if path.suffix.lower() in SUFFIXES | _ANIMATIONS else []
    return find_pictures(name) if any(sign in name for sign in "*?[") else []


def _open_pictures(
    name: str, files: Sequence[Path], rate: Fraction | None, *, strict: bool, ahead: int
) -> VideoReader:
    animation = open_animation(name, rate) if Path(name).is_file() else None
    if animation is None:
        pictures = PicturesSource(name, PictureFiles(files, rate or _USUAL_RATE), strict=strict)
        return VideoReader(pictures, access=lambda: pictures, ahead=ahead)

    def access() -> Access:
        # of its own: decoders of animations stand at one frame, and the reader's goes ahead
        again = open_animation(name, rate or _USUAL_RATE)
        assert again is not None
        return PicturesSource(name, again)

    return VideoReader(PicturesSource(name, animation, strict=strict), access=access, ahead=ahead)


def _open_with(backend: str, name: str, *, strict: bool, ahead: int) -> VideoReader:
    """Another library as the decoder; imported only when asked for."""
    from vis.video import other_backends

    source = other_backends.open_with(backend, name, strict=strict)
    return VideoReader(source, access=lambda: source, ahead=ahead)
