"""Picture files of several frames as videos: animated PNG and WebP, and stacks of TIFF."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from vis.errors import VideoError, VisWarning
from vis.ops.pictures import FAULTS
from vis.video.animation_chunks import StatedFrames, stated_frames
from vis.video.pictures import decoding_errors, upright_pixels

if TYPE_CHECKING:
    from vis.records import Pixels

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Its first bytes, and those of BigTIFF, in both orders."""
_SUBFILE = 254
"""TIFF 6.0, NewSubfileType: bit 0 marks a smaller copy of another page."""


def open_animation(path: str, frame_rate: Fraction | None) -> Animation | None:
    """A file that holds more than one frame, or None where it is a single picture.

    Args:
        path: a file.
        frame_rate: frames per second of a stack of TIFF, which states no times; None for 25, with a
            warning.

    Raises:
        VideoError: it is damaged from its first frame on.
    """
    stated = stated_frames(path)
    if stated is not None:
        return Animation(path, stated)
    with Path(path).open("rb") as file:
        if not file.read(4).startswith(_TIFF):
            return None
    pages = _pages_of_stack(path)
    if pages < 2:
        return None
    if frame_rate is None:
        what = f"{path}: a stack of {pages} pages states no times; read at 25 frames per second"
        warnings.warn(f"{what} (--frame-rate)", VisWarning, stacklevel=3)
    return Animation(path, StatedFrames("tiff", [1 / (frame_rate or Fraction(25))] * pages))


class Animation:
    """The frames of one picture file, decoded one at a time.

    Frames of PNG and WebP build on the one before: to go back is to start from the first.

    Args:
        path: the file; it stays open until `close`.
        stated: its frames.

    Raises:
        VideoError: it cannot be opened.
    """

    def __init__(self, path: str, stated: StatedFrames) -> None:
        self.kind, self._path, self._stated = stated.kind, path, stated
        self._broken = len(stated.durations)
        self._at = 0
        self._image = self._open()

    @property
    def frame_rate(self) -> Fraction:
        """The mean, in frames per second."""
        rate = len(self) / sum(self._stated.durations, Fraction(0))
        return rate.limit_denominator(1_000_000)

    @property
    def times(self) -> list[Fraction]:
        """When each frame is shown, in seconds."""
        return list(accumulate(self._stated.durations[:-1], initial=Fraction(0)))

    @property
    def missing(self) -> tuple[str, int] | None:
        """What the file lacks of its promise, and how many frames; complete from the start."""
        lost = self._stated.declared - len(self)
        if lost > 0:
            return f"the header declares {self._stated.declared} frames", lost
        if self.kind != "tiff" and not self._stated.whole:
            return "the file breaks off", 0
        return None

    def __len__(self) -> int:
        return len(self._stated.durations)

    def label(self, index: int) -> str:
        """What a frame is called in messages."""
        return f"frame {index}"

    def read(self, index: int) -> Pixels:
        """One frame, upright, `[H W 3]`.

        Raises:
            VideoError: damaged, or too large.
        """
        where = f"{self._path}: frame {index}"
        if index > self._broken:
            raise VideoError("a frame before it is damaged", where=where)
        if index < self._at:
            # Pillow 13 loses count of the chunks of a PNG that it rewinds
            self._image.close()
            self._image = self._open()
        self._at = index
        with decoding_errors(where):
            try:
                self._image.seek(index + self._stated.hidden)
                return upright_pixels(self._image, where)
            except FAULTS:
                if self.kind != "tiff":
                    self._broken = index
                raise

    def close(self) -> None:
        """Free the file."""
        self._image.close()

    def _open(self) -> Image.Image:
        """The file; of a WebP that is cut its whole frames, since the decoder would refuse all."""
        source: str | io.BytesIO = self._path
        if self.kind == "webp" and not self._stated.whole:
            data = bytearray(Path(self._path).read_bytes()[: self._stated.end])
            data[4:8] = (len(data) - 8).to_bytes(4, "little")
            source = io.BytesIO(data)
        with decoding_errors(self._path):
            return Image.open(source, formats=("PNG", "WEBP", "TIFF"))


def _pages_of_stack(path: str) -> int:
    """How many pages a TIFF has, if they are frames: of one size, and no smaller copies."""
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            pages, size = int(getattr(image, "n_frames", 1)), image.size
            if pages > 1:
                image.seek(1)
                tags = getattr(image, "tag_v2", {})
                if image.size != size or int(tags.get(_SUBFILE, 0)) & 1:
                    return 1
            return pages
    except FAULTS:
        return 1  # reading it as a picture tells what is wrong
