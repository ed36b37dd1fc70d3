"""Frames with their objects drawn on them: translucent masks, contours, boxes and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vis.errors import UsageError
from vis.ops.colours import RGB, colour
from vis.video.cutouts import Box, Cutout, cut
from vis.video.labels import Label, draw_labels
from vis.video.outlines import RIM, SHADE, THICKEST, outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.records import Frame, FrameTracks, Pixels


_Words = npt.NDArray[np.uint16]
_BAND = 32
"""Rows that are mixed at once, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class DrawStyle:
    """How objects are drawn; sizes are fractions of the picture, so that all sizes look alike.

    Raises:
        UsageError: a value is out of its range.
    """

    opacity: float = 0.45
    """How much of the picture a mask hides, 0 (nothing) to 1 (all)."""
    contour: float = 1 / 450
    """Width of contours as a fraction of the shorter side, 1 to 6 pixels; 0 draws none."""
    boxes: bool = True
    """Whether boxes are drawn."""
    labels: bool = True
    """Whether each object is labelled with its name, identity and score."""
    text: float = 1 / 42
    """Size of letters as a fraction of the picture's height; never below what can be read."""

    def __post_init__(self) -> None:
        for field, most in (("opacity", 1.0), ("contour", 0.1), ("text", 0.5)):
            value = getattr(self, field)
            if not 0 <= value <= most:
                raise UsageError(f"{value} is not from 0 to {most}", where=f"DrawStyle.{field}")


DEFAULT = DrawStyle()


@dataclass(frozen=True, slots=True)
class _Figure:
    """One object, placed in the pixels of the frame."""

    colour: RGB
    cutout: Cutout | None
    box: Box | None
    label: Label | None


def draw(
    frame: Frame,
    tracks: FrameTracks,
    *,
    names: Mapping[int, str] | None = None,
    style: DrawStyle = DEFAULT,
    cutouts: Sequence[Cutout | None] | None = None,
) -> Frame:
    """A copy of `frame` with `tracks` drawn on it, the surest on top; `frame` stays as it is.

    The colour of an object depends on its identity alone. An object that has neither pixels nor a
    box in the picture is not drawn; nor is a box without area or with a side that is NaN.

    Args:
        frame: the picture, pixels `[H W 3]`.
        tracks: its objects; masks of any resolution lie over the whole frame.
        names: a word for each category; one without a word is called `class 7`.
        style: what is drawn, and how strongly.
        cutouts: what `cut` makes of each mask in this frame, where that was asked before.
    """
    pixels = np.array(frame.pixels, order="C")
    draw_on(pixels, tracks, names=names, style=style, cutouts=cutouts)
    return replace(frame, pixels=pixels)


