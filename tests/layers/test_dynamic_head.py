"""Boxes: the level they are looked at in, what they show, where they go; filters of queries."""

import pytest
import torch

from vis.layers.dynamic_head import DynamicConv, RefinementStage
from vis.layers.rois import level_of, moved, pooled


def boxes_of(*sides: float) -> torch.Tensor:
    return torch.tensor([[10.0, 20.0, 10 + side, 20 + side] for side in sides])


def test_large_boxes_are_looked_at_in_small_maps() -> None:
    found = level_of(boxes_of(1, 111, 112, 223, 224, 447, 448, 5000))
    assert found.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert level_of(torch.tensor([[5.0, 5, 5, 5], [9.0, 0, 0, 9]])).tolist() == [0, 0]


def test_a_box_shows_the_level_of_its_picture() -> None:
    levels = [
        torch.stack(
            (torch.full((3, 128 // s, 128 // s), float(s)), torch.zeros(3, 128 // s, 128 // s))
        )
        for s in (1, 2, 4, 8)
    ]
    places = torch.tensor([[40.0, 40, 60, 60], [40.0, 40, 160, 160], [40.0, 40, 60, 60]])
    seen = pooled(levels, torch.tensor([0, 0, 1]), places, 4)
    assert seen.shape == (3, 3, 4, 4)
    assert seen[0].unique().tolist() == [1] and seen[1].unique().tolist() == [2]
    assert not seen[2].any()


def test_boxes_that_are_no_numbers_show_nothing() -> None:
    levels = [torch.ones(1, 2, n, n) for n in (16, 8, 4, 2)]
    places = torch.tensor([[0.0, 0, 8, 8], [float("nan"), 0, 8, 8]])
    seen = pooled(levels, torch.zeros(2, dtype=torch.int64), places, 2)
    assert seen[0].min() == 1 and not seen[1].any()


def test_boxes_move_by_their_own_size() -> None:
    box = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    assert torch.equal(moved(box, torch.zeros(1, 4)), box)
    shifted = moved(box, torch.tensor([[1.0, -1.0, 0.0, 0.0]]))
    torch.testing.assert_close(shifted, torch.tensor([[20.0, 0.0, 40.0, 40.0]]))
    doubled = moved(box, torch.tensor([[0.0, 0.0, 2.0, 0.0]]).clamp(max=0.6931472))
    torch.testing.assert_close(doubled, torch.tensor([[0.0, 20.0, 40.0, 60.0]]))
    assert moved(box, torch.full((1, 4), 1e4)).isfinite().all()


def test_each_query_has_filters_of_its_own() -> None:
    torch.manual_seed(0)
    part = DynamicConv(16, 4, 9)
    queries, cells = torch.randn(3, 16), torch.randn(3, 9, 16)
    found = part(queries, cells)
    alone = torch.cat([part(queries[i : i + 1], cells[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(found, alone)
    assert not torch.allclose(part(queries.flip(0), cells), found)


@pytest.mark.parametrize("classes", [3, 4, 32])
def test_a_fresh_stage_says_rarely_that_there_is_anything(classes: int) -> None:
    """Whatever the number of classes: the published start also hit parts of other sizes."""
    part = RefinementStage(32, classes=classes, num_heads=2, ffn_dim=16, dynamic=4)
    assert part.class_head.bias.sigmoid().allclose(torch.tensor(0.01))
    assert part.norm1.weight.unique().tolist() == [1] and not part.box_head.bias.eq(-4.595).any()
