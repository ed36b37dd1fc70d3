"""attention that looks at a few places of every level of a pyramid instead of at all cells."""

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
        width: channels, a multiple of `heads`.
        heads: number of heads.
        levels: of the pyramid.
        points: that each head looks at in each level.
    """

    def __init__(self, width: int, *, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = nn.Linear(width, heads * levels * points * 2)
        self.attention_weights = nn.Linear(width, heads * levels * points)
        self.value_proj, self.output_proj = nn.Linear(width, width), nn.Linear(width, width)
        self._start()

    def forward(
        self,
        queries: Tensor,
        places: Tensor,
        tokens: Tensor,
        sizes: Sequence[Size],
        padding: Tensor | None = None,
    ) -> Tensor:
        """`[B Q C]` queries with their positions -> `[B Q C]`.

        Args:
            queries: `[B Q C]`.
            places: around which to look, as fractions of the level: points `[B Q L 2]` x, y, or
                boxes `[B Q L 4]` cxcywh.
            tokens: `[B S C]` cells of all levels, end to end, row by row.
            sizes: of the levels.
            padding: `[B S]` bool, True on cells to be taken for zero; None for none.
        """
        values = self.value_proj(tokens)
        if padding is not None:
            values = values.masked_fill(padding[..., None], 0.0)
        values = rearrange(values, "b s (heads c) -> b s heads c", heads=self.heads)
        shape = {"heads": self.heads, "levels": self.levels, "points": self.points}
        offsets = rearrange(
            self.sampling_offsets(queries),
            "b q (heads levels points xy) -> b q heads levels points xy",
            **shape,
        )
        weights = rearrange(
            _single(self.attention_weights(queries)),
            "b q (heads places) -> b q heads places",
            heads=self.heads,
        ).softmax(dim=-1)
        weights = rearrange(
            weights, "b q heads (levels points) -> b q heads levels points", points=self.points
        )
        found = sampled(values, sizes, locations(_single(places), _single(offsets), sizes), weights)
        return self.output_proj(found.to(queries.dtype))  # type: ignore[no-any-return]

    def _start(self) -> None:
        """Head i looks into direction i of a circle, point k at k + 1 cells, all alike."""
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        ways = torch.stack((angles.cos(), angles.sin()), dim=-1)
        ways = ways / ways.abs().amax(dim=-1, keepdim=True)
        steps = torch.arange(1, self.points + 1, dtype=ways.dtype)
        start = (ways[:, None] * steps[:, None])[:, None].expand(-1, self.levels, -1, -1)
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(start.flatten())
        for linear in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(linear.weight)
        for linear in (self.attention_weights, self.value_proj, self.output_proj):
            nn.init.zeros_(linear.bias)


def locations(places: Tensor, offsets: Tensor, sizes: Sequence[Size]) -> Tensor:
    """Where to look, `[B Q heads L P 2]` as fractions of each level.

    Args:
        places: `[B Q L 2]` points, from which offsets are in cells, or `[B Q L 4]` boxes cxcywh,
            from whose middle an offset of P reaches the side (Zhu et al., 2021, appendix A.4).
        offsets: `[B Q heads L P 2]` x, y.
        sizes: of the levels.
    """
    around = places[:, :, None, :, None]
    if places.shape[-1] == 4:
        return around[..., :2] + offsets / offsets.shape[-2] * around[..., 2:] * 0.5
    cells = offsets.new_tensor([(width, height) for height, width in sizes])
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
    B, _, heads = values.shape[:3]
    grids = rearrange(2 * where - 1, "b q heads l p xy -> l (b heads) q p xy")
    shares = rearrange(weights, "b q heads l p -> l (b heads) 1 q p")
    parts = torch.split(values, [height * width for height, width in sizes], dim=1)
    total = torch.zeros((), dtype=where.dtype, device=values.device)
    for part, (height, _), grid, share in zip(parts, sizes, grids, shares, strict=True):
        level = rearrange(part, "b (h w) heads c -> (b heads) c h w", h=height).to(grid.dtype)
        found = functional.grid_sample(level, grid, padding_mode="zeros", align_corners=False)
        total = total + (found * share).sum(dim=-1)
    return rearrange(total, "(b heads) c q -> b q (heads c)", b=B, heads=heads)


def _single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
