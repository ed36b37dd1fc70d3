"""Keeping one of several answers about the same object: by neighbouring points, by masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def point_peaks(scores: Tensor) -> Tensor:
    """`[M K h w]` -> the same, zero where the left, upper or upper left neighbour is higher."""
    highest = max_pool2d(scores, 2, stride=1, padding=1)[..., :-1, :-1]
    return scores.where(highest == scores, 0.0)


def matrix_decay(masks: Tensor, labels: Tensor, *, sigma: float) -> Tensor:
    """How much of its score each mask keeps (matrix NMS: Wang et al., 2020, equation 5, Gaussian).

    Args:
        masks: `[N P]` bool, in descending order of their scores.
        labels: `[N]`; only masks of one class compete.
        sigma: how sharply overlap is punished.

    Returns:
        `[N]` 0..1.
    """
    flat = masks.float()
    both = flat @ flat.T
    areas = flat.sum(dim=1)
    either = areas[:, None] + areas[None] - both
    alike = labels[:, None] == labels[None]
    overlaps = (both / either.clamp(min=1) * alike).triu(diagonal=1)
    if not len(masks):
        return flat.sum(dim=1)
    covered = overlaps.amax(dim=0)
    return torch.exp(-sigma * (overlaps.square() - covered.square()[:, None])).amin(dim=0)
