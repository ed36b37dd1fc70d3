"""Label Studio's brush: the four channels of a canvas, packed in bits as runs and single values.

After 32 bits with the number of values, 5 with the width of a value and four times 4 with the
widths of lengths (each less 1), each block is one bit (a run or single values), two that choose the
width of its length, the length less 1, then one value or all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vis.errors import DataError
from vis.formats.fields import describe

_CHANNELS = 4
_OPAQUE = 3
"""The channel that says where people brushed."""


def unpack_brush(code: object, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The mask `[H W]` of a packed brush.

    Raises:
        DataError: the code is no list of bytes, ends too early, or is of another size.
    """
    if not isinstance(code, list) or not all(type(v) is int and 0 <= v < 256 for v in code):
        raise DataError(f"rle is {describe(code)}, not a list of bytes", remedy="Brush it again.")
    count = height * width * _CHANNELS
    values = _Bits(np.unpackbits(np.array(code, np.uint8))).values(count)
    return values.reshape(height, width, _CHANNELS)[..., _OPAQUE] > 0


class _Bits:
    """Numbers one after the other from bits, the highest bit of each first."""

    def __init__(self, bits: npt.NDArray[np.uint8]) -> None:
        self._bits, self._at = bits, 0

    def values(self, count: int) -> npt.NDArray[Any]:
        """All values of a code that says it has `count`."""
        stated = self._number(32)
        if stated != count:
            raise DataError(
                f"rle has {stated} values, a picture of this size has {count}",
                remedy="Correct original_width and original_height, or brush it again.",
            )
        width = self._number(5) + 1
        length_widths = [self._number(4) + 1 for _ in range(4)]
        values = np.zeros(count, np.int64)
        at = 0
        while at < count:
            is_run = self._number(1)
            end = min(at + 1 + self._number(length_widths[self._number(2)]), count)
            values[at:end] = self._numbers(1 if is_run else end - at, width)
            at = end
        return values

    def _number(self, width: int) -> int:
        return int(self._numbers(1, width)[0])

    def _numbers(self, count: int, width: int) -> npt.NDArray[np.int64]:
        end = self._at + count * width
        if end > len(self._bits):
            raise DataError("rle ends inside a block", remedy="Export it again, or brush it again.")
        bits = self._bits[self._at : end].reshape(count, width).astype(np.int64)
        self._at = end
        return bits @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))
