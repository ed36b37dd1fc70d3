"""Which picture files are opened, and what Pillow raises where they are damaged."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

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
