"""The near shore in perspective: a meadow with blades of grass, flowers and reeds, and a road."""

from __future__ import annotations

import numpy as np
from lakeside.horizon import ridge
from lakeside.painting import Floats, noise, rgb, step
from lakeside.setting import EYE, ROAD, SHORE, VERGE, Setting, View, ink, meadow, mix
from PIL import Image, ImageDraw
from scipy import ndimage

PETALS = ((240, 90, 74), (250, 216, 96), (248, 244, 236), (160, 120, 205))
SAND, EARTH, ASPHALT, LINES = (196, 176, 136), (168, 148, 112), (112, 110, 112), (214, 210, 198)


def ground(rng: np.random.Generator, setting: Setting, wide: int) -> Image.Image:
    """The picture of it, RGBA, `wide` pixels, from a little above the shore to the lower edge."""
    view, season = setting.view, setting.season
    top = int((SHORE - 0.03) * view.height)
    rows = np.arange(top, view.height, dtype=np.float32)[:, None] + 0.5
    scale = (rows - view.horizon) / EYE
    x = (np.arange(wide, dtype=np.float32)[None] - wide / 2) / scale
    z = np.broadcast_to(1.1 * view.height / scale, x.shape)
    tile = noise(rng, (512, 512), cell=64.0, octaves=6)
    broad, fine = (
        ndimage.map_coordinates(tile, (z * cells, x * cells + 256), order=1, mode="mirror")
        for cells in (5.0, 21.0)
    )
    tone = np.clip(0.45 + 0.2 * broad + 0.1 * fine, 0, 1)
    near = step(rows / view.height, 0.45, 0.8)
    colour = meadow(tone, season.grass) * (0.78 + 0.3 * near)[..., None]
    colour = _road(colour, (rows, x), (broad, fine), view=view)
    shore = SHORE * view.height + 2.2 * view.unit * ridge(rng, wide, cell=60 * view.unit, octaves=4)
    dry = step(rows - shore, 0, 5 * view.unit)[..., None]
    colour = colour * dry + rgb(SAND) * (1 - dry)
    cover = np.clip(rows - shore, 0, 1) * 255
    values = np.clip(np.dstack((colour, cover)), 0, 255).astype(np.uint8)
    large = Image.fromarray(values).resize((wide * 2, len(rows) * 2), Image.Resampling.BICUBIC)
    brush = ImageDraw.Draw(large)
    _blades(brush, rng, setting, top=top, tone=tone)
    _reeds(brush, rng, setting, top=top, wide=wide)
    return large.reduce(2)


def _road(
    colour: Floats, at: tuple[Floats, Floats], rough: tuple[Floats, Floats], *, view: View
) -> Floats:
    """`colour` with the road laid over it: asphalt, white edges and a dashed middle line.

    `at` are the row and the metres to the right of each pixel, `rough` coarse and fine noise.
    """
    (rows, x), (broad, fine) = at, rough
    unit = view.unit
    far, near = (edge * view.height + unit * fine for edge in (ROAD, VERGE))
    inside = step(rows - far, -1.4 * unit, 1.4 * unit) * step(near - rows, -1.4 * unit, 1.4 * unit)
    beside = step(rows - far, -6 * unit, 0.0) * step(near - rows, -7 * unit, 0.0)
    middle = (0.55 * ROAD + 0.45 * VERGE) * view.height
    marks = (np.mod(x, 3.4) < 1.9) & (np.abs(rows - middle) < 1.25 * unit)
    for edge, half in ((ROAD + 0.008, 0.7), (VERGE - 0.012, 1.2)):
        marks = marks | (np.abs(rows - edge * view.height) < half * unit)
    speckle = np.random.default_rng(3).standard_normal(x.shape).astype(np.float32)
    worn = (1 + 0.045 * broad + 0.035 * speckle)[..., None]
    paved = np.where(marks[..., None], rgb(LINES), rgb(ASPHALT)) * worn
    edged = colour + (rgb(EARTH) - colour) * 0.6 * beside[..., None]
    return edged + (paved - edged) * inside[..., None]


def _blades(
    brush: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    setting: Setting,
    *,
    top: int,
    tone: Floats,
) -> None:
    """Blades of grass and flowers, from far to near; `brush` draws at twice the size."""
    view, season, wide = setting.view, setting.season, tone.shape[1]
    share = np.sort(SHORE + 0.012 + (1.02 - SHORE) * rng.random(int(26 * wide / view.unit)) ** 0.8)
    rows = share[(share < ROAD - 0.004) | (share > VERGE + 0.014)] * view.height
    count = len(rows)
    columns, flower = rng.uniform(0, wide, count), rng.random(count) < 0.012
    tall = np.maximum((rows - view.horizon) / EYE * rng.uniform(0.05, 0.17, count), 1.0)
    lean = rng.normal(0, 0.3, count) * tall
    below = tone[np.minimum(rows.astype(int) - top, len(tone) - 1), columns.astype(int)]
    inks = meadow(np.clip(below + rng.normal(0, 0.24, count), 0, 1), season.grass).astype(int)
    strokes = zip(columns * 2, (rows - top) * 2, tall * 2, lean * 2, strict=True)
    for (x, y, high, aside), colour, blooms in zip(strokes, inks.tolist(), flower, strict=True):
        brush.line((x, y, x + aside, y - high), fill=tuple(colour), width=1 if high < 14 else 2)
        if blooms:
            r = 0.16 * high + 0.8
            head = (x + aside - r, y - high - r, x + aside + r, y - high + r)
            brush.ellipse(head, fill=PETALS[int(x) % 4])


def _reeds(
    brush: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    setting: Setting,
    *,
    top: int,
    wide: int,
) -> None:
    """Reeds along the shore."""
    view, grass = setting.view, setting.season.grass
    foot = (SHORE * view.height - top + 3 * view.unit) * 2
    for x in rng.uniform(0, 2 * wide, int(wide / 6 / view.unit)):
        high = rng.uniform(6, 20) * view.unit
        tone = mix(grass[0], grass[1], rng.random())
        brush.line((x, foot, x + rng.normal(0, 0.12) * high, foot - high), fill=ink(tone), width=2)
