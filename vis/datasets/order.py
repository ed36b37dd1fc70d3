"""Randomness as a function: of the seed and of what is drawn, never of what was drawn before."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_ORDER = 1 << 63
"""Separates the draws of an order from those of a sample under the same seed."""


def random_of(seed: int, number: int) -> np.random.Generator:
    """The random numbers of one sample: the `number`-th of the training, from 0."""
    # Philox is a function of a counter: any sample's numbers come at once, without those before
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))


def item_of(seed: int, number: int, items: int) -> int:
    """Which item of so many sample `number` shows: each round shows every item once."""
    order = _order(seed, number // items, items)
    return int(order[number % items])


@lru_cache(maxsize=2)  # a batch may span two epochs
def _order(seed: int, epoch: int, items: int) -> npt.NDArray[np.int64]:
    return random_of(seed, _ORDER | epoch).permutation(items)
