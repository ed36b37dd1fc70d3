"""Which picture files are opened, what Pillow raises at damaged ones, and which way is up."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageOps

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the files that are taken from a folder."""

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
"""Pillow's names of the kinds that are decoded, whatever a file's ending says."""

FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""SyntaxError is a slip of Pillow's PNG reader."""

SIDEWAYS = (5, 6, 7, 8)
"""Orientations of EXIF (2.32, 4.6.5) that exchange width and height."""


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height once the picture stands upright by its EXIF tag; reads the header alone."""
    width, height = picture.size
    return (height, width) if _orientation(picture) in SIDEWAYS else (width, height)


def as_recorded(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture upright where its record says so, else as it is stored.

    Browsers, in which people annotate, and `vis track` show pictures upright. A record whose sides
    are those of the stored picture alone speaks of that one.

    Args:
        picture: as opened.
        size: width and height that its record states.
    """
    if _orientation(picture) == 1 or upright_size(picture) != size:
        return picture
    return ImageOps.exif_transpose(picture)


def orientation_of(path: Path) -> int:
    """The EXIF orientation of a picture file, 1 to 8; reads the header alone.

    Raises:
        What `FAULTS` lists: it cannot be read.
    """
    with Image.open(path, formats=FORMATS) as picture:
        return _orientation(picture)


def as_stored(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Pixels `[H W ...]` of an upright picture as its file stores them, undoing its orientation."""
    if orientation in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    # what the orientation says of the first row and the first column (EXIF 2.32, 4.6.5)
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels


def _orientation(picture: Image.Image) -> int:
    # Pillow would decode a whole PNG picture to look for a tag behind the pixels
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except FAULTS:
        return 1
    return value if value in range(1, 9) else 1
