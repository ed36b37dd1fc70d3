"""PNG pictures whose pixels are numbers of objects: palette pictures and 16-bit grey ones."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from vis.errors import DataError, InputError, MaskError
from vis.ops.pictures import FAULTS
from vis.ops.rle import decode, encode
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vis.records import RLE

Numbers = npt.NDArray[np.uint16]
"""`[H W]`, 0 where there is no object."""

ONE_BIT = ("1",)
EIGHT_BITS = ("P", "L")
SIXTEEN_BITS = ("I;16", "I;16B", "I")
"""Pillow's names of the pixel formats; its version decides which a PNG of 16 bits gets."""


def read_numbers(path: Path, modes: tuple[str, ...]) -> Numbers:
    """The numbers `[H W]` that a PNG file holds.

    Args:
        path: of the file.
        modes: `ONE_BIT`, `EIGHT_BITS` or `SIXTEEN_BITS`.

    Raises:
        InputError: there is no such file.
        DataError: it is no PNG of this kind, damaged, or too large.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_size(image.height, image.width)
            # a palette picture saved again in colours looks the same and has lost the numbers
            if image.mode not in modes:
                raise DataError(
                    f"the pixels are of the kind {image.mode}, not {' or '.join(modes)}: "
                    "which object each belongs to cannot be told",
                    remedy="Save the numbers of the objects, not their colours.",
                )
            return np.asarray(image).astype(np.uint16)
    except (DataError, MaskError):
        raise
    except FileNotFoundError:
        raise InputError("there is no such file", remedy="Check the path.") from None
    except FAULTS as error:
        raise DataError(
            f"this is no whole PNG picture ({error})", remedy="Make or fetch it again."
        ) from None


def is_one_bit(path: Path) -> bool:
    """Whether a PNG file holds one object and its background alone; false of an unsound one."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.mode in ONE_BIT
    except (OSError, *FAULTS):
        return False


def layers(numbers: Numbers) -> dict[int, RLE]:
    """The mask of each number but 0."""
    present = np.flatnonzero(np.bincount(numbers.ravel()))
    return {int(number): encode(numbers == number) for number in present if number}


def paint(masks: Iterable[tuple[int, RLE]], height: int, width: int) -> Numbers:
    """Masks with their numbers, each over those before it."""
    numbers = np.zeros((height, width), np.uint16)
    for number, mask in masks:
        numbers[decode(mask)] = number
    return numbers


def palette_png(numbers: Numbers) -> bytes:
    """An 8-bit PNG in the colours of PASCAL VOC and DAVIS."""
    assert numbers.max(initial=0) < 256
    image = Image.fromarray(numbers.astype(np.uint8)).convert("P")
    image.putpalette(_palette().tobytes())
    return _png(image)


def wide_png(numbers: Numbers) -> bytes:
    """A 16-bit grey PNG."""
    return _png(Image.fromarray(numbers))


def _palette() -> npt.NDArray[np.uint8]:
    """`[256 3]`: bits 0, 3, 6 of the number are red from the top, 1, 4, 7 green, 2, 5 blue."""
    number = np.arange(256)
    channels = [
        sum(((number >> (3 * step + channel)) & 1) << (7 - step) for step in range(3))
        for channel in range(3)
    ]
    return np.stack(channels, axis=1).astype(np.uint8)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
