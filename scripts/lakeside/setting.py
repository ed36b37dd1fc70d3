"""The measures and colours of the place: rows of the frame, the camera, the seasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lakeside.painting import Colour, Floats, Light, rgb

EYE = 3.0
"""Metres of the camera above the ground."""
HORIZON, SHORE, ROAD, VERGE = 0.36, 0.50, 0.625, 0.735
"""Rows, as shares of the height: horizon, near shore, far and near edge of the road."""

Tone = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Season:
    """The colours of a scene, RGB 0..255; light is a factor."""

    zenith: Tone
    low: Tone
    cloud: Tone
    haze: Tone
    rock: Tone
    forest: Tone
    grass: tuple[Tone, Tone, Tone]
    """Dark, middle and bright."""
    leaves: tuple[Tone, Tone]
    """In shade and in the sun."""
    water: Tone
    sun: Tone
    ambient: Tone

    def light(self, side: float) -> Light:
        """The season's sun, to the left (-1) or to the right (1)."""
        return Light(side, self.sun, self.ambient)


SUMMER = Season(
    zenith=(72, 128, 196),
    low=(226, 226, 214),
    cloud=(255, 250, 240),
    haze=(176, 196, 214),
    rock=(116, 124, 146),
    forest=(62, 92, 74),
    grass=((58, 92, 38), (104, 136, 54), (162, 172, 84)),
    leaves=((30, 56, 26), (150, 180, 68)),
    water=(44, 88, 112),
    sun=(0.98, 0.90, 0.74),
    ambient=(0.40, 0.45, 0.54),
)
EVENING = Season(
    zenith=(84, 104, 160),
    low=(255, 206, 150),
    cloud=(255, 226, 196),
    haze=(226, 184, 160),
    rock=(128, 104, 124),
    forest=(84, 80, 70),
    grass=((74, 84, 34), (128, 124, 50), (186, 164, 84)),
    leaves=((52, 52, 22), (190, 160, 58)),
    water=(78, 88, 112),
    sun=(1.06, 0.84, 0.58),
    ambient=(0.38, 0.38, 0.50),
)
AUTUMN = Season(
    zenith=(92, 146, 200),
    low=(220, 230, 236),
    cloud=(255, 255, 255),
    haze=(190, 204, 216),
    rock=(122, 126, 134),
    forest=(116, 92, 52),
    grass=((84, 88, 40), (134, 128, 58), (184, 166, 88)),
    leaves=((110, 46, 18), (236, 164, 54)),
    water=(58, 98, 116),
    sun=(0.96, 0.90, 0.80),
    ambient=(0.44, 0.46, 0.52),
)


@dataclass(frozen=True, slots=True)
class View:
    """Frame size in pixels, and the camera at one moment."""

    width: int
    height: int
    moved: float = 0.0
    """Metres that the camera has gone to the right."""
    panned: float = 0.0
    """Pixels by which turning it has shifted everything to the left."""
    time: float = 0.0
    """Seconds since the first frame."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def unit(self) -> float:
        """Pixels for one pixel of a frame 360 high; details are measured in it."""
        return self.height / 360

    @property
    def horizon(self) -> float:
        """Row of the horizon."""
        return HORIZON * self.height

    def scale(self, row: float) -> float:
        """Pixels per metre of what stands at `row`."""
        return (row - self.horizon) / EYE

    def column(self, x: float, row: float) -> float:
        """Where a thing that stands `x` metres from the middle at `row` is seen."""
        return self.width / 2 + (x - self.moved) * self.scale(row) - self.panned


@dataclass(frozen=True, slots=True)
class Setting:
    """The camera in the middle of its way, and the colours and light of the place."""

    view: View
    season: Season
    light: Light


def mix(a: Tone, b: Tone, share: float) -> Tone:
    """The colour that lies this share of the way from `a` to `b`."""
    red, green, blue = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return red, green, blue


def blend(share: Floats, low: Tone, high: Tone) -> Floats:
    """Colours `[... 3]`: `low` where `share` is 0, `high` where it is 1."""
    start, end = rgb(low), rgb(high)
    mixed: Floats = start + (end - start) * share[..., None]
    return mixed


def meadow(share: Floats, grass: tuple[Tone, Tone, Tone]) -> Floats:
    """Colours `[... 3]` from the dark (0) over the middle to the bright (1) tone of grass."""
    lower, upper = np.clip(share * 2, 0, 1), np.clip(share * 2 - 1, 0, 1)[..., None]
    tones: Floats = blend(lower, grass[0], grass[1]) + upper * (rgb(grass[2]) - rgb(grass[1]))
    return tones


def ink(tone: Tone) -> Colour:
    """`tone` as whole numbers 0..255."""
    return tuple(int(min(max(channel, 0), 255)) for channel in tone)
