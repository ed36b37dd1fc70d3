"""Outlines of everything that is drawn: arrays `[n 2]` of x to the right and y up."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]
Point = tuple[float, float]


@cache
def points(text: str) -> Curve:
    """Points written as in SVG: "x,y x,y ..."."""
    pairs = np.array([[float(number) for number in pair.split(",")] for pair in text.split()])
    pairs.setflags(write=False)
    return pairs


@cache
def outline(text: str) -> Curve:
    """Smooth closed curve through points written as in SVG; a point given twice makes a corner."""
    curve = smooth(points(text))
    curve.setflags(write=False)
    return curve


def smooth(knots: Curve, *, closed: bool = True, steps: int = 6) -> Curve:
    """Catmull-Rom curve through `knots`."""
    ends = (knots[-1:], knots[:2]) if closed else (knots[:1], knots[-1:])
    padded = np.concatenate((ends[0], knots, ends[1]))
    runs = np.stack((padded[:-3], padded[1:-2], padded[2:-1], padded[3:]))
    curve: Curve = np.einsum("sk,knd->nsd", _catmull_rom(steps), runs).reshape(-1, 2)
    return curve if closed else np.concatenate((curve, knots[-1:]))


def tube(centre: Curve | list[Point], widths: tuple[float, ...], steps: int = 5) -> Curve:
    """Outline of a bent limb with these half widths along it and round ends."""
    line = smooth(np.asarray(centre, float), closed=False, steps=steps)
    where = np.linspace(0, len(widths) - 1, len(line))
    width = np.interp(where, np.arange(len(widths)), widths)[:, None]
    along = np.empty_like(line)
    along[1:-1], along[0], along[-1] = line[2:] - line[:-2], line[1] - line[0], line[-1] - line[-2]
    along /= np.sqrt((along**2).sum(axis=1, keepdims=True)) + 1e-9
    across = along[:, ::-1] * (-1, 1) * width
    left, right = line + across, line - across
    start, end = _cap(left[0], right[0]), _cap(right[-1], left[-1])
    return np.concatenate((start, right, end, left[::-1]))


def stroke(centre: Curve | list[Point], half: float) -> Curve:
    """A line of even half width."""
    return tube(centre, (half, half), steps=3)


def ellipse(centre: Point, radii: Point, count: int = 24) -> Curve:
    """Outline of an ellipse."""
    angle = np.arange(count) * (2 * np.pi / count)
    curve: Curve = np.stack((np.cos(angle), np.sin(angle)), axis=1) * radii + centre
    return curve


def wavy(centre: Point, radii: Point, kind: int) -> Curve:
    """An ellipse with a wavy rim, another for each `kind`."""
    angle = np.arange(28) * (2 * np.pi / 28)
    wave = 1 + 0.16 * np.sin(3 * angle + kind) + 0.1 * np.sin(5 * angle + 2 * kind)
    rim = np.stack((wave * np.cos(angle), wave * np.sin(angle)), axis=1)
    curve: Curve = rim * radii + centre
    return curve


def turned(curve: Curve, angle: float, about: Point = (0.0, 0.0)) -> Curve:
    """`curve` turned anticlockwise by `angle` radians about a point."""
    c, s = np.cos(angle), np.sin(angle)
    placed: Curve = (curve - about) @ np.array([[c, s], [-s, c]]) + about
    return placed


def between(a: Point, b: Point, share: float) -> Point:
    """The point that lies this share of the way from `a` to `b`."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def joint(start: Point, end: Point, *, bones: tuple[float, float], bend: float) -> Point:
    """Knee of a limb of two bones; `bend` (1 or -1) is the side to which it points."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(dx, dy)) + 1e-9
    reach = min(length, sum(bones) * 0.999)
    along = (bones[0] ** 2 - bones[1] ** 2 + reach**2) / (2 * reach)
    off = bend * max(bones[0] ** 2 - along**2, 0.0) ** 0.5
    return start[0] + (dx * along - dy * off) / length, start[1] + (dy * along + dx * off) / length


def hull(cloud: list[Point]) -> Curve:
    """Convex hull, anticlockwise (Andrew's monotone chain)."""
    ordered = sorted(cloud)
    chains: list[list[Point]] = []
    for run in (ordered, ordered[::-1]):
        chain: list[Point] = []
        for point in run:
            while len(chain) > 1 and _turns_right(chain[-2], chain[-1], point):
                chain.pop()
            chain.append(point)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


@cache
def _catmull_rom(steps: int) -> Curve:
    """Weights `[steps 4]` of the four knots around a run of the curve."""
    t = np.arange(steps) / steps
    weights = (2 * t**2 - t**3 - t, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return np.stack(weights, axis=1) / 2


_HALF_TURN = np.linspace(0, np.pi, 6)[1:-1, None]


def _cap(start: Curve, end: Curve) -> Curve:
    """Half circle from `start` to `end` around the end of a limb."""
    centre, arm = (start + end) / 2, (start - end) / 2
    bulge = np.array((-arm[1], arm[0]))
    cap: Curve = centre + arm * np.cos(_HALF_TURN) + bulge * np.sin(_HALF_TURN)
    return cap


def _turns_right(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
