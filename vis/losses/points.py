"""Masks compared at some thousands of points instead of at every pixel (Kirillov et al., 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample

if TYPE_CHECKING:
    from torch import Tensor

Draw = Callable[[tuple[int, ...], torch.device], "Tensor"]
"""Shape and device -> numbers 0..1, all equally likely."""

OVERSAMPLING = 3.0
"""Candidates for each point."""
IMPORTANCE = 0.75
"""Share of the points that are the least sure of the candidates; the others are anywhere."""


def uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """From torch's own generator."""
    return torch.rand(shape, device=device)


def sample_points(maps: Tensor, points: Tensor, *, padding_mode: str = "zeros") -> Tensor:
    """`[N C h w]` at `[N P 2]` x, y as fractions -> `[N C P]`, bilinear.

    Args:
        maps: to be read.
        points: where.
        padding_mode: of `grid_sample`: around a map is zero, or its `border` goes on.
    """
    # grid_sample's -1 and 1 are the outer edges of the map (align_corners=False).
    grid = (2 * points - 1)[:, :, None].to(maps.dtype)
    return grid_sample(maps, grid, padding_mode=padding_mode, align_corners=False)[..., 0]


def sample_truth(masks: Tensor, points: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """`[N H W]` bool at `[N P 2]` x, y as fractions of the padded size -> `[N P]` 0..1, bilinear.

    The masks lie at the top left of the padded frame; around them nothing is. The same as
    `sample_points` of the masks as padded floats, which would take 4 times the memory.
    """
    height, width = masks.shape[1:]
    # Pixel i has its middle at i + 0.5, so a fraction of 0 lies half a pixel before the first.
    x = points[..., 0] * padded_size[1] - 0.5
    y = points[..., 1] * padded_size[0] - 0.5
    pixels = masks.flatten(1)
    total = torch.zeros_like(x)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = y.floor() + down, x.floor() + right
        share = (1 - (y - row).abs()) * (1 - (x - column).abs())
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()
        total += share * (pixels.gather(1, index) & inside)
    return total


def sample_nearest(masks: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """`[N H W]` bool, of which `rows [R]` at `[R P 2]` x, y as fractions -> `[R P]` bool."""
    height, width = masks.shape[1:]
    # Rows are looked up, not copied: with groups of queries, a mask has many of them.
    x = (points[..., 0] * width).long().clamp(0, width - 1)
    y = (points[..., 1] * height).long().clamp(0, height - 1)
    return masks.flatten(1)[rows[:, None], y * width + x]


@torch.no_grad()
def uncertain_points(
    logits: Tensor, count: int, draw: Draw, *, padding_mode: str = "zeros"
) -> Tensor:
    """`[R h w]` -> `[R P 2]` x, y as fractions, most of them where the logits are nearest to 0."""
    rows, sure = len(logits), int(IMPORTANCE * count)
    candidates = draw((rows, int(OVERSAMPLING * count), 2), logits.device)
    # A logit of zero is a probability of a half: there the model knows least.
    doubt = -sample_points(logits[:, None], candidates, padding_mode=padding_mode)[:, 0].abs()
    indices = doubt.topk(sure, dim=1).indices[..., None].expand(-1, -1, 2)
    anywhere = draw((rows, count - sure, 2), logits.device)
    return torch.cat((candidates.gather(1, indices), anywhere), dim=1)


def point_terms(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Of `[R P]` logits and truth 0..1: mean cross-entropy and one minus dice, both `[R]`."""
    entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    probs = logits.sigmoid()
    both = (probs * truth).sum(dim=1)
    return entropy, 1 - (2 * both + 1) / (probs.sum(dim=1) + truth.sum(dim=1) + 1)


def point_costs(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The same of every query `[Q P]` with every instance `[N P]`: both `[Q N]`."""
    probs = logits.sigmoid()
    # softplus(-x) t + softplus(x) (1 - t) = softplus(x) - x t
    total = torch.nn.functional.softplus(logits).sum(dim=1, keepdim=True)
    entropy = (total - logits @ truth.T) / logits.shape[1]
    # Outer sum and matrix product: no tensor of queries x instances x points is ever built.
    either = probs.sum(dim=1, keepdim=True) + truth.sum(dim=1)
    return entropy, 1 - (2 * (probs @ truth.T) + 1) / (either + 1)
