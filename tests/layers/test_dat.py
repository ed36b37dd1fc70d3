"""DAT's attention: equal to its formula cell by cell, at home in a Twins block, on any map."""

import math

import pytest
import torch
from einops import rearrange
from torch import Tensor

from vis.backbones.twins import Block
from vis.layers.dat import DeformedAttention


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def looked_up(grid: Tensor, y: float, x: float) -> Tensor:
    """`[C h w]` between its cells, the outermost at -1 and 1; zero outside."""
    height, width = grid.shape[1:]
    y, x = (y + 1) / 2 * (height - 1), (x + 1) / 2 * (width - 1)
    total = torch.zeros(len(grid), dtype=grid.dtype)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < height and 0 <= column < width:
                share = (1 - abs(y - row)) * (1 - abs(x - column))
                total += share * grid[:, row, column]
    return total


def plain(part: DeformedAttention, x: Tensor) -> Tensor:
    """`[h w C]` -> `[h w C]`, one query and head after the other."""
    maps = rearrange(x, "h w c -> c h w")
    queries = part.query(maps[None])
    (sampling_points,) = part.sampling_points(queries)
    spots = sampling_points.flatten(1, 2).tolist()
    shares = maps.chunk(part.groups)
    seen = torch.cat(
        [
            torch.stack([looked_up(share, y, x) for y, x in group], dim=1)
            for share, group in zip(shares, spots, strict=True)
        ]
    )[None, :, None]
    keys, values = part.key(seen)[0, :, 0], part.value(seen)[0, :, 0]
    height, width, C = x.shape
    c, out = C // part.num_heads, torch.zeros(C, height, width, dtype=x.dtype)
    for head in range(part.num_heads):
        rows, group = slice(head * c, head * c + c), head * part.groups // part.num_heads
        for i in range(height):
            for j in range(width):
                q = queries[0, rows, i, j]
                here = (2 * i / (height - 1) - 1, 2 * j / (width - 1) - 1)
                bias = [
                    looked_up(part.table[[head]], (here[0] - y) / 2, (here[1] - x) / 2)
                    for y, x in spots[group]
                ]
                weights = (q @ keys[rows] / math.sqrt(c) + torch.cat(bias)).softmax(dim=0)
                out[rows, i, j] = values[rows] @ weights
    return rearrange(part.out(out[None])[0], "c h w -> h w c")


@pytest.mark.parametrize(("stride", "reach"), [(1, 2.0), (2, None), (3, None)])
@pytest.mark.parametrize("table", [(5, 6), (4, 3)])
def test_it_is_the_plain_formula(stride: int, reach: float | None, table: tuple[int, int]):
    part = DeformedAttention(
        8, 4, groups=2, stride=stride, kernel=3, table=table, reach=reach
    ).double()
    torch.nn.init.normal_(part.table)
    x = torch.randn(5, 6, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(part(x[None])[0], plain(part, x), atol=1e-9, rtol=1e-9)


def test_a_block_of_twins_may_have_it():
    attention = DeformedAttention(16, 2, groups=1, stride=2, kernel=5, table=(7, 7))
    block = Block(16, attention)
    x = torch.randn(2, 9, 4, 16)
    found = block(x)
    assert found.shape == x.shape
    found.square().sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None, name
        # a key's bias is the same for all keys of a softmax
        assert name == "attn.key.bias" or parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 2)])
def test_maps_of_a_cell_or_two_are_no_trouble(size: tuple[int, int]):
    part = DeformedAttention(8, 2, groups=2, stride=8, kernel=9, table=(4, 4))
    assert part(torch.randn(1, *size, 8)).isfinite().all()


def test_the_gradient_is_that_of_the_formula():
    part = DeformedAttention(4, 2, groups=1, stride=1, kernel=3, table=(3, 3)).double()
    x = torch.randn(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(part, (x,), eps=1e-7, atol=1e-5)
