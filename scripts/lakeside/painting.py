"""From shapes to sprites: filling with supersampling, and light on the relief of a figure.

A figure is a list of shapes in metres. Each has a height towards the viewer; the heights are
blurred to a rounded surface, and its slopes are lit by the sun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from lakeside.outlines import Curve, turned
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.floating]
Colour = tuple[int, ...]
"""RGB 0..255, or RGB with opacity."""
Pair = tuple[Colour, Colour]
"""First and second colour of a figure."""

SAMPLES = 4
"""Samples of a pixel along each axis."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One filled outline; without a height it is a decal, which colours what lies below it."""

    outline: Curve
    colour: Colour
    height: float | None = None
    """Metres that it stands out towards the viewer."""


@dataclass(frozen=True, slots=True)
class Surface:
    """How a figure takes light."""

    softness: float
    """Metres over which edges are rounded."""
    gloss: float = 0.0
    grain: float = 0.0
    """Strength of the surface noise."""
    cells: tuple[float, float] = (10.0, 10.0)
    """Cells of that noise per metre along x and y: unequal numbers make fur or bark."""


@dataclass(frozen=True, slots=True)
class Light:
    """The sun of a scene; `side` is -1 where it stands to the left and 1 to the right."""

    side: float
    sun: tuple[float, float, float]
    ambient: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure stands: pixel of its origin, pixels per metre, radians anticlockwise."""

    x: float
    y: float
    scale: float
    turn: float = 0.0
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Sprite:
    """A painted figure: an RGBA picture, and the pixel of its top left corner."""

    image: Image.Image
    x: int
    y: int

    def within(self, size: tuple[int, int]) -> Sprite | None:
        """The part that lies in a frame of `size` (width, height)."""
        left, top = max(self.x, 0), max(self.y, 0)
        right = min(self.x + self.image.width, size[0])
        bottom = min(self.y + self.image.height, size[1])
        if right <= left or bottom <= top:
            return None
        box = (left - self.x, top - self.y, right - self.x, bottom - self.y)
        return Sprite(self.image.crop(box), left, top)


def darker(colour: Colour, factor: float) -> Colour:
    """`colour` times `factor`, still a colour."""
    return tuple(int(min(255, channel * factor)) for channel in colour)


def rgb(colour: Sequence[float]) -> Floats:
    """A colour as numbers to calculate with."""
    return np.asarray(colour, np.float32)


def moved(shapes: list[Shape], x: float, y: float) -> list[Shape]:
    """The shapes, so many metres farther to the right and up."""
    return [Shape(shape.outline + np.array((x, y)), shape.colour, shape.height) for shape in shapes]


def paint(
    shapes: list[Shape], place: Place, light: Light, *, surface: Surface, limits: tuple[int, int]
) -> Sprite | None:
    """Draw a figure; None where it lies outside a frame of `limits` (width, height) pixels."""
    placed = [_placed(shape.outline, place) for shape in shapes]
    solid = [curve for curve, shape in zip(placed, shapes, strict=True) if shape.height is not None]
    corners = np.concatenate(solid)
    low = np.maximum(np.floor(corners.min(0)).astype(int) - 2, -8)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 3, np.asarray(limits) + 8)
    if (high - low < 3).any():
        return None
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    local = [(curve - low) * SAMPLES for curve in placed]
    picture, relief = _filled(shapes, local, size=size, scale=place.scale)
    rest = Place(place.x - low[0], place.y - low[1], place.scale, place.turn, place.mirror)
    lit = _lit(picture, relief, rest, light=light, surface=surface)
    return Sprite(lit, int(low[0]), int(low[1]))


def shadow(sprite: Sprite, foot: float, light: Light) -> Sprite:
    """The shadow of what stands at row `foot`: it falls from behind towards the camera."""
    low, along = 0.34, -0.75 * light.side
    tall, wide = max(foot - sprite.y, 1.0), sprite.image.width
    reach = along * tall
    left, top = int(sprite.x + min(reach, 0)) - 6, int(foot - 0.05 * wide) - 4
    size = (int(wide + abs(reach)) + 12, int(low * tall + 0.1 * wide) + 12)
    # The sprite at (x - along * h, foot - h) shades the ground at (x, foot + low * h).
    from_left = left - sprite.x + along / low * (foot - top)
    matrix = (1, -along / low, from_left, 0, -1 / low, foot - sprite.y - (top - foot) / low)
    cover = sprite.image.getchannel("A").transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    middle = (sprite.x - left + wide / 2, foot - top)
    contact = (middle[0] - 0.44 * wide, middle[1] - 0.03 * wide)
    ImageDraw.Draw(cover).ellipse(
        (*contact, 2 * middle[0] - contact[0], 2 * middle[1] - contact[1]), fill=150
    )
    soft = cover.filter(ImageFilter.GaussianBlur(max(tall / 70, 0.7))).point(lambda a: a * 0.58)
    picture = Image.new("RGBA", size, (16, 22, 40))
    picture.putalpha(soft)
    return Sprite(picture, left, top)


def noise(
    rng: np.random.Generator, shape: tuple[int, int], *, cell: float, octaves: int = 4
) -> Floats:
    """Value noise `[h w]` of mean 0 and spread 1; `cell` is its coarsest detail in pixels."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1.0)
        grid = rng.standard_normal([int(side / size) + 4 for side in shape]).astype(np.float32)
        box = (1.0, 1.0, 1.0 + shape[1] / size, 1.0 + shape[0] / size)
        layer = Image.fromarray(grid).resize(shape[::-1], Image.Resampling.BICUBIC, box=box)
        total += np.asarray(layer) * np.float32(0.5**octave)
    even: Floats = (total - total.mean()) / (total.std() + 1e-6)
    return even


