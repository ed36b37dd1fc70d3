"""Attention that looks at a few places of every level of a pyramid instead of at all cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

Size = tuple[int, int]
"""Cells of a level, height and width."""


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention (Zhu et al., 2021, equation 3).

    Args:
        d_model: channels, a multiple of `num_heads`.
        num_heads: number of heads.
        levels: of the pyramid.
        points: that each head looks at in each level.
    """

    def __init__(self, d_model: int, *, num_heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.num_heads, self.levels, self.points = num_heads, levels, points
        self.sampling_offsets = nn.Linear(d_model, num_heads * levels * points * 2)
        self.attention_weights = nn.Linear(d_model, num_heads * levels * points)
        self.value_proj, self.output_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self._start()

    def forward(
        self,
        queries: Tensor,
        reference_points: Tensor,
        tokens: Tensor,
        sizes: Sequence[Size],
        padding: Tensor | None = None,
    ) -> Tensor:
        """`[B Q C]` queries with their positions -> `[B Q C]`.

        Args:
            queries: `[B Q C]`.
            reference_points: around which to look, as fractions of the level: points
                `[B Q L 2]` x, y, or boxes `[B Q L 4]` cxcywh.
            tokens: `[B S C]` cells of all levels, end to end, row by row.
            sizes: of the levels.
            padding: `[B S]` bool, True on cells to be taken for zero; None for none.
        """
        values = self.value_proj(tokens)
        if padding is not None:
            # Zeroed, not masked: an attention weight on padding is spent on nothing, as published.
            values = values.masked_fill(padding[..., None], 0.0)
        values = rearrange(values, "b s (heads c) -> b s heads c", heads=self.num_heads)
        shape = {"heads": self.num_heads, "levels": self.levels, "points": self.points}
        offsets = rearrange(
            self.sampling_offsets(queries),
            "b q (heads levels points xy) -> b q heads levels points xy",
            **shape,
        )
        weights = rearrange(
            _single(self.attention_weights(queries)),
            "b q (heads points) -> b q heads points",
            heads=self.num_heads,
        ).softmax(dim=-1)
        weights = rearrange(
            weights, "b q heads (levels points) -> b q heads levels points", points=self.points
        )
        mixed = sampled(
            values, sizes, locations(_single(reference_points), _single(offsets), sizes), weights
        )
        return self.output_proj(mixed.to(queries.dtype))  # type: ignore[no-any-return]

    def _start(self) -> None:
        """Head i looks into direction i of a circle, point k at k + 1 cells, all alike."""
        angles = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        ways = torch.stack((angles.cos(), angles.sin()), dim=-1)
        # On a square instead of a circle, so that eight heads point at a cell's eight neighbours.
        ways = ways / ways.abs().amax(dim=-1, keepdim=True)
        steps = torch.arange(1, self.points + 1, dtype=ways.dtype)
        start = (ways[:, None] * steps[:, None])[:, None].expand(-1, self.levels, -1, -1)
        # To begin with, where a head looks depends on its bias alone, and all points weigh alike.
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(start.flatten())
        for linear in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(linear.weight)
        for linear in (self.attention_weights, self.value_proj, self.output_proj):
            nn.init.zeros_(linear.bias)


def locations(reference_points: Tensor, offsets: Tensor, sizes: Sequence[Size]) -> Tensor:
    """Where to look, `[B Q heads L P 2]` as fractions of each level.

    Args:
        reference_points: `[B Q L 2]` points, from which offsets are in cells, or `[B Q L 4]` boxes
            cxcywh, from whose middle an offset of P reaches the side (Zhu et al., 2021, appendix
            A.4).
        offsets: `[B Q heads L P 2]` x, y.
        sizes: of the levels.
    """
    around = reference_points[:, :, None, :, None]
    if reference_points.shape[-1] == 4:
        return around[..., :2] + offsets / offsets.shape[-2] * around[..., 2:] * 0.5
    # Filled one by one: a list of numbers would be copied to the device, and fixed in a graph.
    sides = [offsets.new_full((1,), side) for height, width in sizes for side in (width, height)]
    cells = torch.cat(sides).view(len(sizes), 2)
    # Equation 3: offsets are in cells of each level, reference points in fractions.
    return around + offsets / cells[:, None]


def sampled(values: Tensor, sizes: Sequence[Size], where: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of what lies at the places, level after level: `[B Q C]`.

    Places in half precision would be off by a part of a cell, so all is at least single.

    Args:
        values: `[B S heads c]`.
        sizes: of the levels, whose cells are S.
        where: `[B Q heads L P 2]` x, y as fractions; outside of 0..1 lies zero.
        weights: `[B Q heads L P]`.
    """
    B, _, num_heads = values.shape[:3]
    # grid_sample's -1 and 1 are the outer edges of the map (align_corners=False).
    grids = rearrange(2 * where - 1, "b q heads l p xy -> l (b heads) q p xy")
    shares = rearrange(weights, "b q heads l p -> l (b heads) 1 q p")
    parts = torch.split(values, [height * width for height, width in sizes], dim=1)
    # Level after level: all samples of all levels at once would be the peak of memory.
    total = torch.zeros((), dtype=where.dtype, device=values.device)
    for part, (height, _), grid, share in zip(parts, sizes, grids, shares, strict=True):
        level = rearrange(part, "b (h w) heads c -> (b heads) c h w", h=height).to(grid.dtype)
        samples = functional.grid_sample(level, grid, padding_mode="zeros", align_corners=False)
        total = total + (samples * share).sum(dim=-1)
    return rearrange(total, "(b heads) c q -> b q (heads c)", b=B, heads=num_heads)


def _single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
