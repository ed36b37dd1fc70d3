"""Where an unseen object should be: constant speed, and no farther than the picture's edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from vis.tracking.overlap import Floats


def expected(motions: Floats, gaps: Floats) -> Floats:
    """Centres `[M N 2]` (y, x, in cells) of objects after as many frames.

    Args:
        motions: `[M 5]` of `TrackState.motion`.
        gaps: `[M N]` frames since then.
    """
    return np.asarray(motions[:, None, 1:3] + motions[:, None, 3:] * gaps[..., None])


def shifted(mask: Tensor, dy: float, dx: float) -> Tensor:
    """`[h w]` moved by whole cells; what leaves the picture is lost."""
    height, width = mask.shape
    # whole cells: interpolation would blur the mask, and lower its overlap with itself
    down, right = round(dy), round(dx)
    moved = mask.new_zeros(height, width)
    if abs(down) >= height or abs(right) >= width:
        return moved
    source = mask[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    top, left = max(down, 0), max(right, 0)
    moved[top : top + source.shape[0], left : left + source.shape[1]] = source
    return moved
