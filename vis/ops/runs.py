"""The arithmetic of COCO's compressed run lengths; `vis.ops.rle` checks before and after.

A number is written in characters of 5 bits, lowest first; bit 5 of a character says that the number
goes on, bit 4 of the last one is its sign, and 48 is added to make it printable. From the fourth
number of a code on, a number is the difference to the run two before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Code = npt.NDArray[np.uint8]
"""The characters of a code less 48: 0 to 63."""
Runs = npt.NDArray[np.int64]
"""Lengths of runs of 0 and 1 in turn, beginning with 0."""
Indices = npt.NDArray[np.int64]

LONGEST_NUMBER = 7
"""Characters of one number: 35 bits, enough for a run of any mask that we accept."""


def number_ends(code: Code) -> Indices:
    """Where the last character of each number stands."""
    return np.flatnonzero(code < 32)


def is_shortest(code: Code, ends: Indices) -> bool:
    """Whether no number carries a last character that only repeats its sign."""
    long = ends[np.diff(ends, prepend=-1) > 1]
    sign = (code[long - 1] & 16) > 0
    return not np.any(code[long] == np.where(sign, 31, 0))


def unpack(code: Code, ends: Indices, firsts: Indices) -> Runs:
    """The runs of one or more codes in a row, whose first numbers are those at `firsts`."""
    numbers = _numbers(code, ends)
    lengths = np.diff(firsts, append=len(numbers))
    position = np.arange(len(numbers)) - np.repeat(firsts, lengths)
    odd = position % 2 == 1
    ones = np.cumsum(np.where(odd, numbers, 0))
    zeros = np.cumsum(np.where(odd | (position == 0), 0, numbers))
    ones -= np.repeat(ones[firsts], lengths)
    zeros -= np.repeat(zeros[firsts], lengths)
    runs: Runs = np.where(odd, ones, zeros)
    runs[firsts] = numbers[firsts]
    return runs


def pack(runs: Runs) -> bytes:
    """The code of runs, each number as short as it can be."""
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    characters = np.zeros((len(runs), LONGEST_NUMBER), np.uint8)
    going = np.ones(len(runs), np.bool_)
    for place in range(LONGEST_NUMBER):
        bits = numbers & 31
        numbers >>= 5
        goes_on = numbers != np.where(bits >= 16, -1, 0)
        characters[:, place] = np.where(going, bits + 32 * goes_on + 48, 0)
        going &= goes_on
        if not going.any():
            break
    return characters[characters > 0].tobytes()


def _numbers(code: Code, ends: Indices) -> Runs:
    lengths = np.diff(ends, prepend=-1)
    starts = ends - lengths + 1
    place = np.arange(len(code)) - np.repeat(starts, lengths)
    numbers: Runs = np.add.reduceat((code & 31).astype(np.int64) << (5 * place), starts)
    numbers -= (code[ends] >= 16).astype(np.int64) << (5 * lengths)
    return numbers
