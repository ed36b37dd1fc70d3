"""SSD's anchors (Liu et al., 2016, 2.2) and the boxes that are written relative to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 300
"""Pixels of the square that scales are fractions of, whatever the picture's size."""
LOWEST, STEP, MAPS = 0.2, 0.15, 6
"""Scale of the first map's anchors, and how much each next map adds."""
FIRST = ((0.1, 1.0), (LOWEST, 2.0), (LOWEST, 0.5))
"""Scale and ratio of the first map's, which has three alone."""
RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
VARIANCES = (10.0, 10.0, 5.0, 5.0)
"""What offsets of centre and size are multiplied by, so that all vary about alike."""
RARE = 0.01
"""Probability that a fresh model gives any class at any anchor."""
COUNTS = (3, 6, 6, 6, 6, 6)
"""Anchors of a cell of each map."""


def anchors(maps: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """`[A 4]` centre x, centre y, width, height as fractions, cells row by row, anchors innermost.

    Anchors keep their size in pixels whatever the picture's size, and so their shape too.

    Args:
        maps: height and width in cells of the six maps.
        size: height and width of the picture in pixels.
    """
    per_map = []
    for number, (rows, columns) in enumerate(maps):
        # In double until the end, so that anchors are rounded once, to single.
        shapes = torch.tensor(_shapes(number), dtype=torch.float64)
        # Fractions of a wider picture shrink, so that an anchor keeps its pixels and its shape.
        scale = torch.tensor([SIDE / size[1], SIDE / size[0]], dtype=torch.float64)
        sides = (shapes * scale).expand(rows, columns, -1, -1)
        y = (torch.arange(rows, dtype=torch.float64) + 0.5) / rows
        x = (torch.arange(columns, dtype=torch.float64) + 0.5) / columns
        centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        centres = centres[:, :, None].expand_as(sides)
        per_map.append(torch.cat((centres, sides), dim=-1).flatten(0, 2))
    return torch.cat(per_map).float()


def by_anchor(x: Tensor, count: int) -> Tensor:
    """`[B count*D h w]` -> `[B h*w*count D]`, cells row by row, anchors innermost."""
    return rearrange(x, "b (n d) h w -> b (h w n) d", n=count)


def class_head(channels: int, out: int) -> nn.Conv2d:
    """A convolution to logits of all anchors of a cell, all of them rare to begin with."""
    head = nn.Conv2d(channels, out, 3, padding=1)
    nn.init.normal_(head.weight, std=0.01)
    assert head.bias is not None
    # RetinaNet's prior (Lin et al., 2017, 4.1): else thousands of empty anchors swamp the start.
    nn.init.constant_(head.bias, -math.log((1 - RARE) / RARE))
    return head


def decode(offsets: Tensor, anchor_boxes: Tensor) -> Tensor:
    """Corner boxes `[... A 4]` as fractions, of offsets (y, x, height, width) from anchors.

    Args:
        offsets: `[... A 4]`.
        anchor_boxes: `[... A 4]` centres and sides.
    """
    # TensorFlow's order, y before x; ours is x before y everywhere else.
    y, x, height, width = (offsets / offsets.new_tensor(VARIANCES)).unbind(dim=-1)
    centre_x, centre_y = x * anchor_boxes[..., 2], y * anchor_boxes[..., 3]
    centres = torch.stack((centre_x, centre_y), dim=-1) + anchor_boxes[..., :2]
    # a size that overflows would make boxes that are no numbers
    growth = torch.stack((width, height), dim=-1).clamp(max=math.log(1000))
    halves = anchor_boxes[..., 2:] * growth.exp() / 2
    return torch.cat((centres - halves, centres + halves), dim=-1)


def encode(boxes: Tensor, anchor_boxes: Tensor) -> Tensor:
    """The way back: corner boxes `[A 4]` -> offsets `[A 4]` from as many anchors."""
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    moved = (centres - anchor_boxes[:, :2]) / anchor_boxes[:, 2:]
    # A true box without area has no logarithm.
    grown = (sides.clamp(min=1e-6) / anchor_boxes[:, 2:]).log()
    offsets = torch.stack((moved[:, 1], moved[:, 0], grown[:, 1], grown[:, 0]), dim=1)
    return offsets * offsets.new_tensor(VARIANCES)


def _shapes(number: int) -> list[tuple[float, float]]:
    """Width and height of the anchors of a map's cell, as fractions of the square."""
    pairs = list(FIRST)
    if number:
        scale = LOWEST + STEP * number
        following = LOWEST + STEP * (number + 1) if number < MAPS - 1 else 1.0
        pairs = [(scale, ratio) for ratio in RATIOS]
        # One more square between this scale and the next (Liu et al., 2016, 2.2).
        pairs.append((math.sqrt(scale * following), 1.0))
    return [(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for scale, ratio in pairs]
