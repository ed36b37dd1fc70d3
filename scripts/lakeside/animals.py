"""Birds, dogs, cats and cattle, facing right; their feet stay where they tread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lakeside.outlines import Curve, ellipse, joint, outline, points, smooth, stroke, tube, wavy
from lakeside.painting import Colour, Pair, Shape, darker, moved
from lakeside.people import foot

DARK: Colour = (20, 15, 12)
GAIT = 0.6
"""Share of a step for which a foot is on the ground."""


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions of a four-legged animal, in metres."""

    length: float
    """From hip to shoulder."""
    hip: float
    """Height of both."""
    depth: float
    """How far the near legs stand out."""
    leg: tuple[float, float, float]
    """Half width of a leg at its top, knee and foot."""
    stride: float
    beats: tuple[float, float, float, float]
    """Phase of near hind, near fore, far hind and far fore leg."""


DOG = Build(0.50, 0.46, 0.22, (0.085, 0.038, 0.030), 0.42, (0.0, 0.5, 0.5, 0.0))
CAT = Build(0.30, 0.23, 0.13, (0.052, 0.025, 0.021), 0.17, (0.0, 0.25, 0.5, 0.75))
COW = Build(1.28, 0.98, 0.57, (0.19, 0.085, 0.065), 0.55, (0.0, 0.25, 0.5, 0.75))


def dog(walked: float, time: float, coats: Pair) -> list[Shape]:
    """A trotting dog that has walked so many metres."""
    coat, second = coats
    far, near = _legs(DOG, walked, coat)
    bounce = 0.018 * float(np.sin(4 * np.pi * walked * GAIT / DOG.stride))
    wag = 0.16 * float(np.sin(2 * np.pi * 3.1 * time))
    tail = points("-.33,.57 -.47,.68 -.55,.82 -.5,.93") + wag * points("0,0 0,0 .4,0 1,0")
    head = outline(".36,.86 .45,.9 .53,.86 .59,.8 .7,.77 .73,.73 .7,.685 .58,.67 .46,.67 .37,.74")
    saddle = outline("-.36,.52 -.3,.66 -.05,.66 .18,.66 .2,.52 0,.47 -.2,.5")
    trunk = tube(points("-.3,.5 -.1,.5 .1,.475 .27,.48"), (0.125, 0.125, 0.15, 0.155))
    body = [
        *far,
        Shape(tube(tail, (0.05, 0.05, 0.045, 0.015)), second, 0.1),
        Shape(trunk, coat, 0.2),
        Shape(saddle, second),
        Shape(tube(points(".24,.53 .36,.66 .43,.76"), (0.14, 0.105, 0.1)), coat, 0.2),
        Shape(tube(points(".4,.62 .36,.48 .2,.37"), (0.05, 0.07, 0.03)), (238, 226, 205, 210)),
        *near,
        Shape(head, coat, 0.23),
        Shape(outline(".58,.735 .7,.745 .73,.72 .69,.685 .58,.675"), (236, 222, 200, 235)),
        Shape(outline(".41,.88 .46,.87 .465,.76 .42,.67 .37,.7 .36,.8"), second, 0.27),
        Shape(ellipse((0.715, 0.755), (0.028, 0.025)), DARK, 0.25),
        Shape(ellipse((0.545, 0.815), (0.019, 0.019)), DARK),
        Shape(stroke(points(".345,.75 .38,.68 .47,.645"), 0.022), (190, 40, 40), 0.25),
    ]
    return moved(body, 0.0, bounce)


def cat(walked: float, time: float, coats: Pair) -> list[Shape]:
    """A walking cat with stripes."""
    coat, second = coats
    far, near = _legs(CAT, walked, coat)
    sway = 0.05 * float(np.sin(2 * np.pi * 0.9 * time))
    tail = points("-.2,.28 -.32,.3 -.4,.4 -.36,.53 -.42,.58") + sway * points("0,0 0,0 0,1 1,0 1,0")
    trunk = tube(points("-.17,.255 -.05,.265 .06,.25 .17,.26"), (0.085, 0.08, 0.085, 0.08))
    stripe = tube(points("0,.36 -.02,.28 0,.2"), (0.012, 0.011, 0.003))
    ink = (*second, 190)
    return [
        *far,
        Shape(tube(tail, (0.03, 0.028, 0.026, 0.024, 0.012)), coat, 0.07),
        *(
            Shape(ellipse((-0.37 + sway * k / 4, 0.36 + 0.05 * k), (0.05, 0.012)), ink)
            for k in range(4)
        ),
        Shape(trunk, coat, 0.12),
        *(shape for k in range(8) for shape in moved([Shape(stripe, ink)], 0.05 * k - 0.2, 0.0)),
        *near,
        Shape(tube(points(".16,.29 .23,.35"), (0.075, 0.065)), coat, 0.13),
        *_cat_head(coat, ink),
    ]


