"""Changes of colour: all of them are one affine map of red, green and blue, clipped once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

    from vis.datasets.config import Colours
    from vis.datasets.raw_clip import RawClip

Map = npt.NDArray[np.float64]
"""`[3 4]`: a matrix and, in the last column, what is added to it, in pixels of 0..255."""

_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Brightness and two axes of colour (NTSC)."""
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True, slots=True)
class Photometric:
    """Random colours; brightness, contrast, hue and saturation as in SSD, without its overflow.

    Hue and saturation turn and stretch the plane of colours at equal brightness (YIQ), not the
    hexagons of HSV: that is linear, so all changes together are one map.
    """

    colours: Colours

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """One draw for all frames, or one for each where the settings say so."""
        if self.colours.each_frame:
            maps = [drawn_map(self.colours, random) for _ in clip.frames]
        else:
            maps = [drawn_map(self.colours, random)] * len(clip.frames)
        return replace(clip, frames=recoloured(clip.frames, maps))


def drawn_map(colours: Colours, random: np.random.Generator) -> Map:
    """A random map; each change is part of it with probability 1/2."""
    matrix = np.eye(3, 4)
    if random.random() < 0.5:
        matrix[:, 3] += random.uniform(-colours.brightness, colours.brightness)
    if random.random() < 0.5:
        matrix *= 1 + random.uniform(-colours.contrast, colours.contrast)
    stretch, angle = 1.0, 0.0
    if random.random() < 0.5:
        stretch += random.uniform(-colours.saturation, colours.saturation)
    if random.random() < 0.5:
        angle = np.deg2rad(random.uniform(-colours.hue, colours.hue))
    matrix = _turned(stretch, angle) @ matrix
    if colours.channel_shuffle and random.random() < 0.5:
        # rows of the map are the new channels: exchanging them exchanges the colours
        matrix = matrix[random.permutation(3)]
    return matrix


def recoloured(frames: Tensor, maps: list[Map]) -> Tensor:
    """Frames `[T 3 H W]` uint8, each by its map; rounded, and clipped to 0..255."""
    pixels = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())
    done = np.empty_like(pixels)
    for place, picture, colour_map in zip(done, pixels, maps, strict=True):
        numbers = tuple(colour_map.ravel().tolist())
        # Pillow rounds and clips once, at the end; sums of bytes would overflow, as SSD's did
        place[...] = Image.fromarray(picture).convert("RGB", numbers)
    return torch.from_numpy(done).permute(0, 3, 1, 2)


def _turned(stretch: float, angle: float) -> Map:
    """`[3 3]`: colours `stretch` times as far from grey and turned by `angle` radians."""
    inner = np.eye(3)
    cosine, sine = stretch * np.cos(angle), stretch * np.sin(angle)
    inner[1:, 1:] = [[cosine, -sine], [sine, cosine]]
    turned: Map = _FROM_YIQ @ inner @ _TO_YIQ
    return turned
