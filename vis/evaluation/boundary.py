"""The contour measure of DAVIS: how much of two outlines lies close to the other."""

from __future__ import annotations

from math import ceil, hypot
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

Mask = npt.NDArray[np.bool_]

TOLERANCE = 0.008
"""Of the picture's diagonal: how far apart two outlines may be."""


class Outline(NamedTuple):
    """The outline of a mask, and what lies close to it."""

    points: npt.NDArray[np.int64]
    """`[n 2]` rows and columns."""
    near: Mask
    """`[h w]` the part of the picture that holds every pixel close to the outline."""
    corner: tuple[int, int]
    """Row and column of the part's first pixel."""

    def share_near(self, other: Outline) -> float:
        """Share of these points that lie close to the other outline."""
        places = self.points - other.corner
        inside = ((places >= 0) & (places < other.near.shape)).all(axis=1)
        rows, columns = places[inside].T
        return float(other.near[rows, columns].sum() / len(self.points))


def outline(mask: Mask) -> Outline:
    """The outline of a mask `[H W]`: pixels unlike their right, lower or lower right neighbour.

    Close is within a disk of 0.8 % of the diagonal, rounded up to whole pixels.
    """
    reach = ceil(TOLERANCE * hypot(*mask.shape))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Outline(np.zeros((0, 2), np.int64), np.zeros((0, 0), np.bool_), (0, 0))
    top, left = max(0, rows[0] - 1 - reach), max(0, columns[0] - 1 - reach)
    part = mask[top : rows[-1] + 2 + reach, left : columns[-1] + 2 + reach]
    # beyond the last row and column the picture goes on as it ends
    wide = np.pad(part, ((0, 1), (0, 1)), mode="edge")
    here = wide[:-1, :-1]
    edge = (here != wide[:-1, 1:]) | (here != wide[1:, :-1]) | (here != wide[1:, 1:])
    corner = (int(top), int(left))
    if not edge.any():
        return Outline(np.zeros((0, 2), np.int64), np.zeros_like(edge), corner)
    near = distance_transform_edt(~edge) <= reach
    return Outline(np.argwhere(edge) + corner, near, corner)


def boundary_f(a: Outline, b: Outline) -> float:
    """F of two outlines, 0..1 (Perazzi et al., DAVIS, 2016, section 4.1); 1 if both are empty."""
    if not len(a.points) or not len(b.points):
        return float(len(a.points) == len(b.points))
    there, back = a.share_near(b), b.share_near(a)
    return 2 * there * back / (there + back) if there + back else 0.0
