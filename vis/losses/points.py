"""masks compared at some thousands of points instead of at every pixel (Kirillov et al., 2020)."""

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


def at_places(maps: Tensor, places: Tensor) -> Tensor:
    """`[N C h w]` at `[N P 2]` x, y as fractions -> `[N C P]`, bilinear; around a map is zero."""
    grid = (2 * places - 1)[:, :, None].to(maps.dtype)
    return grid_sample(maps, grid, padding_mode="zeros", align_corners=False)[..., 0]


def truth_at_places(masks: Tensor, places: Tensor, canvas: tuple[int, int]) -> Tensor:
    """`[N H W]` bool at `[N P 2]` x, y as fractions of the canvas -> `[N P]` 0..1, bilinear.

    The masks lie at the top left of the canvas; around them nothing is. The same as `at_places` of
    the masks as floats on the canvas, which would take 4 times the memory.
    """
    height, width = masks.shape[1:]
    x = places[..., 0] * canvas[1] - 0.5
    y = places[..., 1] * canvas[0] - 0.5
    pixels = masks.flatten(1)
    total = torch.zeros_like(x)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = y.floor() + down, x.floor() + right
        share = (1 - (y - row).abs()) * (1 - (x - column).abs())
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()
        total += share * (pixels.gather(1, index) & inside)
    return total


@torch.no_grad()
def unsure_places(logits: Tensor, count: int, draw: Draw) -> Tensor:
    """`[R h w]` -> `[R P 2]` x, y as fractions, most of them where the logits are nearest to 0."""
    rows, sure = len(logits), int(IMPORTANCE * count)
    candidates = draw((rows, int(OVERSAMPLING * count), 2), logits.device)
    doubt = -at_places(logits[:, None], candidates)[:, 0].abs()
    chosen = doubt.topk(sure, dim=1).indices[..., None].expand(-1, -1, 2)
    anywhere = draw((rows, count - sure, 2), logits.device)
    return torch.cat((candidates.gather(1, chosen), anywhere), dim=1)


def point_terms(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Of `[R P]` logits and truth 0..1: mean cross-entropy and one minus dice, both `[R]`."""
    entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    found = logits.sigmoid()
    both = (found * truth).sum(dim=1)
    return entropy, 1 - (2 * both + 1) / (found.sum(dim=1) + truth.sum(dim=1) + 1)


def point_costs(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The same of every slot `[Q P]` with every instance `[N P]`: both `[Q N]`."""
    found = logits.sigmoid()
    # softplus(-x) t + softplus(x) (1 - t) = softplus(x) - x t
    total = torch.nn.functional.softplus(logits).sum(dim=1, keepdim=True)
    entropy = (total - logits @ truth.T) / logits.shape[1]
    either = found.sum(dim=1, keepdim=True) + truth.sum(dim=1)
    return entropy, 1 - (2 * (found @ truth.T) + 1) / (either + 1)
