"""Colours bound to identities: vivid, the same in every run, far apart for neighbouring numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

RGB = tuple[int, int, int]
Floats = npt.NDArray[np.float64]

PALETTE = 36
"""Number of colours before they repeat."""
NEIGHBOURS = 12
"""Identities that differ by less than this get colours that nobody confuses."""

BLACK: RGB = (0, 0, 0)
WHITE: RGB = (255, 255, 255)

_FIRST: RGB = (30, 150, 255)
_LIGHTNESS = (0.65, 0.88)  # OKLab: light enough for black text, dark enough to show on white
_CHROMA = (0.12, 0.24)  # OKLab: neither greyish nor fluorescent
_GRID = range(0, 256, 17)
_REMOTE = 2.0  # how much closer colours may be whose identities are not neighbours

# Linear sRGB -> cones -> OKLab: B. Ottosson, "A perceptual color space for image processing".
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def colour(identity: int) -> RGB:
    """The colour of an identity: a function of the number alone, repeating every `PALETTE`."""
    return _palette()[identity % PALETTE]


def readable(background: RGB) -> RGB:
    """Black or white, whichever has the higher contrast on `background` (WCAG 2.2, 1.4.3)."""
    luminance = float(_linear(background) @ (0.2126, 0.7152, 0.0722))
    return BLACK if (luminance + 0.05) ** 2 >= 1.05 * 0.05 else WHITE


def oklab(rgb: npt.ArrayLike) -> Floats:
    """OKLab `[... 3]` of sRGB `[... 3]`, 0..255; distance there is how different colours look."""
    lab: Floats = np.cbrt(_linear(rgb) @ _CONES.T) @ _OPPONENTS.T
    return lab


@cache
def _palette() -> tuple[RGB, ...]:
    """Farthest-point order: each colour is the one least like its neighbours, both ways round."""
    rgb, lab = _candidates()
    indices = [int(np.linalg.norm(lab - oklab(_FIRST), axis=1).argmin())]
    distances = np.empty((PALETTE, len(lab)))
    for n in range(1, PALETTE):
        distances[n - 1] = np.linalg.norm(lab - lab[indices[-1]], axis=1)
        steps = n - np.arange(n)
        near = np.minimum(steps, PALETTE - steps) < NEIGHBOURS
        weighted = distances[:n] * np.where(near, 1.0, _REMOTE)[:, None]
        # Rounded, so that the last bit of a cube root never decides a colour.
        indices.append(int(weighted.min(axis=0).round(6).argmax()))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[indices])


def _candidates() -> tuple[npt.NDArray[np.int64], Floats]:
    """Vivid, mid-light colours on a grid: sRGB `[M 3]` and OKLab `[M 3]`."""
    rgb = np.stack(np.meshgrid(_GRID, _GRID, _GRID, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = oklab(rgb)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    fit = (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1])
    fit &= (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])
    return rgb[fit], lab[fit]


def _linear(rgb: npt.ArrayLike) -> Floats:
    """Linear light 0..1 of sRGB 0..255 (IEC 61966-2-1)."""
    unit: Floats = np.asarray(rgb, np.float64) / 255
    return np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
