"""PNG pictures whose pixels are numbers of objects: palette, 16-bit grey and known colours."""

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
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from vis.records import RLE

Numbers = npt.NDArray[np.uint16]
"""`[H W]`, 0 where there is no object."""
Colour = tuple[int, int, int]

ONE_BIT = ("1",)
EIGHT_BITS = ("P", "L")
SIXTEEN_BITS = ("I;16", "I;16B", "I")
"""Pillow's names of the pixel formats; its version decides which a PNG of 16 bits gets."""
_COLOURED = ("RGB", "RGBA")


def read_numbers(
    path: Path, modes: tuple[str, ...], colours: Mapping[Colour, int] | None = None
) -> Numbers:
    """The numbers `[H W]` that a PNG file holds.

    Args:
        path: of the file.
        modes: `ONE_BIT`, `EIGHT_BITS` or `SIXTEEN_BITS`.
        colours: number of each colour, where pictures in colours are read too.

    Raises:
        InputError: there is no such file.
        DataError: it is no PNG of this kind, damaged, or too large, or has a colour of no number.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_size(image.height, image.width)
            if colours is not None and image.mode in _COLOURED:
                return _numbers_of(np.asarray(image.convert("RGB")), colours)
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


def voc_colours() -> dict[Colour, int]:
    """The number of each colour of PASCAL VOC's map."""
    return {(red, green, blue): n for n, (red, green, blue) in enumerate(_palette().tolist())}


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


def _numbers_of(pixels: npt.NDArray[np.uint8], colours: Mapping[Colour, int]) -> Numbers:
    """Numbers `[H W]` of colours `[H W 3]`."""
    codes = pixels.astype(np.int64) @ np.array([2**16, 2**8, 1])
    present, places = np.unique(codes, return_inverse=True)
    triples = [(code >> 16, code >> 8 & 255, code & 255) for code in present.tolist()]
    unknown = [n for n, triple in enumerate(triples) if triple not in colours]
    if unknown:
        y, x = np.argwhere(codes == present[unknown[0]])[0]
        raise DataError(
            f"{len(unknown)} colours are of no number, the first is {triples[unknown[0]]} at pixel "
            f"x {x}, y {y}",
            remedy="Save the numbers themselves, or colours unscaled and not as JPEG; "
            "labelmap.txt names colours of classes that are not VOC's.",
        )
    numbers = np.array([colours[triple] for triple in triples], np.uint16)
    return numbers[places].reshape(codes.shape)


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
