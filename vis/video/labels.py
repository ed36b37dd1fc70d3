"""Labels: text on a plate of the object's colour, inside the picture and clear of other labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from vis.errors import printable
from vis.ops.colours import RGB, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import Pixels
    from vis.video.cutouts import Box

Cells = npt.NDArray[np.int64]
Letters = npt.NDArray[np.uint8]
"""`[h w]`: 0 ground, 255 letter; read-only."""

_SMALLEST = 11  # pixels; smaller letters cannot be read
_LONGEST = 32  # characters of a name
_FINER = 4  # letters are drawn larger and reduced: small ones are else spaced unevenly
_STRONGER = [round(255 * (cover / 255) ** 0.75) for cover in range(256)]
_STOPS = 32  # per axis: bounds the search for a free place among hundreds of labels


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of one object, and the box that it is said of."""

    name: str
    identity: int
    score: float
    colour: RGB
    anchor: Box


def draw_labels(pixels: Pixels, labels: Sequence[Label], size: int) -> None:
    """Draw `labels` onto `pixels`, later ones on top; letters of `size` pixels or a legible few.

    A label too wide for the picture loses its name, then its score, and is left out at last.
    """
    room = pixels.shape[1], pixels.shape[0]
    renderings = [(label, _render(label, max(size, _SMALLEST), room)) for label in labels]
    plates = [(label, letters) for label, letters in renderings if letters is not None]
    # Placed in the order of identities: scores flicker, and labels must not jump with them.
    order = sorted(range(len(plates)), key=lambda n: plates[n][0].identity)
    anchors = [plates[n][0].anchor for n in order]
    sizes = [plates[n][1].shape[::-1] for n in order]
    for n, (x, y) in sorted(zip(order, place(anchors, sizes, room), strict=True)):
        label, letters = plates[n]
        height, width = letters.shape
        pixels[y : y + height, x : x + width] = _plate(letters, label.colour)


def place(
    anchors: Sequence[Box], sizes: Sequence[tuple[int, int]], room: tuple[int, int]
) -> list[tuple[int, int]]:
    """Top-left corners of plates of `sizes` (width, height) in a picture of `room`.

    Each wants to sit on the top-left corner of its box, outside it, or inside where the picture
    ends; it moves no farther than it must to keep inside the picture, and clear of the plates
    before it where there is a free place. Every size must fit into `room`.
    """
    occupied = np.empty((len(sizes), 4), np.int64)
    for n, (anchor, (width, height)) in enumerate(zip(anchors, sizes, strict=True)):
        size = np.array((width, height))
        limit = np.array(room) - size
        above = anchor[1] - height
        preferred = np.array((anchor[0], above if above >= 0 else anchor[1]))
        x, y = _nearest(preferred.clip(0, limit), size=size, limit=limit, occupied=occupied[:n])
        occupied[n] = x, y, x + width, y + height
    return [(int(x), int(y)) for x, y in occupied[:, :2]]


def _nearest(preferred: Cells, *, size: Cells, limit: Cells, occupied: Cells) -> Cells:
    """The free corner nearest to `wish`; `wish` itself where the picture is full.

    If a plate fits anywhere, it fits where it touches other plates or the border on two sides.
    """
    if not _covers(preferred[None], size, occupied).any():
        return preferred
    xs, ys = (
        _stops(
            preferred[a], limit[a], np.concatenate([occupied[:, a] - size[a], occupied[:, a + 2]])
        )
        for a in (0, 1)
    )
    corners = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    free_corners = corners[~_covers(corners, size, occupied).any(axis=1)]
    if not len(free_corners):
        return preferred
    nearest: Cells = free_corners[np.abs(free_corners - preferred).sum(axis=1).argmin()]
    return nearest


def _covers(corners: Cells, size: Cells, occupied: Cells) -> npt.NDArray[np.bool_]:
    """`[M K]`: whether a plate of `size` at corner m would cover a part of plate k."""
    disjoint = (corners[:, None] >= occupied[:, 2:]) | (corners[:, None] + size <= occupied[:, :2])
    covers: npt.NDArray[np.bool_] = ~np.any(disjoint, axis=2)
    return covers


def _stops(preferred: int, limit: int, edges: Cells) -> Cells:
    """Along one axis: where a plate may stop, nearest to `wish` first; a bounded number."""
    stops = np.unique(np.concatenate([[preferred, 0, limit], edges]).clip(0, limit))
    nearest: Cells = stops[np.abs(stops - preferred).argsort(kind="stable")[:_STOPS]]
    return nearest


def _plate(letters: Letters, ground: RGB) -> Pixels:
    """`[h w 3]`: the letters, black or white, on their ground."""
    cover, ink = letters[..., None] / np.float32(255), np.array(readable(ground), np.float32)
    plate: Pixels = ((1 - cover) * np.array(ground) + cover * ink + 0.5).astype(np.uint8)
    return plate


def _render(label: Label, size: int, room: tuple[int, int]) -> Letters | None:
    """The fullest wording whose plate fits into `room`."""
    score, identity = f"{label.score:.2f}", f"{label.identity}"
    for words in ((f"{_shorten(label.name)} {identity}", score), (identity, score), (identity,)):
        letters = np.concatenate([_letters(word, size) for word in words], axis=1)
        if letters.shape[1] <= room[0] and letters.shape[0] <= room[1]:
            return letters
    return None


def _shorten(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


@lru_cache(maxsize=512)
def _letters(word: str, size: int) -> Letters:
    """One word with a margin; cached word by word, since scores change with every frame."""
    font = _font(size * _FINER)
    margin, height = round(0.25 * size), round(1.3 * size)
    width = math.ceil(font.getlength(word) / _FINER) + 2 * margin
    canvas = Image.new("L", (width * _FINER, height * _FINER))
    capital = -font.getbbox("H", anchor="ls")[1]
    start = margin * _FINER, (canvas.height + capital) // 2
    ImageDraw.Draw(canvas).text(start, word, fill=255, font=font, anchor="ls")
    return np.asarray(canvas.reduce(_FINER).point(_STRONGER))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
