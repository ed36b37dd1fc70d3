"""Attention to neighbours: equal to attention to all cells with the others blocked."""

import pytest
import torch
from einops import rearrange
from torch.nn.functional import scaled_dot_product_attention

from vis.layers.neighbourhood import NeighbourhoodAttention


@pytest.mark.parametrize("size", [(3, 3), (5, 7), (4, 3)])
def test_it_is_attention_with_all_but_the_neighbours_blocked(size: tuple[int, int]):
    torch.manual_seed(0)
    part = NeighbourhoodAttention(8, 2, side=3).double()
    torch.nn.init.normal_(part.rpb)
    x = torch.randn(2, *size, 8, dtype=torch.float64)
    q, k, v = rearrange(part.qkv(x), "m h w (three n c) -> three m n (h w) c", three=3, n=2)
    cells = [(i, j) for i in range(size[0]) for j in range(size[1])]
    bias = torch.full((2, len(cells), len(cells)), -torch.inf, dtype=torch.float64)
    for row, (i, j) in enumerate(cells):
        top, left = (min(max(at - 1, 0), n - 3) for at, n in zip((i, j), size, strict=True))
        for column, (y, x_) in enumerate(cells):
            if top <= y < top + 3 and left <= x_ < left + 3:
                bias[:, row, column] = part.rpb[:, y - i + 2, x_ - j + 2]
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=bias)
    expected = part.proj(rearrange(mixed, "m n (h w) c -> m h w (n c)", h=size[0]))
    torch.testing.assert_close(part(x), expected)


def test_a_map_smaller_than_the_square_is_filled():
    part = NeighbourhoodAttention(8, 2, side=7)
    assert part(torch.randn(1, 2, 9, 8)).shape == (1, 2, 9, 8)
