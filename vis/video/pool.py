"""Memory of pictures that is used again once nobody holds the picture."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

if TYPE_CHECKING:
    from vis.records import Pixels


class Pool:
    """Arrays whose memory comes back with the last view of them.

    Frames are made in one thread and dropped in another, many frames later. Memory that is freed so
    leaves holes, which grow with the length of a video; memory that is used again leaves none.

    A view is dropped anywhere, so nothing written in Python runs then: an interrupt that came just
    at that moment would be lost.

    Args:
        most: arrays whose memory is kept while nobody holds them.
    """

    def __init__(self, most: int) -> None:
        self._free: deque[Pixels] = deque(maxlen=most)
        self._leases: dict[int, _Lease] = {}
        self._returned: deque[_Lease] = deque()

    def empty(self, shape: tuple[int, ...]) -> Pixels:
        """An array as whoever had its memory before has left it."""
        block = self._block(math.prod(shape))
        # a buffer between the two: numpy would else make the block the owner of all views
        array = np.frombuffer(block.data, np.uint8)
        lease = _Lease(array, self._returned.append)
        lease.block = block
        self._leases[id(lease)] = lease
        return array.reshape(shape)

    def _block(self, size: int) -> Pixels:
        with suppress(IndexError):
            while True:
                lease = self._returned.popleft()
                if self._leases.pop(id(lease), None):  # an interrupt may have come before it was
                    self._free.append(lease.block)
        with suppress(IndexError):
            while True:
                block = self._free.pop()
                if block.size == size:
                    return block
        return np.empty(size, np.uint8)


class _Lease(ref):  # type: ignore[type-arg]
    """Of the memory of one array."""

    __slots__ = ("block",)
    block: Pixels
