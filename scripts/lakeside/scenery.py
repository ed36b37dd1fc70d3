"""Still things that hide others: trees, hedges, walls, grass and flowers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from lakeside.ground import PETALS
from lakeside.outlines import outline, points, smooth, tube
from lakeside.painting import Colour, Place, Shape, Sprite, Surface, paint
from lakeside.setting import Setting, View, blend, ink, mix
from PIL import Image, ImageDraw, ImageFilter

BARK: Colour = (112, 90, 70)
STONES: tuple[Colour, ...] = (
    (168, 158, 142),
    (146, 140, 132),
    (182, 166, 140),
    (136, 134, 126),
    (150, 150, 122),
)
Clump = tuple[float, float, float]
"""Centre and radius of a ball of leaves, in pixels."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thing stands: metres from the middle, and the row of its foot."""

    x: float
    row: float


@dataclass(frozen=True, slots=True)
class Scenery:
    """A still thing and its picture."""

    image: Image.Image
    spot: Spot
    anchor: tuple[float, float]
    """Pixel of the image that stands on the spot."""
    sway: float = 0.0
    """Pixels by which the wind moves its top."""

    def sprite(self, view: View) -> Sprite:
        """The thing as `view` sees it."""
        left = view.column(self.spot.x, self.spot.row) - self.anchor[0]
        x, y = int(np.floor(left)), int(self.spot.row - self.anchor[1])
        if x >= view.width or x + self.image.width < 0:
            return Sprite(self.image, x, y)
        wind = float(np.sin(2.8 * view.time + self.spot.x))
        lean = self.sway * wind / max(self.anchor[1], 1.0)
        matrix = (1, lean, x - left - lean * self.anchor[1], 0, 1, 0)
        size = (self.image.width + 1, self.image.height)
        moved = self.image.transform(
            size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        return Sprite(moved, x, y)


def tree(rng: np.random.Generator, setting: Setting, spot: Spot, *, metres: float) -> Scenery:
    """A broad tree so many metres high."""
    scale = setting.view.scale(spot.row)
    high, wide = metres * scale, 0.95 * metres * scale
    size = (int(wide * 1.3), int(high * 1.08))
    foot = (size[0] / 2, size[1] - 4.0)
    clumps = [(foot[0] + wide * a, foot[1] - high * b, high * r) for a, b, r in _crown(rng)]
    leaf = max(0.075 * scale, 1.1)
    canvas = _leaves(rng, setting, clumps, size=size, leaf=leaf, dim=0.72)
    bark = Surface(softness=0.09, grain=0.3, cells=(14, 3))
    trunk = paint(_trunk(metres), Place(*foot, scale), setting.light, surface=bark, limits=size)
    assert trunk is not None
    part = trunk.within(size)
    assert part is not None
    canvas.alpha_composite(part.image, (part.x, part.y))
    front = [clump for clump in clumps if clump[1] < foot[1] - 0.34 * high]
    canvas.alpha_composite(_leaves(rng, setting, front, size=size, leaf=leaf, dim=1.0))
    return Scenery(canvas, spot, foot, sway=0.012 * high)


def hedge(
    rng: np.random.Generator, setting: Setting, spot: Spot, *, size: tuple[float, float]
) -> Scenery:
    """A hedge of so many metres (width, height), too dense to see through."""
    scale = setting.view.scale(spot.row)
    wide, high = size[0] * scale, size[1] * scale
    frame = (int(wide * 1.2) + 8, int(high * 1.25) + 8)
    foot = (frame[0] / 2, frame[1] - 3.0)
    round_top = outline("-.5,0 -.51,.5 -.46,.86 -.3,.97 0,1 .3,.97 .46,.86 .51,.5 .5,0")
    canvas = Image.new("RGBA", (frame[0] * 2, frame[1] * 2))
    solid = (round_top * (wide, -high) + foot) * 2
    ImageDraw.Draw(canvas).polygon(solid.ravel().tolist(), fill=ink(setting.season.leaves[0]))
    columns = np.linspace(-0.43, 0.43, max(round(4.5 * wide / high), 5))
    grid = np.array([(a, b) for b in (0.12, 0.36, 0.6, 0.82) for a in columns])
    grid += rng.normal(0, 1, grid.shape) * (0.025, 0.045)
    grid[:, 1] = np.minimum(grid[:, 1], 0.86 - 1.6 * np.abs(grid[:, 0]) ** 3)
    radii = rng.uniform(0.15, 0.21, len(grid)) * high
    centres = grid[::-1] * (wide, -high) + foot
    clumps = [(float(x), float(y), float(r)) for (x, y), r in zip(centres, radii, strict=True)]
    leaf = max(0.06 * scale, 1.0)
    picture = canvas.reduce(2)
    picture.alpha_composite(_leaves(rng, setting, clumps, size=frame, leaf=leaf, dim=1.0))
    return Scenery(picture, spot, foot, sway=0.006 * high)


def wall(
    rng: np.random.Generator, setting: Setting, spot: Spot, *, size: tuple[float, float]
) -> Scenery:
    """A wall of rough stones, so many metres wide and high."""
    scale, (wide, high) = setting.view.scale(spot.row), size
    core = points("-.5,-.02 -.5,.95 .5,.95 .5,-.02") * size
    shapes = [Shape(core, (66, 60, 54), 0.1)]
    courses = np.linspace(0.0, high - 0.13, 5)
    for low, top in itertools.pairwise(courses):
        shapes += _course(rng, wide, (low, top), mean=0.36)
    shapes += _course(rng, wide + 0.12, (high - 0.14, high), mean=0.55)
    frame = (int((wide + 0.4) * scale), int((high + 0.4) * scale))
    foot = (frame[0] / 2, frame[1] - 0.1 * scale)
    rough = Surface(softness=0.025, grain=0.16, cells=(9, 9))
    sprite = paint(shapes, Place(*foot, scale), setting.light, surface=rough, limits=frame)
    assert sprite is not None
    return Scenery(sprite.image, spot, (foot[0] - sprite.x, foot[1] - sprite.y))


def tuft(rng: np.random.Generator, setting: Setting, spot: Spot) -> Scenery:
    """Grass that hides the feet of those behind it."""
    scale = setting.view.scale(spot.row)
    grass = setting.season.grass
    wide, high = int(0.6 * scale) + 4, int(0.32 * scale) + 4
    canvas = Image.new("RGBA", (wide * 2, high * 2))
    brush = ImageDraw.Draw(canvas)
    for aside, length, lean, lift in zip(*rng.normal(0, 1, (4, 30)), strict=True):
        x, y = wide * (0.5 + 0.13 * aside), high * (1 - 0.07 * abs(lift) - 0.03 * abs(aside))
        tall = y * min(0.6 + 0.16 * abs(length), 0.95)
        tip = x + 0.22 * lean * tall + 0.05 * aside * wide
        tone = ink(mix(grass[0], grass[2], rng.random()))
        line = (2 * x, 2 * y, x + tip, 2 * y - 1.2 * tall, 2 * tip, 2 * (y - tall))
        brush.line(line, fill=tone, width=2 if scale > 40 else 1)
    return Scenery(canvas.reduce(2), spot, (wide / 2, high - 1.0), sway=setting.view.unit)


def close_flowers(rng: np.random.Generator, setting: Setting, spot: Spot) -> Scenery:
    """Grass and flowers close to the lens, out of focus."""
    view, grass = setting.view, setting.season.grass
    wide, high = int(0.9 * view.height), int(0.22 * view.height)
    picture = Image.new("RGBA", (wide, high))
    brush, radius = ImageDraw.Draw(picture), 4.8 * view.unit
    for _ in range(90):
        foot, aside = rng.uniform(0.1, 0.9) * wide, rng.normal(0, 0.16)
        tall = high * rng.uniform(0.25, 0.8) * (1 - abs(foot / wide - 0.5))
        x, y = foot + aside * tall, high - tall
        tone = ink(mix(grass[0], grass[2], rng.random()))
        middle = (foot + 0.3 * aside * tall, high - 0.6 * tall)
        brush.line((foot, high, *middle, x, y), fill=tone, width=max(int(2.4 * view.unit), 1))
        if rng.random() < 0.22:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), PETALS[rng.integers(4)])
    soft = picture.filter(ImageFilter.GaussianBlur(1.5 * view.unit))
    return Scenery(soft, spot, (wide / 2, high - 1.0), sway=2 * view.unit)


