"""Frames into a folder of numbered PNGs and a `times.json`, valid after every frame."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from PIL import Image

from vis.storage.append_only_file import write_all
from vis.video.pictures import TIMES

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from vis.records import Pixels

PICTURE_NAMES = re.compile(r"\d{6,}\.png(\.part)?|times\.json(\.part)?")
"""Files of such a folder, which may be deleted to make room for new ones."""
_OPENING, _CLOSING = b'{"times": [', b"\n]}\n"


class PictureFolder:
    """Lossless pictures `000000.png`, `000001.png`, ... and their exact times.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._times = folder / TIMES
        self._times.write_bytes(_OPENING + _CLOSING)

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Add one picture; picture and time appear together, as nearly as a file system can."""
        path = self._folder / f"{self._count:06d}.png"
        part = path.with_name(path.name + ".part")
        with part.open("xb") as file:
            Image.fromarray(pixels).save(file, "PNG", compress_level=1)
        self._add_time(time)
        part.rename(path)
        self._count += 1

    def close(self) -> None:
        """Nothing is held back."""

    def _add_time(self, time: Fraction) -> None:
        """Overwrite the closing brackets, so that the file is whole again after one write."""
        comma = b",\n" if self._count else b"\n"
        entry = f"[{time.numerator}, {time.denominator}]".encode()
        with self._times.open("rb+", buffering=0) as file:
            end = file.seek(-len(_CLOSING), os.SEEK_END)
            try:
                write_all(file, comma + entry + _CLOSING)
            except OSError:  # the disk is full: what fitted before fits again
                file.truncate(end)
                file.seek(end)
                file.write(_CLOSING)
                raise
