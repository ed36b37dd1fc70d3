"""Cyclists and walkers, facing right; their limbs bend to where feet and hands must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lakeside.outlines import Point, ellipse, joint, outline, points, smooth, stroke, tube
from lakeside.painting import Colour, Shape, darker
from lakeside.vehicles import pedal

HAIR: Colour = (66, 42, 28)


@dataclass(frozen=True, slots=True)
class Looks:
    """Colours of a person."""

    shirt: Colour
    trousers: Colour
    skin: Colour

    def shaded(self) -> Looks:
        """The same on the side away from the viewer."""
        return Looks(darker(self.shirt, 0.65), darker(self.trousers, 0.6), darker(self.skin, 0.75))


def foot(phase: float, stride: float, lift: float) -> Point:
    """Where a foot is, from its hip: 6/10 of a step back on the ground, then lifted forwards."""
    phase %= 1.0
    if phase < 0.6:
        return stride * (0.5 - phase / 0.6), 0.0
    swing = (phase - 0.6) / 0.4
    return stride * (swing - 0.5), lift * float(np.sin(np.pi * swing))


def rider(travelled: float, looks: Looks) -> tuple[list[Shape], list[Shape]]:
    """What of a cyclist is behind the bicycle, and what is before it."""
    hip, shoulder, hand = (-0.22, 0.97), (0.12, 1.44), (0.43, 1.03)
    hidden = looks.shaded()
    far = [*_leg(hip, pedal(travelled, np.pi), hidden), *_arm(shoulder, hand, hidden)]
    near = [
        Shape(tube([hip, (-0.08, 1.24), shoulder], (0.135, 0.14, 0.125)), looks.shirt, 0.16),
        *_leg(hip, pedal(travelled, 0.0), looks),
        *_head((0.235, 1.62), looks.skin),
        *_helmet((0.235, 1.62)),
        *_arm(shoulder, hand, looks),
    ]
    return far, near


def walker(walked: float, looks: Looks) -> list[Shape]:
    """A person who walks."""
    stride, hip, shoulder = 0.66, (0.0, 0.93), (0.03, 1.43)
    beat = walked * 0.6 / stride
    soles = [(x, y + 0.02) for x, y in (foot(beat + half, stride, 0.14) for half in (0.0, 0.5))]
    angles = [0.5 * float(np.sin(2 * np.pi * (beat + half) + 0.5)) for half in (0.5, 0.0)]
    hands = [(0.09 + 0.52 * float(np.sin(a)), 1.43 - 0.52 * float(np.cos(a))) for a in angles]
    return [
        *_arm(shoulder, hands[1], looks.shaded()),
        *_leg(hip, soles[1], looks.shaded()),
        *_leg(hip, soles[0], looks),
        Shape(tube([(0.0, 0.86), (0.0, 1.15), shoulder], (0.135, 0.145, 0.135)), looks.shirt, 0.18),
        *_head((0.07, 1.63), looks.skin),
        *_arm(shoulder, hands[0], looks),
    ]


def _leg(hip: Point, sole: Point, looks: Looks) -> list[Shape]:
    ankle = (sole[0] - 0.03, sole[1] + 0.09)
    knee = joint(hip, ankle, bones=(0.44, 0.44), bend=1.0)
    calf = ((knee[0] + ankle[0]) / 2 - 0.02, (knee[1] + ankle[1]) / 2)
    shoe = points("-.1,.11 -.11,-.01 .17,-.01 .18,.03 .04,.1") + sole
    limb = tube([hip, knee, calf, ankle], (0.115, 0.085, 0.07, 0.05))
    return [Shape(smooth(shoe), (58, 44, 38), 0.14), Shape(limb, looks.trousers, 0.2)]


def _arm(shoulder: Point, hand: Point, looks: Looks) -> list[Shape]:
    elbow = joint(shoulder, hand, bones=(0.29, 0.28), bend=-1.0)
    cuff = (elbow[0] * 0.8 + hand[0] * 0.2, elbow[1] * 0.8 + hand[1] * 0.2)
    return [
        Shape(tube([elbow, hand], (0.04, 0.032)), looks.skin, 0.22),
        Shape(ellipse(hand, (0.045, 0.045), 12), looks.skin, 0.22),
        Shape(tube([shoulder, elbow, cuff], (0.07, 0.055, 0.048)), looks.shirt, 0.26),
    ]


def _head(centre: Point, skin: Colour) -> list[Shape]:
    face = outline("-.09,-.06 -.1,.06 0,.13 .09,.07 .1,.01 .125,-.02 .1,-.04 .09,-.1 .02,-.12")
    hair = outline("-.06,-.08 -.125,.02 -.08,.13 .02,.155 .1,.09 .02,.06 -.02,-.01")
    return [
        Shape(stroke(points("-.05,-.2 0,-.06") + centre, 0.057), darker(skin, 0.9), 0.14),
        Shape(face + centre, skin, 0.17),
        Shape(hair + centre, HAIR, 0.19),
        Shape(ellipse((centre[0] + 0.075, centre[1] + 0.02), (0.012, 0.014), 8), (30, 22, 20)),
    ]


def _helmet(centre: Point) -> list[Shape]:
    shell = outline("-.15,.03 -.1,.15 .03,.18 .14,.08 .14,.06 -.02,.05")
    return [
        Shape(shell + centre, (236, 236, 228), 0.22),
        Shape(stroke(points("-.1,.1 .1,.1") + centre, 0.012), (60, 70, 90)),
    ]