def _leaves(
    rng: np.random.Generator,
    setting: Setting,
    clumps: list[Clump],
    *,
    size: tuple[int, int],
    leaf: float,
    dim: float,
) -> Image.Image:
    """A picture of leaves on balls: bright where the sun falls, darker towards the ground."""
    picture = Image.new("RGBA", (size[0] * 2, size[1] * 2))
    brush = ImageDraw.Draw(picture)
    blade = points("1,0 .4,.5 -.6,.42 -1,0 -.5,-.45 .5,-.5") * leaf * 2
    floor = max(y for _, y, _ in clumps)
    rise = max(floor - min(y for _, y, _ in clumps), 1.0)
    for x, y, radius in clumps:
        count = int(min(5.5 * (radius / leaf) ** 2, 1500)) + 8
        angle = rng.uniform(0, 2 * np.pi, count)
        away = np.sqrt(rng.random(count)) * np.where(rng.random(count) < 0.12, 1.16, 1.0)
        right, down = away * np.cos(angle), away * np.sin(angle)
        out = np.sqrt(np.clip(1 - away**2, 0, 1))
        sunny = 0.32 + 0.62 * (0.5 * setting.light.side * right - 0.62 * down + 0.5 * out)
        lit = dim * (0.62 + 0.38 * (floor - y) / rise)
        share = np.clip(sunny + rng.normal(0, 0.15, count), 0, 1) * lit
        inks = blend(share, setting.season.leaves[0], setting.season.leaves[1]).astype(int).tolist()
        spin = rng.uniform(0, np.pi, count)
        c, s = np.cos(spin), np.sin(spin)
        turns = np.stack((c, s, -s, c), axis=-1).reshape(count, 2, 2)
        centres = np.stack((x + right * radius, y + down * radius), axis=-1) * 2
        outlines = (blade @ turns + centres[:, None]).reshape(count, -1).tolist()
        for k in np.argsort(out + rng.normal(0, 0.3, count)):
            brush.polygon(outlines[k], fill=tuple(inks[k]))
    return picture.reduce(2)


