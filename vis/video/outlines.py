"""Smooth lines along the edge of an object."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from vis.ops.colours import RGB
    from vis.records import Pixels
    from vis.video.cutouts import Cutout

THICKEST = 6
"""Pixels of a line, at most: the surroundings of a pixel are counted in a byte."""
RIM = 0.6
"""Opacity of the dark rim around lines."""
SHADE = 0.2
"""Brightness of the rim, as a share of the line's colour."""

_Bytes = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]


def outline(pixels: Pixels, cutout: Cutout, *, ink: RGB, thickness: int) -> None:
    """Draw a line on the inner edge of the object, and a dark rim outside, for any background.

    How many pixels around a pixel are inside tells how far it is from the edge; a table turns that
    into how much the line and its rim cover it. Reaches `thickness + 1` pixels beyond the object.
    """
    reach = thickness + 1
    height, width = pixels.shape[:2]
    inside = np.pad(cutout.inside.view(np.uint8), 2 * reach)
    fullness = _fullness(inside, reach)
    rows, top = _overlap(cutout.y - reach, fullness.shape[0], height)
    columns, left = _overlap(cutout.x - reach, fullness.shape[1], width)
    fullness = fullness[rows, columns]
    inside = inside[reach:-reach, reach:-reach][rows, columns]
    profile = _profile(thickness)
    band = np.flatnonzero(profile.touches(inside, fullness))
    code = inside.take(band) * profile.step + fullness.take(band)
    # Flat indices: several times as fast as pairs of row and column.
    row, column = np.divmod(band, fullness.shape[1])
    place = (row + top) * width + column + left
    keep, gain = profile.keep.take(code)[:, None], profile.gain.take(code)[:, None]
    flat = pixels.reshape(-1, 3)
    flat[place] = flat.take(place, axis=0) * keep + (gain * np.array(ink, np.float32) + 0.5)


class _Profile(NamedTuple):
    """What a line does to a pixel, by `inside * step + fullness`."""

    keep: _Floats
    """How much of the pixel stays, 0..1."""
    gain: _Floats
    """How much of the line's colour is added, 0..1."""
    step: np.int16
    emptiest: int
    """Outside, a pixel with less around it is not touched."""
    fullest: int
    """Inside, a pixel with more around it is not touched."""

    def touches(self, inside: _Bytes, fullness: _Bytes) -> npt.NDArray[np.bool_]:
        solid = inside.view(np.bool_)
        return (solid | (fullness >= self.emptiest)) & (~solid | (fullness <= self.fullest))


@cache
def _profile(thickness: int) -> _Profile:
    side = 2 * thickness + 3
    fullness = np.arange(side**2 + 1) / side**2
    depth = (fullness - 0.5) * side  # pixels below a straight edge, which lies at 0
    # Around thin parts and in narrow gaps the count misleads: there the mask itself decides.
    depth = np.stack([np.minimum(depth, -0.2), np.maximum(depth, 0.5)])
    line = np.minimum(depth + 0.75, thickness + 0.75 - depth).clip(0, 1)
    rim = np.where(depth < thickness, (depth + 1.75).clip(0, 1) * RIM, 0)
    keep = ((1 - line) * (1 - rim)).astype(np.float32)
    gain = (line + (1 - line) * rim * SHADE).astype(np.float32)
    emptiest, fullest = np.flatnonzero(keep[0] < 1)[0], np.flatnonzero(keep[1] < 1)[-1]
    return _Profile(keep, gain, np.int16(len(fullness)), int(emptiest), int(fullest))


def _fullness(inside: _Bytes, reach: int) -> _Bytes:
    """`[h w]` -> `[h - 2 reach, w - 2 reach]`: how many pixels within `reach` are inside."""
    height, width = inside.shape[0] - 2 * reach, inside.shape[1] - 2 * reach
    column = inside[:height].copy()
    for n in range(1, 2 * reach + 1):
        column += inside[n : n + height]
    square = column[:, :width].copy()
    for n in range(1, 2 * reach + 1):
        square += column[:, n : n + width]
    return square


def _overlap(start: int, length: int, limit: int) -> tuple[slice, int]:
    """The part of `length` cells from `start` that is within 0..`limit`, and where it begins."""
    return slice(max(0, -start), min(length, limit - start)), max(0, start)
