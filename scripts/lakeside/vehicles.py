"""Vans, cars, bicycles and sailing boats, facing right; the origin is on the ground."""

from __future__ import annotations

import numpy as np
from lakeside.outlines import (
    Curve,
    Point,
    between,
    ellipse,
    hull,
    outline,
    points,
    smooth,
    stroke,
    tube,
    turned,
)
from lakeside.painting import Colour, Pair, Shape, darker

GLASS: Colour = (46, 62, 78)
GLINT: Colour = (190, 214, 230, 80)
CHROME: Colour = (205, 208, 212)
RUBBER: Colour = (34, 33, 36)
GAP: Colour = (40, 20, 20, 130)

VAN_LENGTH, VAN_HEIGHT = 4.3, 2.0
CRANK: Point = (-0.08, 0.30)
TYRE = 0.34
"""Radius of a bicycle's wheel."""


def van(travelled: float, paints: Pair) -> list[Shape]:
    """A camper van, red below and cream above, say; its wheels have rolled `travelled` metres."""
    paint, second = paints
    body = outline(
        "-2.16,.34 -2.16,.34 -2.22,.8 -2.2,1.4 -2.1,1.82 -1.85,1.98 -1,2.03 .6,2.03 1.45,1.98"
        " 1.72,1.82 1.95,1.4 2.1,1.05 2.18,.7 2.14,.36 2.14,.36 1.9,.34 0,.34 -1.9,.34"
    )
    gaps = ("0.78,.4 .78,1.9", "-.14,.45 -.14,1.9", "-2.2,.62 2.15,.62")
    windows = ((-1.95, -1.15, 0.02), (-1.03, -0.2, 0.0), (-0.08, 0.72, 0.0), (0.84, 1.62, -0.22))
    return [
        *_roof_rack(),
        Shape(body, paint, 0.5),
        Shape(points("-2.4,1.13 -2.4,2.3 2.4,2.3 2.4,1.09 1.9,1.06 1.5,.98"), second),
        Shape(points("-2.4,.5 2.4,.5 2.4,.2 -2.4,.2"), (20, 16, 20, 70)),
        Shape(stroke(points("-2.3,1.13 1.55,.98 2.2,1.07"), 0.028), CHROME),
        *(Shape(stroke(points(gap), 0.011), GAP) for gap in gaps),
        *(Shape(ellipse((x, 0.4), (0.46, 0.46)), (18, 16, 18)) for x in (-1.32, 1.3)),
        *(shape for window in windows for shape in _window(*window)),
        Shape(stroke(points(".9,.98 1.1,.98"), 0.025), CHROME, 0.55),
        Shape(ellipse((2.03, 0.82), (0.075, 0.14)), (255, 246, 214), 0.55),
        Shape(ellipse((2.06, 0.6), (0.05, 0.05)), (250, 160, 50), 0.53),
        Shape(outline("-2.2,.7 -2.12,.7 -2.12,.98 -2.2,.98"), (200, 30, 30), 0.53),
        Shape(stroke(points("-2.26,.42 -2.1,.38"), 0.08), CHROME, 0.6),
        Shape(stroke(points("2,.38 2.24,.42"), 0.08), CHROME, 0.6),
        *(shape for x in (-1.32, 1.3) for shape in _wheel(x, 0.34, travelled)),
    ]


def car(travelled: float, paints: Pair) -> list[Shape]:
    """A small car; `second` is the colour of its roof."""
    paint, second = paints
    body = outline(
        "-1.78,.3 -1.78,.3 -1.86,.62 -1.78,.9 -1.5,.98 -1.2,1.3 -.8,1.46 .1,1.47 .55,1.3 .88,.98"
        " 1.35,.9 1.72,.78 1.84,.56 1.8,.3 1.8,.3 1.6,.3 0,.3 -1.6,.3"
    )
    rear = outline("-1.24,.98 -1.24,.98 -.98,1.28 -.72,1.35 -.38,1.36 -.38,1.36 -.4,.96 -.4,.96")
    front = outline("-.3,.96 -.3,.96 -.28,1.36 -.28,1.36 .08,1.35 .42,1.2 .64,.97 .64,.97")
    glints = ("-.85,.98 -.69,.98 -.45,1.33 -.6,1.33", "0,.98 .16,.98 .3,1.25 .16,1.32")
    gaps = ("-.34,.34 -.34,1.38", ".66,.95 .6,.4", "-1.8,.72 1.75,.66")
    return [
        Shape(body, paint, 0.45),
        Shape(outline("-1.3,1.32 -.8,1.7 .3,1.7 .6,1.3 .05,1.36 -.75,1.35"), second),
        Shape(points("-2,.44 2,.44 2,.2 -2,.2"), (15, 12, 16, 90)),
        *(Shape(stroke(points(gap), 0.011), GAP) for gap in gaps),
        *(Shape(pane, GLASS) for pane in (rear, front)),
        *(Shape(points(glint), GLINT) for glint in glints),
        *(Shape(ellipse((x, 0.34), (0.4, 0.42)), (16, 15, 17)) for x in (-1.15, 1.15)),
        Shape(stroke(points("-.22,.84 -.04,.84"), 0.022), CHROME, 0.5),
        Shape(ellipse((1.66, 0.68), (0.09, 0.09)), (255, 248, 220), 0.5),
        Shape(ellipse((-1.77, 0.76), (0.05, 0.1)), (205, 28, 28), 0.48),
        Shape(stroke(points("1.6,.38 1.86,.42"), 0.055), CHROME, 0.52),
        Shape(stroke(points("-1.86,.42 -1.65,.38"), 0.055), CHROME, 0.52),
        *(shape for x in (-1.15, 1.15) for shape in _wheel(x, 0.31, travelled)),
    ]


