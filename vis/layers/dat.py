"""DAT's deformable attention: all cells look at the same few places, which the map itself moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


class DeformedAttention(nn.Module):
    """Deformable attention of DAT++ (Xia et al., 2023, section 3.2), for a map of any size.

    It fits wherever a block of Twins or ViT has its attention over a map.

    Args:
        width: channels, a multiple of `num_heads` and of `groups`.
        num_heads: number of heads, a multiple of `groups`.
        groups: of channels; each moves the places for itself.
        stride: cells from one place to the next before they are moved.
        kernel: side of the window that says how a place is moved.
        table: height and width of the map whose distances the learned bias knows one by one; on
            maps of another size it is read between its entries.
        reach: how far a place may be moved, in places; None for anywhere within the map.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        groups: int,
        stride: int,
        kernel: int,
        table: tuple[int, int],
        reach: float | None = None,
    ) -> None:
        super().__init__()
        self.num_heads, self.groups, self.reach = num_heads, groups, reach
        share = width // groups
        self.offsets = nn.Sequential(
            nn.Conv2d(
                share,
                share,
                kernel,
                stride=stride,
                # As published: a kernel as large as its stride tiles the map without padding.
                padding=kernel // 2 if kernel != stride else 0,
                groups=share,
            ),
            ChannelNorm(share),
            nn.GELU(),
            nn.Conv2d(share, 2, 1, bias=False),
        )
        self.query, self.key, self.value, self.out = (nn.Conv2d(width, width, 1) for _ in range(4))
        self.table = nn.Parameter(torch.zeros(num_heads, 2 * table[0] - 1, 2 * table[1] - 1))
        nn.init.trunc_normal_(self.table, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        maps = rearrange(x, "m h w c -> m c h w")
        queries = self.query(maps)
        sampling_points = self.sampling_points(queries)
        sampled = self._sampled(maps, sampling_points)
        q, k, v = (
            rearrange(part, "m (heads c) h w -> m heads (h w) c", heads=self.num_heads)
            for part in (queries, self.key(sampled), self.value(sampled))
        )
        # A relative bias for points between cells: read between the entries of the table.
        bias = self._bias(sampling_points, x.shape[1:3]).to(q.dtype)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        whole = rearrange(mixed, "m heads (h w) c -> m (heads c) h w", h=x.shape[1])
        return rearrange(self.out(whole), "m c h w -> m h w c")  # type: ignore[no-any-return]

    def sampling_points(self, queries: Tensor) -> Tensor:
        """`[M C h w]` -> `[M groups h' w' 2]` y, x within -1..1, with a `reach` also beyond."""
        maps = rearrange(queries, "m (groups c) h w -> (m groups) c h w", groups=self.groups)
        moves = _single(rearrange(self.offsets(maps), "m yx h w -> m h w yx"))
        axes = [_middles(count, moves) for count in moves.shape[1:3]]
        start = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        if self.reach is None:
            # Without a reach, moves are bound by the map alone (DAT++); with one, by a tanh (DAT).
            sampling_points = (start + moves).clamp(-1, 1)
        else:
            steps = moves.new_tensor([1 / max(count - 1, 1) for count in moves.shape[1:3]])
            sampling_points = start + moves.tanh() * steps * self.reach
        return rearrange(
            sampling_points, "(m groups) h w yx -> m groups h w yx", groups=self.groups
        )

    def _sampled(self, maps: Tensor, sampling_points: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h' w']`, each group's channels from its own places."""
        parts = rearrange(maps, "m (groups c) h w -> (m groups) c h w", groups=self.groups)
        samples = _looked_up(_single(parts), sampling_points.flatten(0, 1)).to(maps.dtype)
        return rearrange(samples, "(m groups) c h w -> m (groups c) h w", groups=self.groups)

    def _bias(self, sampling_points: Tensor, size: Sequence[int]) -> Tensor:
        """`[M heads h*w h'*w']` by how far a place is from a cell."""
        axes = [_ends(count, sampling_points) for count in size]
        cells = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
        # Differences lie within -2..2, the table's coordinates within -1..1.
        apart = (cells[:, None] - sampling_points.flatten(2, 3)[:, :, None]) * 0.5
        table = rearrange(_single(self.table), "(g heads) h w -> g heads h w", g=self.groups)
        table = table.expand(len(sampling_points), -1, -1, -1, -1)
        bias = _looked_up(table.flatten(0, 1), apart.flatten(0, 1))
        return rearrange(bias, "(m g) heads q k -> m (g heads) q k", g=self.groups)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each cell of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def _middles(count: int, like: Tensor) -> Tensor:
    """Half a cell past each of `count` marks from -1 to 1: the last lies beyond 1, as published."""
    marks = torch.arange(count, device=like.device, dtype=like.dtype) + 0.5
    return marks * 2 / max(count - 1, 1) - 1


def _ends(count: int, like: Tensor) -> Tensor:
    """Marks from -1 to 1; a single one lies at -1."""
    marks = torch.arange(count, device=like.device, dtype=like.dtype)
    return marks * 2 / max(count - 1, 1) - 1


def _looked_up(maps: Tensor, sampling_points: Tensor) -> Tensor:
    """`[M C h w]` at `[M ... ... 2]` y, x: -1 and 1 are the middles of the outermost cells."""
    return functional.grid_sample(maps, sampling_points.flip(-1).to(maps.dtype), align_corners=True)


def _single(x: Tensor) -> Tensor:
    """Places in half precision would be off by a part of a cell."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
