"""Deformable attention against its definition, one sample after the other."""

import math

import torch
from torch import Tensor

from vis.layers.deformable_attention import DeformableAttention, locations, sampled

SIZES = [(2, 3), (3, 4)]


def attention(*, points: int = 2) -> DeformableAttention:
    torch.manual_seed(0)
    layer = DeformableAttention(8, num_heads=2, levels=2, points=points).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def corner(level: Tensor, y: int, x: int) -> Tensor:
    """`[h w c]` at a cell, zero outside."""
    inside = 0 <= y < level.shape[0] and 0 <= x < level.shape[1]
    return level[y, x] if inside else torch.zeros_like(level[0, 0])


def look(level: Tensor, x: float, y: float) -> Tensor:
    """Bilinear at fractions of the level."""
    down, right = y * level.shape[0] - 0.5, x * level.shape[1] - 0.5
    top, left = math.floor(down), math.floor(right)
    a, b = down - top, right - left
    return (
        (1 - a) * (1 - b) * corner(level, top, left)
        + (1 - a) * b * corner(level, top, left + 1)
        + a * (1 - b) * corner(level, top + 1, left)
        + a * b * corner(level, top + 1, left + 1)
    )


def test_it_is_the_sum_over_levels_and_points() -> None:
    torch.manual_seed(1)
    cells = sum(h * w for h, w in SIZES)
    values = torch.randn(2, cells, 2, 4, dtype=torch.float64)
    where = torch.rand(2, 3, 2, 2, 2, 2, dtype=torch.float64) * 1.4 - 0.2
    weights = torch.rand(2, 3, 2, 2, 2, dtype=torch.float64)
    found = sampled(values, SIZES, where, weights).unflatten(-1, (2, 4))
    for b, q, n in ((0, 0, 0), (1, 2, 1), (0, 1, 1)):
        total = torch.zeros(4, dtype=torch.float64)
        parts = values[b, :, n].split([h * w for h, w in SIZES])
        for level, (part, size) in enumerate(zip(parts, SIZES, strict=True)):
            for p in range(2):
                x, y = where[b, q, n, level, p].tolist()
                total += weights[b, q, n, level, p] * look(part.view(*size, 4), x, y)
        torch.testing.assert_close(found[b, q, n], total)


def test_gradients_in_double_precision() -> None:
    layer = attention()
    cells = sum(h * w for h, w in SIZES)
    queries = torch.randn(1, 2, 8, dtype=torch.float64, requires_grad=True)
    tokens = torch.randn(1, cells, 8, dtype=torch.float64, requires_grad=True)
    places = (0.3 + 0.3 * torch.rand(1, 2, 2, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, p, t: layer(q, p, t, SIZES), (queries, places, tokens), fast_mode=True
    )


def test_cells_of_padding_count_as_zero() -> None:
    layer = attention()
    cells = sum(h * w for h, w in SIZES)
    queries, tokens = torch.randn(2, 3, 8).double(), torch.randn(2, cells, 8).double()
    places = torch.rand(2, 3, 2, 2).double()
    padding = torch.zeros(2, cells, dtype=torch.bool)
    padding[1, 4:] = True
    garbage = tokens.clone()
    garbage[1, 4:] = torch.nan
    found = layer(queries, places, garbage, SIZES, padding)
    torch.testing.assert_close(found, layer(queries, places, tokens, SIZES, padding))
    torch.testing.assert_close(found[0], layer(queries, places, tokens, SIZES)[0])


def test_offsets_are_cells_around_a_point_and_shares_of_a_box() -> None:
    places = torch.tensor([0.5, 0.25]).expand(1, 1, 2, 2)
    offsets = torch.tensor([1.0, -1.0]).expand(1, 1, 1, 2, 4, 2)
    found = locations(places, offsets, SIZES)
    torch.testing.assert_close(found[0, 0, 0, 0, 0], torch.tensor([0.5 + 1 / 3, 0.25 - 1 / 2]))
    torch.testing.assert_close(found[0, 0, 0, 1, 0], torch.tensor([0.5 + 1 / 4, 0.25 - 1 / 3]))
    boxes = torch.tensor([0.5, 0.25, 0.4, 0.2]).expand(1, 1, 2, 4)
    found = locations(boxes, 4 * offsets, SIZES)  # as far as there are points: the side
    torch.testing.assert_close(found[0, 0, 0, 0, 0], torch.tensor([0.7, 0.15]))


def test_a_fresh_layer_looks_into_all_directions() -> None:
    layer = DeformableAttention(8, num_heads=4, levels=1, points=2)
    found = layer.sampling_offsets.bias.detach().view(4, 1, 2, 2)[:, 0]
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(found[:, 0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, 1], 2 * expected, atol=1e-5, rtol=0)


def test_half_precision_keeps_places_exact() -> None:
    """Under autocast the places are computed in single precision."""
    layer = DeformableAttention(8, num_heads=2, levels=2, points=2)
    cells = sum(h * w for h, w in SIZES)
    queries, tokens = torch.randn(1, 3, 8), torch.randn(1, cells, 8)
    places = torch.rand(1, 3, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(queries, places, tokens, SIZES)
    torch.testing.assert_close(
        found.float(), layer(queries, places, tokens, SIZES), atol=0.05, rtol=0
    )