def bicycle(travelled: float, paint: Colour) -> list[Shape]:
    """A bicycle; one can see through its wheels."""
    rear, front, post, head = (-0.52, TYRE), (0.53, TYRE), (-0.21, 0.78), (0.36, 0.86)
    tubes = (
        (rear, CRANK),
        (CRANK, post),
        (post, (0.37, 0.80)),
        (CRANK, (0.39, 0.72)),
        (rear, post),
    )
    shapes = [shape for hub in (rear, front) for shape in _spoked(hub, travelled)]
    shapes += [Shape(stroke([a, b], 0.024), paint, 0.06) for a, b in tubes]
    shapes += [
        Shape(tube([head, (0.42, 0.62), front], (0.024, 0.024, 0.02)), paint, 0.06),
        Shape(stroke([post, (-0.24, 0.86)], 0.016), CHROME, 0.05),
        Shape(outline("-.4,.91 -.38,.86 -.12,.86 -.08,.89 -.2,.91"), (52, 34, 26), 0.1),
        Shape(stroke(points(".36,.86 .35,.99 .46,1.02 .38,1"), 0.018), (60, 58, 58), 0.08),
        Shape(ellipse(CRANK, (0.085, 0.085)), (70, 70, 74), 0.08),
    ]
    for side in (0.0, np.pi):
        x, y = pedal(travelled, side)
        shapes.append(Shape(stroke([CRANK, (x, y)], 0.013), (90, 90, 94), 0.09))
        shapes.append(Shape(stroke([(x - 0.05, y), (x + 0.06, y)], 0.018), RUBBER, 0.1))
    return shapes


def pedal(travelled: float, side: float) -> Point:
    """Centre of a pedal (`side` 0 or pi); the crank turns once for two turns of the wheels."""
    angle = -travelled / TYRE / 2 + side
    return CRANK[0] + 0.165 * float(np.cos(angle)), CRANK[1] + 0.165 * float(np.sin(angle))


def boat(yaw: float, time: float, colours: Pair) -> list[Shape]:
    """A sailing boat whose bow points `yaw` radians away from the right, towards the viewer."""
    paint, sail = colours
    beam = points("3.3,0 1.8,.75 -.6,.95 -2.9,.7 -2.9,-.7 -.6,-.95 1.8,-.75")
    rim = _seen(yaw, beam, (0.95, 0.75, 0.62, 0.66, 0.66, 0.62, 0.75))
    keel = _seen(yaw, beam * (0.88, 0.7), (-0.12,) * 7)
    stripe = _seen(yaw, beam * (0.9, 0.74), (0.12,) * 7)
    roof = points("-.4,.42 1.6,.42 -.4,-.42 1.6,-.42")
    cabin = hull([*_seen(yaw, roof, (0.6,) * 4), *_seen(yaw, roof * (1, 0.9), (1.12,) * 4)])
    belt, shoulders = _seen(yaw, points("-1.7,0 -1.65,0"), (1.15, 1.62))
    return [
        Shape(hull(rim + keel), paint, 0.8),
        Shape(hull(stripe + keel), (150, 44, 38)),
        Shape(
            stroke([between(p, q, 0.12) for p, q in zip(rim[:4], keel[:4], strict=True)], 0.05),
            (214, 178, 120),
        ),
        Shape(tube([belt, shoulders], (0.24, 0.18)), (40, 80, 140), 0.5),
        Shape(ellipse((shoulders[0], shoulders[1] + 0.28), (0.16, 0.19)), (214, 164, 130), 0.5),
        Shape(cabin, (232, 226, 214), 0.7),
        *_rigging(yaw, time, sail),
    ]


