"""Masks within boxes: their shapes, and that what a box holds decides, not where it is."""

import pytest
import torch
from torch import Tensor

from vis.layers.roi_masks import COARSE, FINE, STRIDES, RoiMaskHead, TopDown

CHANNELS = (4, 6, 8, 10, 12)


@pytest.fixture
def head() -> RoiMaskHead:
    torch.manual_seed(0)
    return RoiMaskHead(CHANNELS, 32).eval()


def levels(side: int, batch: int = 1) -> list[Tensor]:
    """Maps of a picture of that side."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(batch, count, side // stride, side // stride, generator=generator)
        for count, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_every_box_has_a_coarse_and_a_fine_mask(head: RoiMaskHead):
    boxes = torch.tensor([[10.0, 10, 90, 60], [-20, 5, 40, 200], [0, 0, 128, 128]])
    with torch.no_grad():
        found = head(levels(128, 2), torch.tensor([0, 1, 1]), boxes)
        assert found.coarse.shape == (3, COARSE, COARSE) and found.fine.shape == (3, FINE, FINE)
        assert found.fine.isfinite().all()
        alone = head([level[1:] for level in levels(128, 2)], torch.tensor([0]), boxes[1:2])
    torch.testing.assert_close(alone.fine, found.fine[1:2], atol=1e-5, rtol=1e-5)


def test_no_boxes_have_no_masks_but_a_gradient(head: RoiMaskHead):
    found = head(levels(128), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    assert found.coarse.shape == (0, COARSE, COARSE) and found.fine.shape == (0, FINE, FINE)
    (found.fine.sum() + found.coarse.sum()).backward()
    assert all(p.grad is None or not p.grad.any() for p in head.parameters())


def test_a_box_moved_with_its_content_has_the_same_mask(head: RoiMaskHead):
    """By cells of the coarsest map; what the edge of the picture adds is far away."""
    step, side = 64, 512
    maps = levels(side)
    moved = [
        level.roll((step // stride, step // stride), (2, 3))
        for level, stride in zip(maps, STRIDES, strict=True)
    ]
    box = torch.tensor([[200.0, 220, 260, 290]])
    with torch.no_grad():
        here = head(maps, torch.tensor([0]), box)
        there = head(moved, torch.tensor([0]), box + step)
        elsewhere = head(maps, torch.tensor([0]), box + step)
    torch.testing.assert_close(there.fine, here.fine, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(there.coarse, here.coarse, atol=1e-3, rtol=1e-3)
    assert (elsewhere.fine - here.fine).abs().max() > 0.05


def test_a_half_step_is_between(head: RoiMaskHead):
    """Up to interpolation: moved by part of a cell, a mask of smooth maps hardly changes."""
    maps = [torch.nn.functional.avg_pool2d(x, 3, 1, 1) for x in levels(512)]
    box = torch.tensor([[200.0, 220, 260, 290]])
    with torch.no_grad():
        here, near, far = (head(maps, torch.tensor([0]), box + step).fine for step in (0, 0.25, 40))
    assert (near - here).abs().mean() < 0.2 * (far - here).abs().mean()


def test_the_pyramid_takes_maps_of_odd_sides():
    torch.manual_seed(0)
    maps = [torch.randn(1, 4, side, 2 * side - 1) for side in (19, 10, 5, 3)]
    found = TopDown((4, 4, 4, 4), 8)(maps)
    assert [level.shape for level in found] == [(1, 8, *level.shape[2:]) for level in maps]