def _crown(rng: np.random.Generator) -> list[Clump]:
    """Balls of a crown, from top to bottom, as shares of the tree's width and height."""
    turn = rng.uniform(0, 2 * np.pi, 26)
    rim = np.stack((0.36 * np.cos(turn), 0.69 + 0.21 * np.sin(turn), np.full(26, 0.085)), axis=1)
    inner = points("0,.78 -.18,.7 .18,.7 -.28,.58 .28,.58 -.08,.58 .1,.57 0,.87")
    radii = np.array((0.17, 0.16, 0.16, 0.12, 0.12, 0.14, 0.14, 0.09))[:, None]
    core = np.concatenate((inner, radii * rng.uniform(0.9, 1.1, (8, 1))), axis=1)
    balls = np.concatenate((core, rim)) + rng.normal(0, 0.012, (34, 3)) * (1, 1, 0)
    return [(float(a), float(b), float(r)) for a, b, r in balls[np.argsort(balls[:, 1])]]


def _trunk(metres: float) -> list[Shape]:
    left, right = points("0,.3 -.1,.45 -.2,.58"), points("0,.33 .1,.46 .22,.6")
    widths = (0.03 * metres, 0.022 * metres, 0.01 * metres)
    stem = outline(
        "-.07,-.012 -.045,.05 -.04,.2 -.035,.4 -.015,.7 .015,.7 .035,.4 .043,.2 .05,.05 .075,-.012"
        " .045,.006 .02,-.014 -.02,.004 -.045,-.016"
    )
    return [
        Shape(tube(left * metres, widths), BARK, 0.3),
        Shape(tube(right * metres, widths), BARK, 0.3),
        Shape(stem * metres, BARK, 0.4),
    ]


def _course(
    rng: np.random.Generator, wide: float, rows: tuple[float, float], *, mean: float
) -> list[Shape]:
    """One row of stones between two heights; they are about `mean` metres wide."""
    edges = np.linspace(-wide / 2, wide / 2, max(round(wide / mean), 2) + 1)
    edges[1:-1] += rng.uniform(-0.25, 0.25, len(edges) - 2) * mean
    stones = []
    for left, right in itertools.pairwise(edges):
        half = np.array((right - left - 0.02, rows[1] - rows[0] - 0.02)) / 2
        corners = points("-1,0 -.8,.85 0,1 .8,.85 1,0 .8,-.85 0,-1 -.8,-.85") * half
        middle = ((left + right) / 2, (rows[0] + rows[1]) / 2)
        rough = smooth(corners + middle + rng.normal(0, 0.008, (8, 2)), steps=3)
        tone = np.array(STONES[rng.integers(5)]) * rng.uniform(0.88, 1.1)
        stones.append(Shape(rough, tuple(int(channel) for channel in tone), 0.24))
    return stones