def _rigging(yaw: float, time: float, cloth: Colour) -> list[Shape]:
    """Mast, both sails and a flag; the sails swing over when the boat turns."""
    swing, luff = 0.5 * float(np.sin(yaw + 0.4)), 0.06 * float(np.sin(5 * time))
    leech = np.array(
        [
            (0.55, 0),
            (0.5, 0),
            (-2.7, 2.2 * swing),
            (-2.1, 2.4 * swing + luff),
            (-0.9, 1.4 * swing + luff),
        ]
    )
    main = _seen(yaw, leech, (8.6, 1.5, 1.45, 3.4, 6.3))
    fore = np.array(
        [
            (0.62, 0),
            (3.2, 0),
            (1.7, 1.2 * swing + 0.2),
            (0.4, 1.5 * swing),
            (0.75, 0.8 * swing + luff),
        ]
    )
    jib = _seen(yaw, fore, (7.0, 1.05, 1.2, 1.35, 4.0))
    foot, top = _seen(yaw, points(".55,0 .55,0"), (0.6, 8.8))
    seams = [
        [between(main[0], main[1], k), between(main[0], main[2], k)] for k in (0.3, 0.5, 0.7, 0.87)
    ]
    flag = top + np.array([(0, 0), (-0.5, luff), (-0.52, -0.2), (0, -0.24)])
    return [
        Shape(tube([foot, top], (0.07, 0.04)), (206, 200, 190), 0.75),
        Shape(smooth(np.array([main[k] for k in (0, 0, 1, 1, 2, 2, 3, 4)])), cloth, 0.7),
        *(Shape(stroke(seam, 0.018), (120, 110, 100, 70)) for seam in seams),
        Shape(stroke([main[1], main[2]], 0.05), (196, 186, 170), 0.75),
        Shape(
            smooth(np.array([jib[k] for k in (0, 0, 1, 1, 2, 3, 3, 4)])), darker(cloth, 0.97), 0.8
        ),
        Shape(smooth(flag), (200, 50, 40), 0.76),
    ]


def _seen(yaw: float, plan: Curve, heights: tuple[float, ...]) -> list[Point]:
    """Points of a plan (forward, across) at these heights, turned by `yaw`, from the side."""
    c, s = float(np.cos(yaw)), float(np.sin(yaw))
    level = plan @ np.array([[c, s], [s, -c]])
    return [
        (float(x), up + 0.1 * float(away)) for (x, away), up in zip(level, heights, strict=True)
    ]


def _wheel(x: float, radius: float, travelled: float) -> list[Shape]:
    """A wheel of a van or a car; the holes of its hubcap show how it turns."""
    hole = ellipse((x + radius * 0.42, radius), (radius * 0.07, radius * 0.1), 8)
    turns = -travelled / radius + np.arange(8) * (np.pi / 4)
    return [
        Shape(ellipse((x, radius), (radius, radius), 32), RUBBER, 0.5),
        Shape(ellipse((x, radius), (radius * 0.62, radius * 0.62), 32), CHROME, 0.53),
        *(Shape(turned(hole, turn, (x, radius)), (70, 72, 78)) for turn in turns),
        Shape(ellipse((x, radius), (radius * 0.24, radius * 0.24), 16), (232, 232, 232), 0.58),
    ]


def _spoked(hub: Point, travelled: float) -> list[Shape]:
    """A wheel of a bicycle: spokes, and a tyre as a ring with its hole."""
    outer, inner = (ellipse(hub, (radius, radius), 40) for radius in (TYRE, TYRE - 0.05))
    ring = np.concatenate((outer, outer[:1], inner[:1], inner[::-1]))
    angles = -travelled / TYRE + np.arange(12) * (np.pi / 6)
    tips = [(hub[0] + 0.31 * float(np.cos(a)), hub[1] + 0.31 * float(np.sin(a))) for a in angles]
    return [
        *(Shape(stroke([hub, tip], 0.003), (170, 172, 176), 0.02) for tip in tips),
        Shape(ring, RUBBER, 0.05),
        Shape(ellipse(hub, (0.035, 0.035), 12), CHROME, 0.06),
    ]


def _roof_rack() -> list[Shape]:
    """Three posts that carry a surf board."""
    posts = [
        Shape(stroke([(x, 1.98), (x, 2.13)], 0.025), (90, 90, 94), 0.3) for x in (-1.5, -0.4, 0.7)
    ]
    board = outline("-1.9,2.15 -1.3,2.12 .6,2.12 1.35,2.2 .7,2.22 -1.2,2.22")
    return [
        *posts,
        Shape(board, (244, 214, 120), 0.4),
        Shape(stroke(points("-1.9,2.17 1.3,2.18"), 0.016), (60, 130, 150)),
    ]


def _window(left: float, right: float, lean: float) -> list[Shape]:
    """A window with a reflection; its right edge leans by `lean` metres at the top."""
    low, high, wide = 1.24, 1.74, right - left
    edge = right + lean
    corners = [
        (left, low),
        (left, low),
        (left, high),
        (left + 0.06, high + 0.04),
        (edge - 0.06, high + 0.04),
        (edge, high),
        (right, low),
        (right, low),
    ]
    glint = [(left + wide * a, y) for a, y in ((0.2, low), (0.45, low), (0.75, high), (0.5, high))]
    return [Shape(smooth(np.array(corners)), GLASS), Shape(np.array(glint), GLINT)]