def cow(walked: float, time: float, coats: Pair) -> list[Shape]:
    """A cow of two colours; it nods as it walks."""
    coat, second = coats
    far, near = _legs(COW, walked, coat)
    nod = (0.0, 0.06 * float(np.sin(2 * np.pi * 0.8 * time)))
    swish = 0.1 * float(np.sin(2 * np.pi * 0.7 * time + 1))
    tail = points("-.84,1.34 -.95,1.2 -.96,.9 -.95,.62") + swish * points("0,0 0,0 .3,0 1,0")
    trunk = outline(
        "-.86,1.36 -.5,1.43 .1,1.4 .62,1.44 .86,1.3 .84,.98 .66,.76 .2,.66 -.3,.68 -.62,.76 -.86,1"
    )
    patches = (
        (-0.55, 1.2, 0.3, 0.26),
        (0.12, 1.12, 0.34, 0.22),
        (0.6, 1.36, 0.2, 0.16),
        (-0.2, 0.76, 0.14, 0.09),
    )
    neck = points(".68,1.14 .95,1.28 1.1,1.38") + np.array([(0, 0), (0, 0), nod])
    return [
        *far,
        Shape(tube(tail, (0.04, 0.03, 0.025, 0.05)), darker(coat, 0.9), 0.2),
        Shape(ellipse((-0.34, 0.7), (0.17, 0.12)), (226, 168, 156), 0.3),
        Shape(trunk, coat, 0.42),
        *(Shape(wavy(patch[:2], patch[2:], kind), second) for kind, patch in enumerate(patches)),
        *near,
        Shape(tube(neck, (0.3, 0.21, 0.17)), coat, 0.4),
        Shape(wavy((0.86, 1.22), (0.14, 0.2), 5), second),
        *moved(_cow_head(second), *nod),
    ]


def bird(beat: float, yaw: float, coats: Pair) -> list[Shape]:
    """A gull; `beat` counts the beats of its wings, `yaw` turns it away, in radians."""
    coat, second = coats
    lift, follow = float(np.sin(2 * np.pi * beat)), float(np.sin(2 * np.pi * beat - 1.1))
    body = outline(
        "-.62,.02 -.3,.08 .05,.11 .28,.11 .42,.1 .5,.03 .4,-.03 .2,-.09 -.1,-.1 -.35,-.05"
    )
    shorter = (float(np.cos(yaw)), 1.0)
    parts = [
        *_wing(-1.0, lift, follow, yaw=yaw, colours=(darker(coat, 0.82), second)),
        Shape(outline("-.42,.05 -.72,.06 -.76,-.02 -.42,-.03") * shorter, coat, 0.05),
        Shape(body * shorter, coat, 0.16),
        Shape(outline(".46,.07 .62,.03 .62,.01 .47,.01") * shorter, (240, 170, 40), 0.1),
        Shape(ellipse((0.42, 0.055), (0.02, 0.02)) * shorter, DARK),
        *_wing(1.0, lift, follow, yaw=yaw, colours=(coat, second)),
    ]
    return moved(parts, 0.0, -0.05 * lift)


def _legs(build: Build, walked: float, coat: Colour) -> tuple[list[Shape], list[Shape]]:
    """The far pair of legs and the near pair."""
    near, far = (
        [_leg(build, k, walked=walked, coat=coat) for k in (0, 1)],
        [_leg(build, k, walked=walked, coat=coat) for k in (2, 3)],
    )
    return [*far[0], *far[1]], [*near[0], *near[1]]


