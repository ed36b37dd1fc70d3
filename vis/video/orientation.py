"""Making a picture upright: display matrices of videos and orientation tags of photographs."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vis.records import Pixels


@dataclass(frozen=True, slots=True)
class Orientation:
    """Clockwise quarter turns, then perhaps a mirror from left to right."""

    turns: int = 0
    mirrored: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise rotation that makes the picture upright."""
        return self.turns * 90

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (height, width) if self.turns % 2 else (width, height)

    def upright(self, pixels: Pixels) -> Pixels:
        """`[H W 3]` as stored to `[H' W' 3]` upright, contiguous."""
        turned = np.rot90(pixels, -self.turns) if self.turns else pixels
        mirrored = turned[:, ::-1] if self.mirrored else turned
        return np.ascontiguousarray(mirrored)


def from_display_matrix(matrix: bytes) -> Orientation:
    """The nearest of the eight orientations to a display matrix.

    Args:
        matrix: nine native 32-bit integers, row by row; the first two columns of the first two rows
            are 16.16 fixed point and map stored (x, y) to shown (x', y') (ISO/IEC 14496-12, 8.2.2).
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    # A mirrored matrix has a negative determinant; undo the mirror before reading the angle.
    mirrored = a * d - b * c < 0
    if mirrored:
        a, c = -a, -c
    turns = round(float(np.arctan2(b, a)) / (np.pi / 2)) % 4
    return Orientation(turns, mirrored)
