"""A folder, a glob or a list of picture files as a video, in natural order."""

from __future__ import annotations

import glob
import json
import warnings
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image, ImageOps

from vis.errors import DataError, InputError, VideoError, VisWarning
from vis.ops.natural import natural
from vis.ops.pictures import FAULTS, FORMATS, SUFFIXES
from vis.records import Frame, Pixels, VideoInfo
from vis.video import limits
from vis.video.access import check_indices
from vis.video.damage import PacketAccounting, ReadReport
from vis.video.pixels import fit_into

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIMES = "times.json"
"""Beside the pictures: `{"times": [[numerator, denominator], ...]}` in seconds."""


def find_pictures(source: str) -> list[Path]:
    """The picture files of a folder or glob, in natural order.

    Raises:
        InputError: there are none.
    """
    folder = Path(source)
    if folder.is_dir():
        # macOS puts a hidden `._0.jpg`, which is no picture, beside each one on foreign disks
        candidates = [path for path in folder.iterdir() if not path.name.startswith(".")]
    else:
        candidates = [Path(path) for path in glob.glob(source)]  # noqa: PTH207
    pictures = [path for path in candidates if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not pictures:
        suffixes = " ".join(sorted(SUFFIXES))
        raise InputError(f"no pictures ({suffixes}) there", where=source, remedy="Check the path")
    return sorted(pictures, key=lambda path: natural(str(path)))


class Pages(Protocol):
    """The pictures of a source, each by its number."""

    kind: str
    """Of files, as `VideoInfo.codec`."""

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, in the mean."""

    @property
    def times(self) -> list[Fraction]:
        """When each is shown, in seconds."""

    @property
    def missing(self) -> tuple[str, int] | None:
        """What is lacking of what was promised, and how many pictures."""

    def __len__(self) -> int:
        """How many there are."""

    def label(self, index: int) -> str:
        """What one is called in messages."""

    def read(self, index: int) -> Pixels:
        """`[H W 3]`, upright."""

    def close(self) -> None:
        """Free everything."""


class PictureFiles:
    """Picture files, one a frame.

    Args:
        files: in order.
        frame_rate: frames per second, where no `times.json` lies beside them.

    Raises:
        DataError: what lies beside them does not fit.
    """

    missing: tuple[str, int] | None = None

    def __init__(self, files: Sequence[Path], frame_rate: Fraction) -> None:
        self._files = list(files)
        self.kind = self._files[0].suffix.lstrip(".").lower()
        self.frame_rate = frame_rate
        self.times = _times(self._files) or [
            index / frame_rate for index in range(len(self._files))
        ]

    def __len__(self) -> int:
        return len(self._files)

    def label(self, index: int) -> str:
        """The name of the file."""
        return self._files[index].name

    def read(self, index: int) -> Pixels:
        """One picture; see `read_picture`."""
        return read_picture(self._files[index])

    def close(self) -> None:
        """Nothing is held open."""


class PicturesSource:
    """Pictures as a source: one pass in order, or any order by `read`.

    Args:
        name: the source as the user named it.
        pages: its pictures; closed with the source, and after a pass.
        strict: raise at the first unreadable picture.

    Raises:
        VideoError: the first readable picture is too large, or none is readable.
    """

    def __init__(self, name: str, pages: Pages, *, strict: bool = False) -> None:
        self._pages = pages
        self._accounting = PacketAccounting(name, strict, timed=False)
        self._stamps = pages.times
        first = self._first()
        ticks = np.lcm.reduce([time.denominator for time in self._stamps], dtype=object)
        lost = pages.missing[1] if pages.missing is not None else 0
        self.info = VideoInfo(
            name=name,
            width=first.shape[1],
            height=first.shape[0],
            # a common clock that containers can state, else that of MPEG
            time_base=Fraction(1, int(ticks)) if ticks <= 1_000_000 else Fraction(1, 90_000),
            frame_rate=pages.frame_rate,
            frames=len(pages) + lost,
            duration=self._stamps[-1] + 1 / pages.frame_rate,
            container="pictures",
            codec=pages.kind,
            pixel_format="rgb24",
        )

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far; complete once `frames` has ended."""
        return self._accounting.report(self.info.frames)

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Presentation time of every picture in seconds."""
        return tuple(self._stamps)

    def frames(self) -> Iterator[Frame]:
        """Every readable picture, in order; an unreadable one leaves a gap."""
        try:
            for index, time in enumerate(self._stamps):
                try:
                    pixels = self._pages.read(index)
                except DataError as error:
                    self._accounting.add_problem(str(error).rstrip("."), time, lost=1)
                    continue
                self._accounting.decoded += 1
                if pixels.shape[:2] != (self.info.height, self.info.width):
                    size = f"{pixels.shape[1]} x {pixels.shape[0]}"
                    what = f"{self._pages.label(index)} is {size}, unlike the first"
                    self._accounting.add_problem(what, time)
                yield Frame(index, time, fit_into(pixels, self.info.width, self.info.height))
            if self._pages.missing is not None:
                what, lost = self._pages.missing
                self._accounting.add_problem(what, lost=lost)
        finally:
            self.close()

    def read(self, indices: Sequence[int]) -> Pixels:
        """`[n H W 3]`, picture `indices[i]` at place i.

        Raises:
            UsageError: an index beyond the pictures.
            VideoError: a picture that cannot be decoded.
        """
        check_indices(indices, len(self._pages), self.info.name)
        size = self.info.width, self.info.height
        out = np.empty((len(indices), size[1], size[0], 3), np.uint8)
        for index in sorted(set(indices)):  # forwards, as animations are decoded
            out[[i == index for i in indices]] = fit_into(self._pages.read(index), *size)
        return out

    def close(self) -> None:
        """Free the pictures' files."""
        self._pages.close()

    def _first(self) -> Pixels:
        """The first readable picture; it sets the size."""
        errors = []
        for index in range(len(self._pages)):
            try:
                return self._pages.read(index)
            except DataError as error:
                errors.append(error)
        raise VideoError(
            f"not one of {len(errors)} pictures can be decoded; {errors[0]}",
            where=self._accounting.name,
            remedy="Copy or download them again",
        )


def read_picture(path: Path) -> Pixels:
    """One picture, upright by its EXIF tag, `[H W 3]`; of an animation, with a warning, the first.

    Raises:
        VideoError: damaged, of a kind that is not opened, or too large.
    """
    # Pillow's other formats are ways in for crafted files; its own bomb limit is 179 megapixels
    with decoding_errors(str(path)), Image.open(path, formats=FORMATS) as image:
        # further pages of TIFF are as a rule smaller copies, those of JPEG views for two eyes
        if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
            what = "an animation among pictures; its first frame is read"
            warnings.warn(f"{path}: {what}", VisWarning, stacklevel=2)
        return upright_pixels(image, str(path))


@contextmanager
def decoding_errors(where: str) -> Iterator[None]:
    """What Pillow raises at a damaged picture, as a `VideoError`."""
    try:
        yield
    except VideoError:
        raise
    except FAULTS as error:
        raise VideoError(
            f"the picture cannot be decoded ({error})",
            where=where,
            remedy="Copy or download it again",
        ) from error


def upright_pixels(image: Image.Image, where: str) -> Pixels:
    """The frame at which an image stands, upright by its EXIF tag, `[H W 3]`.

    Raises:
        VideoError: too large.
    """
    limits.check_size(*image.size, where=where)
    # telephones store pictures as the sensor lies and turn them by this tag alone
    upright = ImageOps.exif_transpose(_eight_bit(image))
    return np.array(upright.convert("RGB"))


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits by its high byte; Pillow alone would cut at 255."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def _times(pictures: Sequence[Path]) -> list[Fraction] | None:
    """The times that lie beside the pictures, if they do and are as many."""
    path = pictures[0].parent / TIMES
    if not path.is_file():
        return None
    try:
        pairs = json.loads(path.read_bytes())["times"]
        times = [Fraction(int(numerator), int(denominator)) for numerator, denominator in pairs]
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DataError(
            f"not a list of times ({error})", where=str(path), remedy="Delete it"
        ) from error
    ascending = all(a < b for a, b in pairwise(times))
    if len(times) != len(pictures) or not ascending:
        raise DataError(
            f"{len(times)} times for {len(pictures)} pictures, or times that do not rise",
            where=str(path),
            remedy="Delete it to read at a fixed rate",
        )
    return times