def _leg(build: Build, number: int, *, walked: float, coat: Colour) -> list[Shape]:
    hind, far = number % 2 == 0, number >= 2
    top, middle, end = build.leg
    x = (-0.5 if hind else 0.53) * build.length * (0.94 if far else 1.0)
    tread = foot(walked * GAIT / build.stride + build.beats[number], build.stride, build.hip * 0.22)
    sole = (x + tread[0], end * 0.6 + tread[1])
    bone = build.hip * 0.515
    knee = joint((x, build.hip), sole, bones=(bone, bone), bend=1.0 if hind else -1.0)
    shin = ((knee[0] + sole[0]) / 2, (knee[1] + sole[1]) / 2)
    widths = (top * (1.25 if hind else 1.0), middle * 1.15, middle * 0.9, end)
    tone, height = darker(coat, 0.62 if far else 0.96), build.depth * (0.4 if far else 1.0)
    paw = ellipse((sole[0] + end * 0.5, sole[1]), (end * 1.5, end * 0.8), 12)
    limb = tube([(x, build.hip), knee, shin, sole], widths)
    return [Shape(limb, tone, height), Shape(paw, tone, height)]


def _cat_head(coat: Colour, ink: Colour) -> list[Shape]:
    head = outline(
        ".2,.4 .2,.455 .2,.455 .245,.425 .28,.42 .305,.455 .305,.455 .325,.4 .36,.365 .345,.335"
        " .29,.31 .22,.325 .19,.36"
    )
    return [
        Shape(head, coat, 0.15),
        Shape(stroke(points(".22,.43 .26,.42"), 0.006), ink),
        Shape(stroke(points(".2,.385 .25,.375"), 0.006), ink),
        Shape(outline(".3,.36 .36,.365 .345,.33 .29,.315"), (240, 232, 220, 220)),
        Shape(ellipse((0.357, 0.362), (0.011, 0.009)), (205, 120, 115)),
        Shape(ellipse((0.315, 0.385), (0.013, 0.011)), (120, 170, 60)),
        Shape(ellipse((0.317, 0.385), (0.006, 0.010)), DARK),
    ]


def _cow_head(coat: Colour) -> list[Shape]:
    head = outline(".98,1.55 1.12,1.56 1.3,1.38 1.44,1.22 1.45,1.12 1.36,1.07 1.22,1.14 1.02,1.28")
    ear = outline("1,1.52 .88,1.54 .78,1.46 .88,1.42 .99,1.44")
    blaze = stroke(points("1.06,1.56 1.2,1.48 1.34,1.3"), 0.03)
    horn = tube(points("1.03,1.56 1.06,1.66 1.13,1.69"), (0.03, 0.025, 0.008))
    return [
        Shape(head, coat, 0.46),
        Shape(outline("1.32,1.27 1.44,1.22 1.45,1.12 1.36,1.07 1.25,1.13"), (222, 176, 164)),
        Shape(blaze, (238, 234, 226)),
        Shape(ear, darker(coat, 1.25), 0.5),
        Shape(horn, (226, 214, 180), 0.48),
        Shape(ellipse((1.16, 1.42), (0.026, 0.026)), DARK),
    ]


def _wing(
    side: float, lift: float, follow: float, *, yaw: float, colours: tuple[Colour, Colour]
) -> list[Shape]:
    """The wing on the near (1) or far (-1) side, bent at its elbow, and its dark tip."""
    raised, bent = 0.52 * lift + 0.26, 0.62 * follow + 0.04
    elbow = 0.5 * np.array((np.cos(raised), np.sin(raised)))
    tip = elbow + 0.66 * np.array((np.cos(bent), np.sin(bent)))
    forward = np.array((0.2, 0.24, -0.04, -0.12, -0.16, -0.2))
    reach = np.array([(0.0, 0.05), elbow, tip, tip, elbow, (0.0, 0.05)])
    across = side * reach[:, 0]
    x = forward * np.cos(yaw) + across * np.sin(yaw) * 0.9
    y = reach[:, 1] + 0.03 - 0.34 * (across * np.cos(yaw) - forward * np.sin(yaw))
    curve: Curve = smooth(np.stack((x, y), axis=1))
    return [Shape(curve, colours[0], 0.1), Shape(curve[9:22], colours[1])]
