"""Memory of pictures that is used again once nobody holds the picture."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING
from weakref import finalize

import numpy as np

if TYPE_CHECKING:
    from vis.records import Pixels


class Pool:
    """Arrays whose memory comes back with the last view of them.

    Frames are made in one thread and dropped in another, many frames later. Memory that is freed so
    leaves holes, which grow with the length of a video; memory that is used again leaves none.

    Args:
        most: arrays whose memory is kept while nobody holds them.
    """

    def __init__(self, most: int) -> None:
        self._free: deque[Pixels] = deque(maxlen=most)

    def empty(self, shape: tuple[int, ...]) -> Pixels:
        """An array as whoever had its memory before has left it."""
        block = self._block(math.prod(shape))
        # a buffer between the two: numpy would else make the block the owner of all views
        array = np.frombuffer(block.data, np.uint8)
        finalize(array, self._free.append, block).atexit = False
        return array.reshape(shape)

    def _block(self, size: int) -> Pixels:
        while True:
            try:
                block = self._free.pop()
            except IndexError:
                return np.empty(size, np.uint8)
            if block.size == size:
                return block
