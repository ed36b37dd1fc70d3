"""Shapes of CVAT's XML, and an object between the frames in which it was drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import DataError
from vis.formats.shapes import Painted, Shape, between
from vis.formats.xml_file import number, whole
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from vis.records import RLE

WITHOUT_AREA = ("polyline", "points", "cuboid", "skeleton", "tag")
"""Elements that outline nothing."""


@dataclass(frozen=True, slots=True)
class TrackShape:
    """A shape at one frame of a track."""

    frame: int
    """Of the film, as the file states it."""
    outside: bool
    """Whether the object is out of sight from here on."""
    shape: Shape
    keys: dict[str, Any] = field(default_factory=dict)
    """What else is said here: `occluded` and `attributes`."""


def parse_track_shape(element: Element) -> TrackShape:
    """One shape of a track.

    Raises:
        DataError: what is wrong with it.
    """
    outside = element.get("outside", "0") == "1"
    return TrackShape(
        whole(element.attrib, "frame"), outside, parse_shape(element), keys_of(element)
    )


def parse_shape(element: Element) -> Shape:
    """A polygon, box, ellipse or mask.

    Raises:
        DataError: what is wrong with it.
    """
    stated = element.attrib
    degrees = number(stated, "rotation") if "rotation" in stated else 0.0
    if element.tag == "box":
        values = [number(stated, key) for key in ("xtl", "ytl", "xbr", "ybr")]
        return Shape("box", tuple(values), degrees)
    if element.tag == "ellipse":
        values = [number(stated, key) for key in ("cx", "cy", "rx", "ry")]
        return Shape("ellipse", tuple(values), degrees)
    if element.tag == "polygon":
        return Shape("polygon", _points(stated.get("points", "")))
    corner = (float(whole(stated, "left")), float(whole(stated, "top")))
    return Shape("painted", corner, painted=_painted(element))


def keys_of(element: Element) -> dict[str, Any]:
    """`occluded` where it is, and the attributes of the label with their values."""
    keys: dict[str, Any] = {"occluded": True} if element.get("occluded") == "1" else {}
    attributes = {one.get("name", ""): one.text or "" for one in element.iterfind("attribute")}
    return keys | ({"attributes": attributes} if attributes else {})


def interpolated(
    shapes: Sequence[TrackShape], places: Mapping[int, int], size: tuple[int, int]
) -> Iterator[tuple[int, RLE, dict[str, Any]]]:
    """Place in the video, mask and keys of each frame that shows the object.

    Boxes, ellipses and polygons move from one drawn frame to the next (`between`); masks stay until
    they are drawn anew. The last one stays until the end.

    Args:
        shapes: in the order of their frames.
        places: number of a frame in the film -> its place in the video, rising.
        size: height and width of the video.

    Raises:
        DataError: a shape is malformed, or the video has no such frame.
    """
    frames = list(places)
    order = {frame: index for index, frame in enumerate(frames)}
    for one, other in pairwise(shapes):
        if one.frame == other.frame:
            raise DataError(f"frame {one.frame} is there twice", remedy="Keep one of the two.")
    strays = [one.frame for one in shapes if not one.outside and one.frame not in places]
    if strays:
        raise DataError(
            f"the video has no frame {strays[0]}, only {frames[0]} to {frames[-1]}",
            remedy="Give the frames of this video with --frames.",
        )
    for one, after in zip(shapes, [*shapes[1:], None], strict=True):
        if one.outside:
            continue
        mask = one.shape.mask(*size)
        end = frames[-1] + 1 if after is None else after.frame
        for index in range(order[one.frame], len(frames)):
            frame = frames[index]
            if frame >= end:
                break
            moved = one.shape
            # an end out of sight is where the object was last, not where it goes
            if after is not None and not after.outside:
                moved = between(one.shape, after.shape, (frame - one.frame) / (end - one.frame))
            yield places[frame], mask if moved == one.shape else moved.mask(*size), one.keys


def _points(text: str) -> tuple[float, ...]:
    try:
        pairs = [[float(value) for value in pair.split(",")] for pair in text.split(";")]
    except ValueError:
        pairs = []
    if not pairs or not all(len(pair) == 2 and all(map(isfinite, pair)) for pair in pairs):
        raise DataError(f"points is {text!r:.60}, not x,y;x,y;...", remedy="Draw the shape again.")
    return tuple(value for pair in pairs for value in pair)


def _painted(element: Element) -> Painted:
    """CVAT's own run lengths: by rows of the piece, the first run is background."""
    width, height = whole(element.attrib, "width"), whole(element.attrib, "height")
    check_size(height, width)
    text = element.get("rle", "")
    try:
        runs = np.array([int(run) for run in text.split(",")], np.int64)
    except (ValueError, OverflowError):
        raise DataError(f"rle is {text!r:.60}, not run lengths", remedy="Paint it again.") from None
    # each checked too: a sum may wrap round
    if (runs < 0).any() or (runs > width * height).any() or runs.sum() != width * height:
        raise DataError(
            f"the runs do not cover the piece of {width} x {height} pixels",
            remedy="Paint the mask again.",
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
