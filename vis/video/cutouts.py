"""Masks of any resolution -> their pixels in the frame, cropped before they are enlarged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Mask = npt.NDArray[np.bool_] | npt.NDArray[np.float32]
"""`[h w]` bool, or probabilities (inside is > 0.5)."""
Box = tuple[int, int, int, int]
"""xyxy in pixels: the first column and row, and those after the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """The pixels of one object in the frame; all other pixels are outside of it."""

    x: int
    """Column of the frame where the crop begins."""
    y: int
    """Row of the frame where the crop begins."""
    inside: npt.NDArray[np.bool_]
    """`[h w]`, tight: the first and last row and column hold a pixel of the object."""

    @property
    def box(self) -> Box:
        """Where the crop lies in the frame."""
        height, width = self.inside.shape
        return self.x, self.y, self.x + width, self.y + height


def cut(mask: Mask, width: int, height: int) -> Cutout | None:
    """The pixels of `mask` in a frame of `width` x `height`; None where there are none.

    A mask of the frame's size is taken as it is. Another one lies over the whole frame, its values
    at the centres of its cells: it is resampled bilinearly (smoothed, where it has more cells than
    the frame has pixels), and what is then above 0.5 is inside.
    """
    bounds = _bounds(_solid(mask))
    if bounds is None:
        return None
    if mask.shape == (height, width):
        rows, columns = bounds
        return Cutout(columns.start, rows.start, _solid(mask[rows, columns]))
    return _resample(mask, bounds, width, height)


def _resample(mask: Mask, bounds: tuple[slice, slice], width: int, height: int) -> Cutout | None:
    """Resample only the cells that can decide a pixel; the result equals that of the whole mask."""
    cell_rows, pixel_rows, top, bottom = _reach(bounds[0], mask.shape[0], height)
    cell_columns, pixel_columns, left, right = _reach(bounds[1], mask.shape[1], width)
    cells = Image.fromarray(np.ascontiguousarray(mask[cell_rows, cell_columns], np.float32))
    size = (pixel_columns.stop - pixel_columns.start, pixel_rows.stop - pixel_rows.start)
    box = (left, top, right, bottom)
    inside = np.asarray(cells.resize(size, Image.Resampling.BILINEAR, box)) > 0.5
    tight = _bounds(inside)
    if tight is None:
        return None
    x, y = pixel_columns.start + tight[1].start, pixel_rows.start + tight[0].start
    return Cutout(x, y, inside[tight])


def _reach(solid: slice, cells: int, pixels: int) -> tuple[slice, slice, float, float]:
    """Along one axis: the cells to read, the pixels to make, and where these lie in those cells."""
    scale = cells / pixels
    support = max(1.0, scale)  # cells to either side that weigh in a pixel
    first = max(0, math.floor((solid.start + 0.5 - support) / scale))
    last = min(pixels, math.ceil((solid.stop - 0.5 + support) / scale))
    start = max(0, math.floor(first * scale - support))
    stop = min(cells, math.ceil(last * scale + support))
    return slice(start, stop), slice(first, last), first * scale - start, last * scale - start


def _solid(mask: Mask) -> npt.NDArray[np.bool_]:
    return mask.view(np.bool_) if mask.dtype == np.bool_ else mask > 0.5


def _bounds(solid: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The tight rows and columns; None for an empty mask."""
    rows = np.flatnonzero(solid.any(axis=1))
    if not rows.size:
        return None
    span = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(solid[span].any(axis=0))
    return span, slice(int(columns[0]), int(columns[-1]) + 1)
