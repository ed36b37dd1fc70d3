"""What people draw in annotation tools: polygons, boxes, ellipses and painted pieces, as masks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vis.errors import MaskError
from vis.formats.box_only import box_mask
from vis.ops.polygons import rasterise
from vis.ops.rle import decode_box, encode
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import RLE

Painted = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Corner = tuple[int, int]

_CORNERS = 72
"""Of the polygon that stands for an ellipse: its area is 0.13 % less."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawn shape, in pixels."""

    kind: Literal["polygon", "box", "ellipse", "painted"]
    values: tuple[float, ...]
    """x, y of each point; of a box the left, top, right and lower edge; of an ellipse the centre
    and two radii; of what is painted the left and top edge."""
    degrees: float = 0.0
    """By which a box or an ellipse is turned clockwise about its centre."""
    painted: Painted | None = None
    """`[h w]` of what is painted."""

    def mask(self, height: int, width: int) -> RLE:
        """What the shape covers of a picture, by COCO's rule; the rest is cut off.

        Raises:
            DataError: a number is out of bounds, or the picture's size is, or it shows no part of
                a box.
        """
        if self.painted is not None:
            return pasted(self.painted, self.values, height, width)
        if self.kind == "box" and not self.degrees % 360:
            left, top, right, bottom = self.values
            return box_mask([left, top, right - left, bottom - top], height, width)
        return rasterise([self._outline()], height, width)

    def _outline(self) -> list[float]:
        if self.kind == "polygon":
            return list(self.values)
        a, b, c, d = self.values
        if self.kind == "box":
            x, y, half_width, half_height = (a + c) / 2, (b + d) / 2, (c - a) / 2, (d - b) / 2
            corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        else:
            x, y, half_width, half_height = a, b, c, d
            angles = [2 * math.pi * step / _CORNERS for step in range(_CORNERS)]
            corners = [(math.cos(angle), math.sin(angle)) for angle in angles]
        points = [
            turned(across * half_width, down * half_height, self.degrees)
            for across, down in corners
        ]
        return [value for right, below in points for value in (x + right, y + below)]


def turned(x: float, y: float, degrees: float) -> tuple[float, float]:
    """A vector turned clockwise, as pictures have y downwards."""
    if not degrees:
        return x, y
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return x * cosine - y * sine, x * sine + y * cosine


def between(first: Shape, second: Shape, share: float) -> Shape:
    """The shape at a share of the way; `first` where they are of different kinds.

    Each point of a polygon goes to the one that is as far along the other outline, as in CVAT: both
    begin at the same point of the object and go the same way round, with as many points as they
    like. What is painted stays as it is until it is painted anew, as there.
    """
    if first.kind != second.kind or first.kind == "painted" or not share:
        return first
    # the shorter way round
    turn = (second.degrees - first.degrees + 180) % 360 - 180
    start, end = np.array(first.values), np.array(second.values)
    if first.kind == "polygon":
        start, end = _paired(start.reshape(-1, 2), end.reshape(-1, 2))
    return replace(
        first,
        values=tuple((start + (end - start) * share).ravel().tolist()),
        degrees=first.degrees + turn * share,
    )


def _paired(first: Points, second: Points) -> tuple[Points, Points]:
    """Points of two closed outlines, `[P 2]` and `[Q 2]`, with a counterpart for each: `[R 2]`."""
    shares = _shares(first), _shares(second)
    forward, backward = _nearest(shares[0], shares[1]), _nearest(shares[1], shares[0])
    unmatched = np.setdiff1d(np.arange(len(second) + 1), forward)
    left = np.concatenate([np.arange(len(first) + 1), backward[unmatched]])
    right = np.concatenate([forward, unmatched])
    # the last pair closes the outline
    order = np.lexsort((right, left))[:-1]
    return first[left[order] % len(first)], second[right[order] % len(second)]


def _shares(points: Points) -> Points:
    """How far along the closed outline each point is, and the first again at its end: 0 ... 1."""
    lengths = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).cumsum()
    # an outline may be a single point
    return np.concatenate([[0.0], lengths / (lengths[-1] or 1.0)])


def _nearest(values: Points, others: Points) -> npt.NDArray[np.intp]:
    """The place of the nearest of the rising `others` to each value; of two, the first."""
    after = np.searchsorted(others, values).clip(1, len(others) - 1)
    before: npt.NDArray[np.intp] = after - 1
    return np.where(values - others[before] <= others[after] - values, before, after)


def pasted(painted: Painted, corner: Sequence[float], height: int, width: int) -> RLE:
    """A piece `[h w]` at (left, top) in a picture; what lies outside is cut off.

    Raises:
        MaskError: the picture's size is out of bounds, or the corner no number.
    """
    check_size(height, width)
    if not all(map(math.isfinite, corner)):
        raise MaskError("the corner of the mask is no number", remedy="Correct it.")
    left, top = (round(value) for value in corner)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + painted.shape[1], width), min(top + painted.shape[0], height)
    whole = np.zeros((height, width), np.bool_)
    if x0 < x1 and y0 < y1:
        whole[y0:y1, x0:x1] = painted[y0 - top : y1 - top, x0 - left : x1 - left]
    return encode(whole)


def outlines(mask: RLE) -> list[list[Corner]]:
    """The corners of each closed line along the pixels' edges, holes too; rasterised, the mask."""
    piece, (left, top, _, _) = decode_box(mask)
    steps = _steps(piece)
    lines = []
    while steps:
        start = point = next(iter(steps))
        corners: list[Corner] = []
        direction = (0, 0)
        while point in steps:
            # where two pixels touch at a corner, either way round gives the same mask
            end = steps[point].pop()
            if not steps[point]:
                del steps[point]
            new_direction = (np.sign(end[0] - point[0]), np.sign(end[1] - point[1]))
            if new_direction != direction:
                corners.append((point[0] + left, point[1] + top))
            direction, point = new_direction, end
            if point == start:
                break
        lines.append(corners)
    return lines


def one_line(lines: Sequence[Sequence[Corner]]) -> list[Corner]:
    """Several closed lines as one: a way there and back joins them, which covers no pixel."""
    first, *others = lines
    joined = list(first)
    for line in others:
        joined += [first[0], *line, line[0]]
    return joined


def _steps(piece: Painted) -> dict[Corner, list[Corner]]:
    """Edges between a pixel of the mask and one outside, with the mask to the right of each."""
    framed = np.pad(piece, 1).astype(np.int8)
    down, across = np.diff(framed, axis=0), np.diff(framed, axis=1)
    steps: dict[Corner, list[Corner]] = {}
    for y, x in np.argwhere(down[:, 1:-1]).tolist():
        begins = down[y, x + 1] > 0
        a, b = ((x, y), (x + 1, y)) if begins else ((x + 1, y), (x, y))
        steps.setdefault(a, []).append(b)
    for y, x in np.argwhere(across[1:-1]).tolist():
        begins = across[y + 1, x] > 0
        a, b = ((x, y + 1), (x, y)) if begins else ((x, y), (x, y + 1))
        steps.setdefault(a, []).append(b)
    return steps
