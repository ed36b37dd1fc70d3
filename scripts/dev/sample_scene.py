"""The sample's scene: cut-outs of photographs before a photograph, seen by a moving camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME_RATE = 24
DURATION = 7.0
"""Seconds; with fewer or more frames than `FRAME_RATE * DURATION` all moves faster or slower."""
CATEGORIES = {"person": 1, "cat": 17, "cup": 47}
"""Names and ids as COCO has them."""

PHOTOGRAPHS = Path(__file__).parent / "sample_photographs"
DESIGN = (640, 360)
"""Width and height of the frame in which positions and sizes are stated."""
SHUTTER, SUBFRAMES = 0.5 / FRAME_RATE, 4
"""Seconds of exposure, and the number of instants that are averaged over it: motion blur."""
VISIBLE = 0.5
"""A pixel is of the object that covers more than this share of it: so masks never overlap."""
GRAIN = 2.0
"""Standard deviation of the film grain, of 255."""

Pixels = npt.NDArray[np.uint8]
Masks = dict[int, npt.NDArray[np.bool_]]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the middle of a cut-out is, how high the cut-out is, and how far it leans."""

    x: float
    y: float
    height: float
    angle: float
    """Degrees, clockwise."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Pan `(x, y)` in pixels of the design, and zoom about the middle of the frame."""

    x: float
    y: float
    zoom: float

    @classmethod
    def at(cls, time: float) -> Camera:
        """A slow pan and zoom, and the unrest of a hand: sines without a common period."""
        shake_x = 1.2 * np.sin(9.7 * time) + 0.7 * np.sin(17.3 * time + 1) + 0.4 * np.sin(31 * time)
        shake_y = np.sin(8.3 * time + 2) + 0.6 * np.sin(19.1 * time) + 0.4 * np.sin(29 * time + 1)
        pan = 22 * np.sin(2 * np.pi * time / DURATION - 0.6)
        zoom = 1.03 + 0.03 * np.sin(2 * np.pi * time / DURATION - 1.2)
        return cls(float(pan + shake_x), float(4 * np.sin(0.8 * time) + shake_y), float(zoom))

    def project(self, pose: Pose, depth: float) -> Pose:
        """The pose as the camera sees it; what is far (`depth` < 1) moves less: parallax."""
        zoom = self.zoom**depth
        middle_x, middle_y = DESIGN[0] / 2, DESIGN[1] / 2
        return Pose(
            middle_x + zoom * (pose.x - middle_x - depth * self.x),
            middle_y + zoom * (pose.y - middle_y - depth * self.y),
            zoom * pose.height,
            pose.angle,
        )


@dataclass(frozen=True)
class Layer:
    """A photograph, or a part cut out of one, and its way through the scene."""

    file: str
    depth: float
    keyframes: tuple[tuple[float, float, float, float, float], ...]
    """Rows of time in seconds and a pose: x, y, height, angle."""
    id: int | None = None
    """Of the object in the truth; None belongs to nobody."""
    category: str = ""
    step: tuple[float, float] = (0, 0)
    """Pixels by which the gait lifts it, and steps a second."""
    blur: float = 0
    """Radius in pixels: out of focus."""

    @cached_property
    def _spline(self) -> PchipInterpolator:
        keyframes = np.array(self.keyframes)
        return PchipInterpolator(keyframes[:, 0], keyframes[:, 1:])

    def pose(self, time: float) -> Pose:
        """The pose at a time, monotone between two keyframes."""
        x, y, height, angle = self._spline(np.clip(time, 0, DURATION))
        lift, rate = self.step
        phase = np.pi * rate * time
        return Pose(x, y - lift * abs(np.sin(phase)), height, angle + 0.4 * lift * np.sin(phase))

    def picture(self, scale: float) -> Image.Image:
        """The photograph at the largest size at which it is seen, so that warping barely scales."""
        with Image.open(PHOTOGRAPHS / self.file) as photograph:
            image = photograph.convert("RGBA")
        height = max(1, round(scale * max(row[3] for row in self.keyframes)))
        width = max(1, round(height * image.width / image.height))
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        return image.filter(ImageFilter.GaussianBlur(self.blur * scale)) if self.blur else image


