"""What only turns with the camera: sky, mountains, the forest and village of the far shore."""

from __future__ import annotations

import numpy as np
from lakeside.painting import Floats, Light, folded, noise, rgb, step
from lakeside.setting import Setting, Tone, blend, mix
from PIL import Image, ImageDraw
from scipy import ndimage


def sky(rng: np.random.Generator, setting: Setting, wide: int) -> Image.Image:
    """Clouds in perspective over a gradient, down to the horizon."""
    view, season, light = setting.view, setting.season, setting.light
    high = int(view.horizon)
    up = np.linspace(1, 0, high, dtype=np.float32)[:, None]
    x = (np.arange(wide, dtype=np.float32)[None] - wide / 2) / view.unit
    colour = blend(np.broadcast_to(up**0.75, (high, wide)), season.low, season.zenith)
    glow = np.exp(-((x / 220 - 0.8 * light.side) ** 2)) * (1 - up) ** 2
    colour = colour + glow[..., None] * 40 * rgb(season.sun)
    distance = 1 / (up + 0.6)
    rows, columns = np.broadcast_arrays(distance * 230, x * distance * 0.8 + 700)
    tile = noise(rng, (700, 1400), cell=120.0, octaves=6)
    thick = ndimage.map_coordinates(tile, (rows, columns), order=1, mode="mirror")
    sunwards = ndimage.map_coordinates(
        tile, (rows - 5, columns + 7 * light.side), order=1, mode="mirror"
    )
    cover = step(thick, 0.0, 0.8) * (0.45 + 0.55 * step(up, 0.0, 0.3))
    bright = np.clip(0.72 + 0.55 * (thick - sunwards), 0.35, 1.08)[..., None]
    cloud = bright * rgb(season.cloud) + (1 - bright) * 0.75 * rgb(season.haze)
    colour = colour * (1 - cover[..., None]) + cloud * cover[..., None]
    return Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))


def far_shore(rng: np.random.Generator, setting: Setting, wide: int) -> Image.Image:
    """Mountains with snow, hills, a forest and a village; RGBA, down to the horizon."""
    view, season, light = setting.view, setting.season, setting.light
    high, unit = int(view.horizon), view.unit
    peaks = 54 * unit + ridge(rng, wide, cell=122 * unit, octaves=6) * 20 * unit
    hills = 27 * unit + ridge(rng, wide, cell=180 * unit, octaves=5) * 11 * unit
    trees = 12 * unit + ridge(rng, wide, cell=108 * unit, octaves=4) * 3 * unit
    trees = trees + np.abs(ridge(rng, wide, cell=7 * unit, octaves=2)) * 3 * unit
    above = high - np.arange(high, dtype=np.float32)[:, None]
    picture = Image.new("RGBA", (wide, high))
    crags = _crags(rng, above / unit, np.arange(wide) / unit)
    rock = _lit(np.broadcast_to(rgb(season.rock), (high, wide, 3)), crags, light)
    picture.alpha_composite(
        _range(_snowed(rock, crags, above / peaks), peaks, above, haze=season.haze, mist=0.4)
    )
    for heights, share, mist in ((hills, 0.6, 0.4), (trees, 1.0, 0.16)):
        tone: Tone = mix(season.rock, season.forest, share)
        rough = noise(rng, (high, wide), cell=9 * unit)
        colour = _lit(np.broadcast_to(rgb(tone), (high, wide, 3)), rough, light)
        picture.alpha_composite(_range(colour, heights, above, haze=season.haze, mist=mist))
    _village(picture, rng, unit)
    return picture


def ridge(rng: np.random.Generator, wide: int, *, cell: float, octaves: int) -> Floats:
    """A jagged line `[wide]` of mean 0."""
    line: Floats = noise(rng, (4, wide), cell=cell, octaves=octaves)[0]
    return line


def _crags(rng: np.random.Generator, above: Floats, across: Floats) -> Floats:
    """Gullies that run down to both sides, `[h w]`."""
    tile = noise(rng, (400, 2000), cell=34.0, octaves=4)
    x = across[None].astype(np.float32) + 300
    rows = np.broadcast_to(above * 0.7, (len(above), len(across)))
    left, right = (folded(tile, rows, x + lean * above) for lean in (0.8, -0.7))
    gullies: Floats = 1.5 - np.abs(left) - np.abs(right)
    return gullies


def _lit(colour: Floats, rough: Floats, light: Light) -> Floats:
    """`colour` with the slopes of `rough` lit from the side."""
    slope = np.gradient(ndimage.gaussian_filter(rough, 0.8), axis=1) * -light.side
    lit: Floats = colour * (0.8 + 0.18 * np.clip(slope / (slope.std() + 1e-6), -2, 2))[..., None]
    return lit


def _snowed(rock: Floats, crags: Floats, up: Floats) -> Floats:
    """`rock` with snow, more of it higher up; `up` is 1 at the ridge."""
    white = step(up + 0.16 * crags, 0.72, 0.9)[..., None] * 0.9
    bright = 0.18 + 0.8 * rock.mean(axis=-1, keepdims=True) / max(float(rock.mean()), 1.0)
    snowed: Floats = rock * (1 - white) + rgb((238, 242, 250)) * bright * white
    return snowed


def _range(
    colour: Floats, heights: Floats, above: Floats, *, haze: Tone, mist: float
) -> Image.Image:
    """A range of hills up to `heights`, in haze that is thickest at its foot."""
    veil = np.clip(mist + 0.35 * (1 - above / heights.max()), 0, 0.92)[..., None]
    colour = colour * (1 - veil) + rgb(haze) * veil
    cover = np.clip(heights[None] - above + 0.5, 0, 1) * 255
    return Image.fromarray(np.clip(np.dstack((colour, cover)), 0, 255).astype(np.uint8))


def _village(picture: Image.Image, rng: np.random.Generator, unit: float) -> None:
    """Some houses and a church by the water."""
    large = Image.new("RGBA", (picture.width * 4, picture.height * 4))
    brush, size, base = ImageDraw.Draw(large), 4 * unit, large.height - 2 * unit
    start = rng.uniform(0.42, 0.6) * large.width
    for k in range(8):
        x, up = start + (k * 12 + rng.uniform(-3, 3)) * size, base - rng.uniform(0, 2) * size
        w, h = rng.uniform(7, 10) * size, rng.uniform(4, 6) * size
        brush.rectangle((x, up - h, x + w, base), fill=(228, 220, 204))
        eaves = (x - size, up - h, x + w + size, up - h)
        brush.polygon((*eaves, x + 0.8 * w, up - 1.8 * h, x + 0.2 * w, up - 1.8 * h), (168, 88, 66))
        for side in (0.2, 0.6):
            pane = (x + side * w, up - 0.7 * h, x + (side + 0.16) * w, up - 0.35 * h)
            brush.rectangle(pane, fill=(92, 96, 110))
    x, up = start + 38 * size, base - 16 * size
    brush.rectangle((x, up, x + 5 * size, base), fill=(236, 228, 212))
    brush.polygon((x - size, up, x + 6 * size, up, x + 2.5 * size, up - 12 * size), (120, 84, 80))
    picture.alpha_composite(large.reduce(4))
