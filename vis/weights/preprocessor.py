"""What a preprocessor_config.json says of pixels: their normalisation and their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.layers.padding import DEVIATION, MEAN
from vis.models._pixels import Colour, Pixels, Resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.hub_form import Config

DARKEST_DEVIATION = 1e-6
"""A smaller one would be a division by nothing."""
MAX_SIDE = 1 << 14
BILINEAR, BICUBIC = 2, 3
"""Pillow's numbers of the ways to resize."""


def read_preprocessor(content: Config) -> Pixels:
    """From the file's content; what it does not say is ImageNet's normalisation.

    Raises:
        DataError: a number is none, or a way to resize is not known here.
    """
    scale = _number(content, "rescale_factor", 1 / 255) if _flag(content, "do_rescale") else 1.0
    mean, deviation = _colour(content, "image_mean", MEAN), _colour(content, "image_std", DEVIATION)
    if not _flag(content, "do_normalize"):
        mean, deviation = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    # a byte times their factor is ours times 255 of it
    unit = 255 * scale
    if not unit > DARKEST_DEVIATION or min(deviation) < DARKEST_DEVIATION:
        raise DataError("image_std or rescale_factor is not above 0")
    red, green, blue = (value / unit for value in mean)
    reds, greens, blues = (value / unit for value in deviation)
    return Pixels(
        mean=_rounded((red, green, blue), MEAN),
        deviation=_rounded((reds, greens, blues), DEVIATION),
        resize=_resize(content),
    )


def _rounded(values: Colour, usual: Colour) -> Colour:
    """The usual ones where they differ by nothing but the digits of 1/255."""
    same = all(abs(one - other) < 1e-6 for one, other in zip(values, usual, strict=True))
    return usual if same else values


def _resize(content: Config) -> Resize | None:
    size = content.get("size")
    if size is None or not _flag(content, "do_resize"):
        return None
    way = content.get("resample", BILINEAR)
    if way not in (BILINEAR, BICUBIC):
        raise DataError(f"resample is {way!r:.20}; 2 (bilinear) and 3 (bicubic) are read")
    if type(size) is int:  # files of 2022 and before
        size = {"shortest_edge": size, "longest_edge": content.get("max_size")}
    if isinstance(size, dict) and size.get("shortest_edge"):
        longest = _side(size, "longest_edge") if size.get("longest_edge") else None
        short = _side(size, "shortest_edge")
        return Resize(short=short, longest=longest, bicubic=way == BICUBIC)
    if isinstance(size, dict) and size.get("height") and size.get("width"):
        height, width = _side(size, "height"), _side(size, "width")
        return Resize(height=height, width=width, bicubic=way == BICUBIC)
    raise DataError(f"size is {size!r:.80}, which is not read")


def _side(size: Mapping[str, Any], key: str) -> int:
    value = size[key]
    if type(value) is not int or not 1 <= value <= MAX_SIDE:
        raise DataError(f"size.{key} is {value!r:.40}, not pixels from 1 to {MAX_SIDE}")
    return value


def _flag(content: Config, key: str) -> bool:
    value = content.get(key, True)
    if not isinstance(value, bool):
        raise DataError(f"{key} is {value!r:.40}, not true or false")
    return value


def _number(content: Config, key: str, default: float) -> float:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{key} is {value!r:.40}, not a number")
    return float(value)


def _colour(content: Config, key: str, default: Colour) -> Colour:
    values = content.get(key)
    if values is None:
        return default
    if not isinstance(values, list) or len(values) != 3:
        raise DataError(f"{key} is {values!r:.80}, not three numbers")
    red, green, blue = (_number({key: value}, key, 0.0) for value in values)
    return red, green, blue
