"""Features within boxes, and boxes that are moved by what was seen there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.ops import roi_align

from vis.layers.true_rows import true_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDES = (4, 8, 16, 32)
ORDINARY, ORDINARY_SIDE = 2, 224
"""A box of this root of area, in pixels, is looked at in this level."""
SAMPLES = 2
"""Of a cell, along each axis."""
GROWTH = math.log(100_000 / 16)
"""Natural logarithm of the most that one step can enlarge a box by."""


def pooled(levels: Sequence[Tensor], pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What each box shows of the level that fits its size (Lin et al., 2017, equation 1).

    Args:
        levels: `[M C h w]` of strides 4, 8, 16 and 32.
        pictures: `[R]` which of the M.
        boxes: `[R 4]` corners in pixels, not necessarily inside.
        side: cells of the result.

    Returns:
        `[R C side side]` of the boxes' type.
    """
    indexed_boxes = torch.cat((pictures[:, None].to(boxes.dtype), boxes), dim=1)
    fitting = level_of(boxes)
    features = boxes.new_zeros(len(boxes), levels[0].shape[1], side, side)
    by_level = true_rows([fitting == i for i in range(len(STRIDES))])
    for level, stride, rows in zip(levels, STRIDES, by_level, strict=True):
        features[rows] = roi_align(
            level.to(boxes.dtype),
            indexed_boxes[rows],
            side,
            spatial_scale=1 / stride,
            sampling_ratio=SAMPLES,
            aligned=True,
        )
    return features


def level_of(boxes: Tensor) -> Tensor:
    """`[R]` index of the level in which each of the boxes `[R 4]`, in pixels, is looked at."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)
    side = (width * height).clamp(min=0).sqrt()
    # k = k0 + log2(sqrt(w h) / 224): the 1e-8 keeps a box without area off minus infinity.
    level = ORDINARY + torch.log2(side / ORDINARY_SIDE + 1e-8)
    return level.floor().clamp(0, len(STRIDES) - 1).long()


def moved(boxes: Tensor, deltas: Tensor) -> Tensor:
    """Corner boxes `[... 4]` moved by half of (x, y) and enlarged by exp of (z, w), per side."""
    start, end = boxes.chunk(2, dim=-1)
    # Sparse R-CNN's weights (2, 2, 1, 1): moves count half of what the head says.
    centres = (start + end) / 2 + deltas[..., :2] / 2 * (end - start)
    halves = (end - start) * deltas[..., 2:].clamp(max=GROWTH).exp() / 2
    return torch.cat((centres - halves, centres + halves), dim=-1)
