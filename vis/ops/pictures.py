"""Which picture files are opened, what Pillow raises at damaged ones, and which way is up."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageOps

if TYPE_CHECKING:
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
    return (height, width) if orientation_of(picture) in SIDEWAYS else (width, height)


def as_recorded(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture upright where its record says so, else as it is stored.

    Browsers, in which people annotate, and `vis track` show pictures upright. A record whose sides
    are those of the stored picture alone speaks of that one.

    Args:
        picture: as opened.
        size: width and height that its record states.
    """
    if orientation_of(picture) == 1 or upright_size(picture) != size:
        return picture
    return ImageOps.exif_transpose(picture)


def as_upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Pixels `[H W ...]` of a stored picture as its orientation says that they stand."""
    # what the orientation says of the first row and the first column (EXIF 2.32, 4.6.5)
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation in SIDEWAYS else pixels


def as_stored(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Pixels `[H W ...]` of an upright picture as its file stores them: undoes `as_upright`."""
    # of the turns, those of a quarter alone are not their own opposites
    return as_upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, of a picture as opened; reads the header alone."""
    # Pillow would decode a whole PNG picture to look for a tag behind the pixels
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except FAULTS:
        return 1
    return value if value in range(1, 9) else 1
