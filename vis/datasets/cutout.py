"""Pieces of pictures with their outline, and where an affine map puts them in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from vis.datasets.motion import Map
    from vis.records import Pixels

Mask = npt.NDArray[np.bool_]
Slices = tuple[slice, slice]
"""Rows and columns of a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An object by itself."""

    label: int
    """Class index."""
    pixels: Pixels
    """`[h w 3]`."""
    mask: Mask
    """`[h w]`."""


def warped_mask(
    mask: Mask, origin: tuple[int, int], to_mask: Map, size: tuple[int, int]
) -> tuple[Mask, Slices] | None:
    """What a frame shows of a mask `[h w]`, and where; None if nothing.

    Args:
        mask: the part inside its box.
        origin: x and y of the box's corner in the coordinates that `to_mask` leads to.
        to_mask: from the frame's coordinates.
        size: height and width of the frame.
    """
    where = _where(mask.shape[0], mask.shape[1], origin, to_mask, size)
    if where is None:
        return None
    # in pixels of 0 or 255, bilinear and cut at the middle: the edge is where it was, but smooth
    image = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return _warped(image, origin, to_mask, where) >= 128, where


def warped_pixels(pixels: Pixels, origin: tuple[int, int], to_pixels: Map, where: Slices) -> Pixels:
    """What the part `where` of a frame shows of pixels `[h w 3]`; black outside of them."""
    return _warped(Image.fromarray(pixels), origin, to_pixels, where)


def _where(
    height: int, width: int, origin: tuple[int, int], to_box: Map, size: tuple[int, int]
) -> Slices | None:
    """The smallest part of a frame that shows all of a box that it can."""
    x, y = origin
    corners = np.array([[x, x + width, x, x + width], [y, y, y + height, y + height]])
    # the map leads from the frame to the box; where the corners are seen is its inverse
    points = np.linalg.solve(to_box[:, :2], corners - to_box[:, 2:])
    left, top = np.floor(points.min(axis=1)).astype(int).clip(0)
    right, bottom = np.ceil(points.max(axis=1)).astype(int).clip(max=(size[1], size[0]))
    if left >= right or top >= bottom:
        return None
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _warped(
    image: Image.Image, origin: tuple[int, int], to_image: Map, where: Slices
) -> npt.NDArray[np.uint8]:
    rows, columns = where
    # Pillow maps pixels of the part, which begins at 0, to pixels of the image
    corner = np.array([columns.start, rows.start])
    offset = to_image[:, :2] @ corner + to_image[:, 2] - np.array(origin)
    numbers = tuple(np.hstack([to_image[:, :2], offset[:, None]]).ravel().tolist())
    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.array(
        image.transform(size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)
    )
