"""Attention of every cell to the square of cells around it (Hassani et al., 2023)."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad


class NeighbourhoodAttention(nn.Module):
    """At the border the square stays inside the map, so every cell sees equally many.

    Args:
        width: channels, a multiple of `num_heads`.
        num_heads: number of heads.
        side: of the square, odd; a smaller map is filled with zeros, which are seen.
    """

    def __init__(self, width: int, num_heads: int, *, side: int) -> None:
        super().__init__()
        self.num_heads, self.side = num_heads, side
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rpb = nn.Parameter(torch.zeros(num_heads, 2 * side - 1, 2 * side - 1))
        nn.init.trunc_normal_(self.rpb, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`; one row of the squares after the other, to hold little."""
        height, width = x.shape[1:3]
        # Published: the zeros of a map smaller than the square are attended to.
        below, right = max(self.side - height, 0), max(self.side - width, 0)
        filled = pad(x, (0, 0, 0, right, 0, below))
        q, k, v = rearrange(
            self.qkv(filled), "m h w (three n c) -> three m n h w c", three=3, n=self.num_heads
        )
        rows, columns = (_around(count, self.side, x.device) for count in filled.shape[1:3])
        # Scaled before the product: in half precision the product itself may overflow.
        q = q * q.shape[-1] ** -0.5
        logits = [
            torch.einsum("mnhwc,mnhwbc->mnhwb", q, k[:, :, row][:, :, :, columns])
            for row in rows.unbind(dim=1)
        ]
        weights = (torch.stack(logits, dim=-2) + self._bias(rows, columns)).flatten(-2)
        shares = torch.split(weights.softmax(dim=-1), self.side, dim=-1)
        mixed = torch.zeros_like(q)
        for row, share in zip(rows.unbind(dim=1), shares, strict=True):
            near = v[:, :, row][:, :, :, columns]
            mixed = mixed + torch.einsum("mnhwb,mnhwbc->mnhwc", share, near)
        whole = rearrange(mixed, "m n h w c -> m h w (n c)")[:, :height, :width]
        return self.proj(whole)  # type: ignore[no-any-return]

    def _bias(self, rows: Tensor, columns: Tensor) -> Tensor:
        """`[heads h w side side]` by how far a neighbour is."""
        down, across = (
            near - torch.arange(len(near), device=near.device)[:, None] + self.side - 1
            for near in (rows, columns)
        )
        return self.rpb[:, down[:, None, :, None], across[None, :, None, :]]


def _around(count: int, side: int, device: torch.device) -> Tensor:
    """`[count side]` the neighbours of each of `count` cells in a line."""
    # Clamped, not cut: near the border the square is shifted inwards.
    first = (torch.arange(count, device=device) - side // 2).clamp(0, count - side)
    return first[:, None] + torch.arange(side, device=device)
