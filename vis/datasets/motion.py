"""Smooth random motion, as affine maps from a frame's coordinates to those of what it shows.

Coordinates are x, y in pixels from the top left edge: the first pixel's centre is at 0.5, 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.datasets.config import Motion

Numbers = npt.NDArray[np.float64]
Map = npt.NDArray[np.float64]
"""`[2 3]`: a matrix and, in the last column, what is added."""

PASTED_SIDES = (0.15, 0.6)
"""Longer side of a pasted instance, as a share of the frame's shorter one."""
PASTED_GROWTH = (0.8, 1.25)
OUTSIDE = 0.2
"""How far a pasted instance's middle may leave the frame, as a share of its side."""


def camera(
    size: tuple[int, int], count: int, motion: Motion, random: np.random.Generator
) -> list[Map]:
    """A view of a picture of `size` (height, width) for each frame; it never leaves the picture.

    Frames have the picture's size, so a view of a part is enlarged.
    """
    half = np.array([size[1], size[0]]) / 2
    low = [motion.zoom[0], -motion.rotation, -motion.shear, 0, 0]
    high = [motion.zoom[1], motion.rotation, motion.shear, 1, 1]
    maps = []
    for zoom, angle, shear, x, y in path(low, high, count, motion.keyframes, random):
        matrix = zoom * _turned(angle) @ np.array([[1, shear], [0, 1]])
        extent = np.abs(matrix) @ half
        # a turned view reaches further; it is made smaller rather than show what is not there
        matrix = matrix * min(1.0, *(half / extent))
        room = half - np.abs(matrix) @ half
        centre = half + room * (2 * np.array([x, y]) - 1)
        maps.append(_about(matrix, half, centre))
    return maps


def paste_path(
    size: tuple[int, int],
    box: tuple[int, int],
    count: int,
    motion: Motion,
    random: np.random.Generator,
) -> list[Map]:
    """For each frame of `size`, where it shows a cutout of `box` (both height, width).

    The cutout may come in, leave, turn and grow.
    """
    share = random.uniform(*PASTED_SIDES) * min(size) / max(box)
    low = [PASTED_GROWTH[0], -motion.rotation, -OUTSIDE, -OUTSIDE]
    high = [PASTED_GROWTH[1], motion.rotation, 1 + OUTSIDE, 1 + OUTSIDE]
    sides, middle = np.array([size[1], size[0]]), np.array([box[1], box[0]]) / 2
    return [
        _about(_turned(-angle) / (share * growth), np.array([x, y]) * sides, middle)
        for growth, angle, x, y in path(low, high, count, motion.keyframes, random)
    ]


def path(
    low: Sequence[float],
    high: Sequence[float],
    count: int,
    keyframes: int,
    random: np.random.Generator,
) -> Numbers:
    """`[count D]`: from one random place within the bounds `[D]` to the next, without a jerk."""
    points = random.uniform(low, high, (max(1, keyframes), len(low)))
    at = np.linspace(0, len(points) - 1, count) if count > 1 else np.zeros(1)
    before = np.minimum(at.astype(int), len(points) - 1)
    after = np.minimum(before + 1, len(points) - 1)
    # half a cosine: the speed is 0 at each point, so that nothing jerks
    share = (0.5 - 0.5 * np.cos(np.pi * (at - before)))[:, None]
    values: Numbers = points[before] * (1 - share) + points[after] * share
    return values


def _about(matrix: Numbers, source: Numbers, target: Numbers) -> Map:
    """The map by `matrix` that brings the point `source` of the frame to the point `target`."""
    return np.hstack([matrix, (target - matrix @ source)[:, None]])


def _turned(degrees: float) -> Numbers:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])
