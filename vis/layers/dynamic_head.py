"""Queries that look into their boxes with filters of their own, name them and move them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import elu

from vis.layers.rois import moved, pooled
from vis.layers.transformer import Attention, FeedForward

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 7
"""Cells of what a query sees of its box."""
RARE = 0.01
"""Probability that a fresh model gives any class to any query."""


class Stage(NamedTuple):
    """What one look says."""

    logits: Tensor
    """`[M Q K]`; a sigmoid each."""
    boxes: Tensor
    """`[M Q 4]` corners in pixels, not necessarily inside."""
    queries: Tensor
    """`[M Q C]`."""


class DynamicConv(nn.Module):
    """Two convolutions of single cells whose weights the query makes (Sun et al., 2021, 3.2).

    Args:
        d_model: channels of queries and cells.
        ffn_dim: channels between the two.
        cells: how many the query sees.
    """

    def __init__(self, d_model: int, inner_dim: int, cells: int) -> None:
        super().__init__()
        self.inner_dim = inner_dim
        # Both filters of a query in one product, by far the largest layer of a stage.
        self.filters = nn.Linear(d_model, 2 * d_model * inner_dim)
        self.norm1, self.norm2 = nn.LayerNorm(inner_dim), nn.LayerNorm(d_model)
        self.out, self.norm3 = nn.Linear(cells * d_model, d_model), nn.LayerNorm(d_model)

    def forward(self, queries: Tensor, cells: Tensor) -> Tensor:
        """`[R C]`, `[R S C]` -> `[R C]`."""
        down, up = self.filters(queries).chunk(2, dim=1)
        x = elu(self.norm1(cells @ down.unflatten(1, (-1, self.inner_dim))))
        x = elu(self.norm2(x @ up.unflatten(1, (self.inner_dim, -1))))
        return elu(self.norm3(self.out(x.flatten(1))))


class RefinementStage(nn.Module):
    """Queries look at each other, then each into its box; a class and a better box come out.

    Args:
        d_model: channels.
        classes: of the data set.
        num_heads: of the attention.
        ffn_dim: channels inside the feed-forward part.
        dynamic: channels inside the dynamic convolutions.
    """

    def __init__(
        self, d_model: int, *, classes: int, num_heads: int, ffn_dim: int, dynamic: int
    ) -> None:
        super().__init__()
        self.attention = Attention(d_model, num_heads, 0.0)
        self.interaction = DynamicConv(d_model, dynamic, SIDE * SIDE)
        self.feedforward = FeedForward(d_model, ffn_dim, 0.0, elu)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.class_tower, self.class_head = tower(d_model), nn.Linear(d_model, classes)
        self.box_tower, self.box_head = tower(d_model), nn.Linear(d_model, 4)
        start(self)
        # Published fault: every parameter whose last side is the class count is set, norms too.
        nn.init.constant_(self.class_head.bias, -math.log((1 - RARE) / RARE))

    def forward(self, queries: Tensor, boxes: Tensor, levels: Sequence[Tensor]) -> Stage:
        """`[M Q C]`, `[M Q 4]` corners in pixels, maps `[M C h w]`."""
        M, Q = queries.shape[:2]
        roi_features = pooled(levels, pictures_of(M, Q, boxes.device), boxes.flatten(0, 1), SIDE)
        cells = rearrange(roi_features, "r c y x -> r (y x) c").to(queries.dtype)
        # Post-norm and no dropout, as released.
        x = self.norm1(queries + self.attention(queries, queries, queries, None))
        attended = self.interaction(x.flatten(0, 1), cells).unflatten(0, (M, Q))
        x = self.norm2(x + attended)
        x = self.norm3(x + self.feedforward(x))
        deltas = self.box_head(self.box_tower(x)).to(boxes.dtype)
        # Boxes are never clipped between stages, as released: a clipped box has no way back.
        return Stage(self.class_head(self.class_tower(x)), moved(boxes, deltas), x)


def through_time(looks: Sequence[Stage]) -> Stage:
    """One stage of all frames: `[B Q ...]` of each -> `[B T Q ...]`."""
    return type(looks[0])(*(torch.stack(parts, dim=1) for parts in zip(*looks, strict=True)))


def pictures_of(pictures: int, queries: int, device: torch.device) -> Tensor:
    """`[M*Q]` which picture each query belongs to."""
    return torch.arange(pictures, device=device).repeat_interleave(queries)


def tower(d_model: int) -> nn.Sequential:
    """Three linear layers, each with a norm and ELU."""
    layers = (
        (nn.Linear(d_model, d_model, bias=False), nn.LayerNorm(d_model), nn.ELU()) for _ in "123"
    )
    return nn.Sequential(*(part for layer in layers for part in layer))


def start(module: nn.Module) -> None:
    """Xavier's uniform numbers for all that is no vector, as published."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