def folded(tile: Floats, rows: Floats, columns: Floats) -> Floats:
    """`tile` read at any rows and columns: it goes on as its mirror image, so no seam shows."""
    indices = []
    for values, size in zip((rows, columns), tile.shape, strict=True):
        inside = values.astype(np.int32) % (2 * size - 2)
        indices.append(np.minimum(inside, 2 * size - 2 - inside))
    read: Floats = tile[indices[0], indices[1]]
    return read


def step(values: Floats, low: float, high: float) -> Floats:
    """Smooth step from 0 at `low` to 1 at `high`."""
    share = np.clip((values - low) / (high - low), 0, 1)
    stepped: Floats = share * share * (3 - 2 * share)
    return stepped


_GRAIN = noise(np.random.default_rng(7), (512, 512), cell=8.0, octaves=3)


def _placed(curve: Curve, place: Place) -> Curve:
    flipped = curve * ((-1, 1) if place.mirror else (1, 1))
    upright = turned(flipped, place.turn) if place.turn else flipped
    return upright * (place.scale, -place.scale) + (place.x, place.y)


def _filled(
    shapes: list[Shape], outlines: list[Curve], *, size: tuple[int, int], scale: float
) -> tuple[Image.Image, Floats]:
    """Coloured picture (RGBA) and relief in pixels, averaged down from `SAMPLES` times the size."""
    large = (size[0] * SAMPLES, size[1] * SAMPLES)
    colour, cover, relief = (Image.new(mode, large) for mode in ("RGB", "L", "F"))
    brush, stencil = ImageDraw.Draw(colour, "RGBA"), ImageDraw.Draw(cover)
    chisel = ImageDraw.Draw(relief)
    for shape, curve in zip(shapes, outlines, strict=True):
        corners = curve.ravel().tolist()
        brush.polygon(corners, fill=shape.colour)
        if shape.height is not None:
            stencil.polygon(corners, fill=255)
            chisel.polygon(corners, fill=shape.height * scale)
    colour.putalpha(cover)
    return colour.reduce(SAMPLES), np.asarray(relief.reduce(SAMPLES))


def _lit(
    picture: Image.Image,
    relief: Floats,
    place: Place,
    *,
    light: Light,
    surface: Surface,
) -> Image.Image:
    """`picture` with sunlight, skylight and surface noise."""
    values = np.array(picture)
    blur = max(surface.softness * place.scale, 0.6)
    broad, fine = (ndimage.gaussian_filter(relief, sigma) for sigma in (blur, blur / 3))
    down, right = np.gradient(0.6 * broad + 0.4 * fine)
    upright = 1 / np.sqrt(1 + down**2 + right**2)
    sunny = np.clip((0.6 - 0.5 * light.side * right + 0.62 * down) * upright, 0, 1.2)
    sky = 0.75 + 0.25 * down * upright
    shade = sunny[..., None] * rgb(light.sun) + sky[..., None] * rgb(light.ambient)
    if surface.grain:
        shade *= 1 + surface.grain * _grain(relief.shape, place, surface)[..., None]
    lit = values[..., :3] * shade
    if surface.gloss:
        lit += 2040 * surface.gloss * np.clip(sunny - 0.72, 0, 1)[..., None] ** 2
    values[..., :3] = np.clip(lit, 0, 255)
    return Image.fromarray(values)


def _grain(shape: tuple[int, ...], place: Place, surface: Surface) -> Floats:
    """Noise fixed to the figure: it moves, turns and grows with it."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    x, y = (columns - place.x) / place.scale, (place.y - rows) / place.scale
    c, s = np.cos(place.turn), np.sin(place.turn)
    across, up = (c * x + s * y) * (-1 if place.mirror else 1), c * y - s * x
    cells = surface.cells[1] * 8, surface.cells[0] * 8
    return folded(_GRAIN, np.floor(up * cells[0]) + 256, np.floor(across * cells[1]) + 256)
