"""Whether the packets of an MPEG transport stream stand where they should, each where one ends.

FFmpeg looks for the next packet after damage, and neither for the rest of the last one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SYNC, _LENGTH = 0x47, 188
_KINDS = ((_LENGTH, 0), (_LENGTH + 4, 4), (_LENGTH + 16, 0))
"""Bytes from packet to packet and those ahead of each: plain, with arrival times, with parity."""
_LEAST_STREAM = 0xBC
"""Streams of PES packets have numbers from here on (table 2-22)."""
_PIECE = 1 << 16
"""Packets that are looked at together."""


def is_whole(path: str, identity: int) -> bool:
    """Look at the heads of all packets (ISO/IEC 13818-1, 2.4.3.2).

    Args:
        path: the file.
        identity: of the packets of the pictures, where each PES packet must begin with its start
            code.
    """
    with Path(path).open("rb") as file:
        head = np.frombuffer(file.read(2 * _KINDS[-1][0]), np.uint8)
        kind = next((kind for kind in _KINDS if np.all(head[kind[1] :: kind[0]] == _SYNC)), None)
        if kind is None:
            return False
        step, ahead = kind
        file.seek(0)
        while piece := file.read(step * _PIECE):
            if len(piece) % step:
                return False
            packets = np.frombuffer(piece, np.uint8).reshape(-1, step)[:, ahead : ahead + _LENGTH]
            if not _are_sound(packets, identity):
                return False
    return True


def _are_sound(packets: NDArray[np.uint8], identity: int) -> bool:
    flags = packets[:, 1]
    if np.any(packets[:, 0] != _SYNC) or np.any(flags & 0x80):  # a receiver marked it as wrong
        return False
    own = (flags & 0x1F).astype(np.uint16) << 8 | packets[:, 2] == identity
    first = packets[own & (flags & 0x40 > 0) & (packets[:, 3] & 0x10 > 0)]
    begin = 4 + np.where(first[:, 3] & 0x20, first[:, 4].astype(np.int64) + 1, 0)
    if np.any(begin > _LENGTH - 4):
        return False
    codes = np.take_along_axis(first, begin[:, None] + np.arange(4), axis=1)
    return bool(np.all(codes[:, :3] == (0, 0, 1)) and np.all(codes[:, 3] >= _LEAST_STREAM))