_CUP = (
    (0.0, 545, 124, 236, -6),
    (0.9, 520, 120, 236, 4),
    (2.3, 420, 290, 165, 7),
    (3.3, 425, 292, 160, 0),
    (4.3, 225, 190, 225, -5),
    (4.8, 150, 130, 236, -7),
    (5.7, 345, 120, 236, 2),
    (6.5, 540, 124, 240, 6),
    (7.0, 550, 126, 240, 4),
)
LAYERS = (
    Layer("rocket.jpg", 0.4, ((0, 320, 180, 500, 0), (7, 320, 180, 500, 0)), blur=1.2),
    Layer(
        "hopper.webp",
        0.9,
        (
            (0.0, 112, 268, 252, 0),
            (1.5, 328, 292, 200, 0),
            (1.95, 356, 292, 200, 0),
            (2.8, 550, 268, 258, 0),
            (3.5, 560, 268, 258, 0),
            (4.7, 800, 268, 258, 0),
            (7.0, 800, 268, 258, 0),
        ),
        id=2,
        category="person",
        step=(3, 2.0),
    ),
    Layer("saucer.webp", 0.95, _CUP),
    Layer("cup.webp", 0.95, _CUP, id=4, category="cup"),
    Layer(
        "astronaut.webp",
        1.0,
        (
            (0.0, 330, 265, 312, 0),
            (1.4, 300, 265, 312, 0),
            (1.9, 325, 265, 312, 0),
            (2.9, 430, 265, 312, 0),
            (3.6, 425, 265, 312, 0),
            (5.0, 300, 265, 312, 0),
            (7.0, 400, 265, 312, 0),
        ),
        id=1,
        category="person",
        step=(4, 1.7),
    ),
    Layer(
        "cat.webp",
        1.0,
        (
            (0.0, -300, 178, 392, 0),
            (2.2, -300, 178, 392, 0),
            (2.6, 95, 178, 392, 0),
            (3.7, 115, 182, 392, 0),
            (4.1, -300, 180, 392, 0),
            (5.4, -300, 180, 392, 0),
            (5.8, 95, 178, 392, 0),
            (7.0, 125, 182, 392, 0),
        ),
        id=3,
        category="cat",
        blur=0.7,
    ),
)
"""From the farthest to the nearest."""


def objects() -> dict[int, str]:
    """Ids and names of the categories of the scene's objects."""
    return {layer.id: layer.category for layer in LAYERS if layer.id is not None}


def render(*, frames: int, width: int, height: int) -> Iterator[tuple[Pixels, Masks]]:
    """The film: pixels `[H W 3]` and, by object id, masks `[H W]` of what is seen of it.

    An object that is hidden, or outside the frame, has no mask there.
    """
    scale = max(width / DESIGN[0], height / DESIGN[1])
    pictures = [layer.picture(scale) for layer in LAYERS]
    rng = np.random.default_rng(0)
    for index in range(frames):
        time = index * DURATION / frames
        pixels = np.zeros((height, width, 3), np.float32)
        coverage = np.zeros((len(LAYERS), height, width), np.float32)
        for instant in time + SHUTTER * (np.arange(SUBFRAMES) / SUBFRAMES - 0.5):
            _expose(pixels, coverage, pictures, float(instant), scale)
        # grain is coarser than a pixel, and of brightness alone
        grain = rng.normal(0, GRAIN, (height, width, 1)).astype(np.float32)
        grain = 0.7 * (grain + np.roll(grain, 1, axis=1))
        masks = {
            layer.id: share > VISIBLE * SUBFRAMES
            for layer, share in zip(LAYERS, coverage, strict=True)
            if layer.id is not None
        }
        developed = np.clip(pixels / SUBFRAMES + grain + 0.5, 0, 255).astype(np.uint8)
        yield developed, {owner: mask for owner, mask in masks.items() if mask.any()}


def _expose(
    pixels: Floats, coverage: Floats, pictures: list[Image.Image], time: float, scale: float
) -> None:
    """Add one instant to the colours `[H W 3]` and to what each layer covers `[L H W]`."""
    camera = Camera.at(time)
    size = pixels.shape[1::-1]
    free = np.ones(pixels.shape[:2], np.float32)
    for number in reversed(range(len(LAYERS))):  # from the nearest: each takes of what is left
        layer = LAYERS[number]
        pose = camera.project(layer.pose(time), layer.depth)
        warped = np.asarray(_warp(pictures[number], pose, size, scale), np.float32)
        alpha = free * (warped[..., 3] / 255)
        pixels += alpha[..., None] * warped[..., :3]
        coverage[number] += alpha
        free -= alpha


def _warp(image: Image.Image, pose: Pose, size: tuple[int, int], scale: float) -> Image.Image:
    """The picture in a frame of `size`, transparent around it."""
    zoom = scale * pose.height / image.height
    turn = np.radians(pose.angle)
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    x = scale * (pose.x - DESIGN[0] / 2) + size[0] / 2
    y = scale * (pose.y - DESIGN[1] / 2) + size[1] / 2
    # Pillow wants the way back: from a place in the frame to one in the picture
    inverse = (
        *(cos, sin, image.width / 2 - cos * x - sin * y),
        *(-sin, cos, image.height / 2 + sin * x - cos * y),
    )
    return image.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
