"""Boxes: the two ways of writing them, overlap and coverage, against rasters and by hand."""

import pytest
import torch

from vis.ops.boxes import area, coverage, giou, iou, to_centres, to_corners


def test_both_ways_of_writing_are_each_others_inverse():
    boxes = torch.rand(3, 5, 4)
    torch.testing.assert_close(to_centres(to_corners(boxes)), boxes)
    corners = to_corners(torch.tensor([0.5, 0.4, 0.2, 0.6]))
    torch.testing.assert_close(corners, torch.tensor([0.4, 0.1, 0.6, 0.7]))


def test_overlap_of_whole_cells_is_counted():
    torch.manual_seed(0)
    start = torch.randint(0, 6, (40, 2))
    boxes = torch.cat((start, start + torch.randint(1, 5, (40, 2))), dim=1)
    grid = torch.zeros(40, 12, 12, dtype=torch.bool)
    for cells, (x0, y0, x1, y1) in zip(grid, boxes.tolist(), strict=True):
        cells[y0:y1, x0:x1] = True
    both = (grid[:, None] & grid).sum(dim=(2, 3))
    either = (grid[:, None] | grid).sum(dim=(2, 3))
    boxes = boxes.float()
    torch.testing.assert_close(iou(boxes[:, None], boxes), both / either)
    torch.testing.assert_close(area(boxes), grid.sum(dim=(1, 2)).float())


def test_giou_by_hand():
    a, b = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([2.0, 0.0, 3.0, 1.0])
    assert giou(a, a).item() == pytest.approx(1.0)
    assert giou(a, b).item() == pytest.approx(-1 / 3)
    assert giou(a, torch.tensor([0.5, 0.0, 1.5, 1.0])).item() == pytest.approx(1 / 3)


def test_boxes_without_area_agree_only_if_smoothed():
    nothing = torch.zeros(4)
    assert iou(nothing, nothing).item() == 0
    assert iou(nothing, nothing, eps=1e-6).item() == pytest.approx(1.0)
    assert area(torch.tensor([0.6, 0.2, 0.4, 0.8])).item() == 0


def test_coverage_is_the_share_of_each_cell():
    boxes = torch.tensor([[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0], [0.3, 0.3, 0.3, 0.3]])
    found = coverage(boxes, 2, 2)
    assert found.shape == (3, 2, 2)
    torch.testing.assert_close(found[0], torch.tensor([[0.5, 0.5], [0.0, 0.0]]))
    assert (found[1] == 1).all() and (found[2] == 0).all()
    torch.testing.assert_close(coverage(boxes, 7, 5).mean(dim=(1, 2)), area(boxes))
