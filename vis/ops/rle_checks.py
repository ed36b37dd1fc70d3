"""The eight checks that a run-length mask from outside passes before anything decodes it.

In this order: type and keys; size; characters; complete numbers of at most seven characters; each
run within the picture; the runs cover it exactly. `vis.ops.rle` then makes the code canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vis.errors import MaskError
from vis.ops.runs import LONGEST_NUMBER, Code, Runs, number_ends

LONGEST_SIDE = 32_768
MOST_PIXELS = 2**26
_REMEDY = "Encode the mask again with a COCO encoder, or write null where nothing is visible."


def fields(value: object) -> tuple[int, int, str | bytes | list[object]]:
    """Height, width and counts of a mask object; of the right types, not yet of sensible values."""
    if not isinstance(value, Mapping):
        raise fault(f"a mask is an object with size and counts, not {type(value).__name__}")
    missing = [key for key in ("size", "counts") if key not in value]
    if missing:
        raise fault(f"the mask has no {' and no '.join(missing)}")
    size, counts = value["size"], value["counts"]
    sides = [_whole(side) for side in size] if isinstance(size, list | tuple) else []
    if [type(side) for side in sides] != [int, int]:
        raise fault("size is not two whole numbers [height, width]")
    if not isinstance(counts, str | bytes | list):
        raise fault(f"counts is {type(counts).__name__}, not text or a list of run lengths")
    return sides[0], sides[1], counts


def check_size(height: int, width: int) -> None:
    """Refuse a picture size that no mask may have.

    Raises:
        MaskError: a side is outside 1..32768, or there are more than 2**26 pixels.
    """
    size = f"size is {_say(height)} x {_say(width)}"
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE):
        raise fault(f"{size}, each side must be 1 to {LONGEST_SIDE}")
    if height * width > MOST_PIXELS:
        raise fault(f"{size}, more than {MOST_PIXELS} pixels")


def as_bytes(counts: str | bytes) -> bytes:
    """UTF-8 turns what is not ASCII into bytes above 127, which are illegal in a code."""
    return counts if isinstance(counts, bytes) else counts.encode("utf-8", "surrogatepass")


def checked_code(counts: bytes, pixels: int) -> Code:
    """The characters as numbers of 6 bits: each legal, and every number complete."""
    _check_length(len(counts), pixels)
    # 0 to 47 wrap round to 208 and more
    code: Code = np.frombuffer(counts, np.uint8) - np.uint8(48)
    if code.max() > 63:
        at = int((code > 63).argmax())
        raise fault(f"counts has byte {counts[at]} at {at}, 48 to 111 are legal")
    if code[-1] & 32:
        raise fault(f"counts stops inside a number after {len(code)} characters")
    longest = int(np.diff(number_ends(code), prepend=-1).max())
    if longest > LONGEST_NUMBER:
        raise fault(f"counts has a number of {longest} characters, {LONGEST_NUMBER} are legal")
    return code


def listed_runs(counts: list[object], pixels: int) -> Runs:
    """The runs of an uncompressed code."""
    _check_length(len(counts), pixels)
    counts = [_whole(run) for run in counts]
    for index, run in enumerate(counts):
        if type(run) is not int:
            raise fault(f"counts[{index}] is {type(run).__name__}, not a whole number")
        if not 0 <= run <= pixels:
            raise fault(f"counts[{index}] is {_say(run)}, outside 0 to {pixels}")
    runs = np.array(counts, np.int64)
    check_runs(runs, pixels)
    return runs


def check_runs(runs: Runs, pixels: int) -> None:
    """Refuse runs that do not cover the picture exactly."""
    wrong = (runs < 0) | (runs > pixels)
    if wrong.any():
        at = int(wrong.argmax())
        raise fault(f"run {at} is {runs[at]} pixels long, outside 0 to {pixels}")
    total = int(runs.sum())
    if total != pixels:
        raise fault(f"the runs cover {total} pixels but the mask has {pixels}")


def fault(what: str) -> MaskError:
    """The error of a malformed mask, with the remedy that fits them all."""
    return MaskError(what, remedy=_REMEDY)


def _whole(number: Any) -> Any:
    """3.0, as tools that keep numbers in columns of floats write 3, as 3; all else as it is."""
    return int(number) if type(number) is float and number.is_integer() else number


def _check_length(length: int, pixels: int) -> None:
    """No mask needs more: each pixel of change costs a character, large steps pay for theirs."""
    most = 2 * pixels + 64
    if not 0 < length <= most:
        raise fault(f"counts has {length} entries, a mask of {pixels} pixels has 1 to {most}")


def _say(number: int) -> str:
    """A number for a message; a hostile one may have too many digits to be written."""
    return str(number) if abs(number) < 10**15 else "a number beyond 10**15"
