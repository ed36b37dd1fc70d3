"""The decoders decord and torchcodec, refused where they are known to return wrong frames.

Both are checked against our own scan of the packets: a file is opened only if they agree on the
number of frames, and times are always those of the scan.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import DeviceError, UsageError
from vis.records import Frame, Pixels, VideoInfo
from vis.video.access import FrameIndex, check_indices, scan
from vis.video.damage import PacketAccounting, ReadReport
from vis.video.decoder import open_file
from vis.video.file_source import FileSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

Fetch = Callable[[list[int]], "Pixels"]
"""Frame numbers -> `[n H W 3]`."""

_BATCH = 8
"""Frames fetched by one call into the library."""


def open_with(backend: str, path: str, *, strict: bool = False) -> LibrarySource:
    """A file decoded by `decord` or `torchcodec`.

    Raises:
        UsageError: an unknown backend, or a file that it is known to read wrongly.
        DeviceError: the library is not installed or cannot be loaded.
    """
    makers: dict[str, Callable[[str], tuple[Fetch, int]]] = {
        "decord": _decord,
        "torchcodec": _torchcodec,
    }
    if backend not in makers:
        raise UsageError(f"no backend {backend!r}", remedy="Take av, decord or torchcodec")
    first = FileSource(path)
    first.close()
    index = scan(path)
    reason = _wrong_on(backend, first.info, index)
    if reason:
        raise UsageError(
            f"{backend} returns wrong frames for {reason}", where=path, remedy="Take the backend av"
        )
    fetch, length = makers[backend](path)
    if length != len(index.stamps):
        raise UsageError(
            f"{backend} counts {length} frames, the file holds {len(index.stamps)}",
            where=path,
            remedy="Take the backend av",
        )
    return LibrarySource(path, first.info, index, fetch, strict=strict)


class LibrarySource:
    """A file read through another library, in order or in any order."""

    def __init__(
        self,
        path: str,
        info: VideoInfo,
        index: FrameIndex,
        fetch: Fetch,
        *,
        strict: bool,
    ) -> None:
        self.info = info
        self._index, self._fetch = index, fetch
        self._accounting = PacketAccounting(path, strict, timed=False)

    @property
    def report(self) -> ReadReport:
        """What was read so far; these libraries do not tell of damage."""
        return self._accounting.report(self.info.frames)

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Presentation time of every frame in seconds."""
        return tuple(stamp * self._index.tick for stamp in self._index.stamps)

    def frames(self) -> Iterator[Frame]:
        """Every frame, in order."""
        times = self.times
        for start in range(0, len(times), _BATCH):
            indices = list(range(start, min(start + _BATCH, len(times))))
            for index, pixels in zip(indices, self.read(indices), strict=True):
                self._accounting.decoded += 1
                yield Frame(index, times[index], pixels)

    def read(self, indices: Sequence[int]) -> Pixels:
        """`[n H W 3]`, frame `indices[i]` at place i.

        Raises:
            UsageError: an index beyond the video.
        """
        check_indices(indices, len(self._index.stamps), self.info.name)
        return self._fetch(list(indices))

    def close(self) -> None:
        """The library frees its file with this object."""


def _wrong_on(backend: str, info: VideoInfo, index: FrameIndex) -> str:
    """Why a file must not be read by this library, or nothing (measured on encoded videos)."""
    # decord begins with the second key frame of MPEG-TS and says nothing; torchcodec raises
    if info.container in ("mpegts", "mpeg"):
        return "MPEG streams"
    if not index.timed or info.container == "avi":
        return "containers that state no presentation times"
    if backend == "decord":
        # the FFmpeg of 2018 that decord carries cannot open them
        if info.codec in ("av1", "gif"):
            return f"the codec {info.codec}"
        if info.mirrored:
            return "mirrored pictures"
        # decord 0.6 returned 6 wrong frames of 108 there, without a word
        if _has_open_groups(info.name):
            return "open groups of pictures"
    return ""


def _has_open_groups(path: str) -> bool:
    """Whether some frame after a key frame in the file is shown before it."""
    container, stream = open_file(path)
    try:
        key: int | None = None
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            if packet.is_keyframe:
                key = packet.pts
            elif key is not None and packet.pts < key:
                return True
        return False
    finally:
        container.close()


def _decord(path: str) -> tuple[Fetch, int]:
    decord = _load("decord", "decord")
    reader = decord.VideoReader(path)

    def fetch(indices: list[int]) -> Pixels:
        frames: Pixels = reader.get_batch(indices).asnumpy()
        return frames

    return fetch, len(reader)


def _torchcodec(path: str) -> tuple[Fetch, int]:
    decoders = _load("torchcodec.decoders", "torchcodec")
    # exact: by the header alone (approximate), every frame of a variable rate was wrong
    decoder = decoders.VideoDecoder(path, dimension_order="NHWC", seek_mode="exact")

    def fetch(indices: list[int]) -> Pixels:
        frames: Pixels = decoder.get_frames_at(indices).data.numpy()
        return np.ascontiguousarray(frames)

    return fetch, len(decoder)


def _load(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        raise DeviceError(
            f"the library {name} cannot be loaded ({str(error).splitlines()[0]})",
            remedy=f"Install it (pip install 'vis-kit[{name}]') or take the backend av",
        ) from error