def draw_on(
    pixels: Pixels,
    tracks: FrameTracks,
    *,
    names: Mapping[int, str] | None = None,
    style: DrawStyle = DEFAULT,
    cutouts: Sequence[Cutout | None] | None = None,
) -> None:
    """As `draw`, onto the picture `[H W 3]` itself, which must be in one piece of memory."""
    assert pixels.flags.c_contiguous
    height, width = pixels.shape[:2]
    if cutouts is None:
        cutouts = [cut(mask, width, height) for mask in tracks.masks]
    # by identity at equal scores, so that the order does not flicker from frame to frame
    figures = [
        _figure(tracks, n, cutouts[n], names=names or {}, size=(width, height))
        for n in np.lexsort((tracks.ids, tracks.scores)).tolist()
    ]
    # layer by layer: no mask lies over another object's line, no line over a label
    _fill(pixels, figures, round(255 * style.opacity))
    thickness = min(max(1, round(style.contour * min(width, height))), THICKEST)
    if style.contour:
        for figure in figures:
            if figure.cutout:
                outline(pixels, figure.cutout, ink=figure.colour, thickness=thickness)
    if style.boxes:
        for figure in figures:
            if figure.box:
                _enclose(pixels, figure.box, ink=figure.colour, thickness=max(1, thickness // 2))
    if style.labels:
        labels = [figure.label for figure in figures if figure.label]
        draw_labels(pixels, labels, round(style.text * height))


def _figure(
    tracks: FrameTracks,
    n: int,
    cutout: Cutout | None,
    *,
    names: Mapping[int, str],
    size: tuple[int, int],
) -> _Figure:
    """Row `n` of `tracks` in a picture of `size`, width and height."""
    identity, category = int(tracks.ids[n]), int(tracks.labels[n])
    ink, label = colour(identity), None
    box = _pixel_box(tracks.boxes[n], *size)
    anchor = box or (cutout and cutout.box)
    if anchor:
        name = names.get(category, f"class {category}")
        label = Label(name, identity, float(tracks.scores[n]), ink, anchor)
    return _Figure(ink, cutout, box, label)


def _pixel_box(box: npt.NDArray[np.float32], width: int, height: int) -> Box | None:
    """The part of a box in the picture, at least a pixel; None where there is no area."""
    x0, y0, x1, y1 = (float(side) for side in box.clip(0, 1))
    if not (x0 < x1 and y0 < y1):  # also where a side is NaN
        return None
    left, top = min(round(x0 * width), width - 1), min(round(y0 * height), height - 1)
    return left, top, max(round(x1 * width), left + 1), max(round(y1 * height), top + 1)


def _fill(pixels: Pixels, figures: Sequence[_Figure], opacity: int) -> None:
    """Lay all masks over the picture; `opacity` is 0 to 255."""
    rows = pixels.reshape(len(pixels), -1)
    for figure in figures:
        if figure.cutout and opacity:
            x0, y0, x1, y1 = figure.cutout.box
            ink = np.tile(np.array(figure.colour, np.uint16) * np.uint16(opacity), x1 - x0)
            for top in range(0, y1 - y0, _BAND):
                inside = figure.cutout.inside[top : top + _BAND]
                # few objects fill their box: what a band has of one is narrower
                columns = np.flatnonzero(inside.any(axis=0))
                if len(columns):
                    left, right = int(columns[0]), int(columns[-1]) + 1
                    part = rows[
                        y0 + top : y0 + top + len(inside), 3 * (x0 + left) : 3 * (x0 + right)
                    ]
                    _tint(part, inside[:, left:right], ink[: 3 * (right - left)], opacity)


def _tint(part: Pixels, inside: npt.NDArray[np.bool_], ink: _Words, opacity: int) -> None:
    """Mix the ink `[3 w]`, times its opacity, into the pixels `[h 3 w]` that are inside."""
    # in 16 bits: floats would move twice the bytes, and memory is what this waits for
    mixed = part * np.uint16(255 - opacity)
    mixed += ink
    mixed += np.uint16(128)
    mixed += mixed >> np.uint16(8)
    mixed >>= np.uint16(8)  # by 255, rounded, exact up to 255 * 255 (Blinn, 1995)
    np.copyto(part, mixed, casting="unsafe", where=np.repeat(inside, 3, axis=1))


def _enclose(pixels: Pixels, box: Box, *, ink: RGB, thickness: int) -> None:
    """Draw lines along the sides of the box, inside of it, and a dark rim of a pixel outside."""
    x0, y0, x1, y1 = box
    rim = np.array(ink) * (RIM * SHADE) + 0.5
    for rows, columns in _sides((x0 - 1, y0 - 1, x1 + 1, y1 + 1), 1):
        pixels[rows, columns] = pixels[rows, columns] * (1 - RIM) + rim
    for rows, columns in _sides(box, thickness):
        pixels[rows, columns] = ink


def _sides(box: Box, thickness: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the four sides as far as the picture goes; they do not overlap."""
    x0, y0, x1, y1 = box
    top, left = min(y0 + thickness, y1), min(x0 + thickness, x1)
    bottom, right = max(y1 - thickness, top), max(x1 - thickness, left)
    yield _span(y0, top), _span(x0, x1)
    yield _span(bottom, y1), _span(x0, x1)
    yield _span(top, bottom), _span(x0, left)
    yield _span(top, bottom), _span(right, x1)


def _span(start: int, stop: int) -> slice:
    """A slice whose negative ends are before the picture, not counted from its end."""
    return slice(max(start, 0), max(stop, 0))
