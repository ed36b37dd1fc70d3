"""Which cells answer for which objects, and what the two terms make of it."""

import dataclasses

import numpy as np
import pytest
import torch

from vis.losses.grid import GridLoss, GridOutput, shrunk_masks
from vis.losses.grid_cells import assign
from vis.records import ClipTargets

RANGES = ((1.0, 96.0), (48.0, 192.0), (96.0, 384.0), (192.0, 768.0), (384.0, 2048.0))
SIDES = (10, 9, 6, 4, 3)
CANVAS = (128, 192)


def target(boxes: list[tuple[int, int, int, int]], labels: list[int]) -> ClipTargets:
    """Filled boxes in a picture of 120 x 181."""
    masks = torch.zeros(len(boxes), 1, 120, 181, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[:, y0:y1, x0:x1] = True
    scale = torch.tensor([181, 120, 181, 120])
    corners = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4) / scale
    visible = torch.ones(len(boxes), 1, dtype=torch.bool)
    return ClipTargets(torch.tensor(labels, dtype=torch.int64), corners[:, None], masks, visible)


BOXES = [(10, 10, 90, 100), (30, 20, 100, 95), (120, 60, 140, 75), (0, 0, 180, 119)]
LABELS = [3, 7, 1, 0]


def test_the_published_assignment():
    """Golden numbers S3 of the published code."""
    (found,) = assign([target(BOXES, LABELS)], CANVAS, SIDES, RANGES)
    cells = [sorted(zip(x.instances.tolist(), x.cells.tolist(), strict=True)) for x in found]
    assert [cell for _, cell in cells[0]] == [32, 42, 32, 33, 42, 43, 52, 53, 56]
    wanted = [28, 29, 37, 38, 29, 30, 38, 39, 30, 31, 32, 39, 40, 41]
    assert [cell for _, cell in cells[1]] == wanted
    assert [cell for _, cell in cells[2]] == [14, 15, 20, 21]
    assert cells[3:] == [[], []]
    small = shrunk_masks(target(BOXES, LABELS).masks[:, 0], (32, 48))
    assert small.sum(dim=(1, 2)).tolist() == [459, 342, 20, 1350]


def golden() -> GridOutput:
    """Logits, kernels and feature of S3."""

    def normal(seed: int, *shape: int) -> torch.Tensor:
        values = np.random.RandomState(seed).standard_normal(shape)
        return torch.from_numpy(values)

    mask_features = torch.nn.functional.interpolate(
        normal(9, 1, 256, 4, 6), (32, 48), mode="bilinear"
    )
    return GridOutput(
        [0.5 * normal(20 + i, 1, 80, g, g) - 3 for i, g in enumerate(SIDES)],
        [0.2 * normal(30 + i, 1, 256, g, g) for i, g in enumerate(SIDES)],
        mask_features,
    )


def test_the_published_losses():
    """Golden numbers S3 of the published code."""
    loss = GridLoss(RANGES, published=True)
    found = loss(golden(), [target(BOXES, LABELS)])
    assert found["mask_dice"].item() == pytest.approx(1.54816588, abs=1e-6)
    assert found["class"].item() == pytest.approx(0.85876208, abs=1e-6)


def test_a_cell_that_two_objects_want_learns_the_last_ones_mask_alone():
    both = target(BOXES[:2], LABELS[:2])
    output = golden()
    every = GridLoss(RANGES, published=True)(output, [both])["mask_dice"]
    last = GridLoss(RANGES)(output, [both])["mask_dice"]
    assert every.item() != last.item()


def test_a_picture_without_objects_has_no_dice_but_a_gradient():
    output = golden()
    output.mask_features.requires_grad_()
    found = GridLoss(RANGES)(output, [target([], [])])
    assert found["mask_dice"].item() == 0 and found["class"].item() > 0
    sum(found.values()).backward()
    assert output.mask_features.grad is not None


def test_classes_that_are_not_labelled_are_not_punished():
    output = golden()
    for level in output.logits:
        level.requires_grad_()
    labelled = torch.zeros(80, dtype=torch.bool)
    labelled[LABELS] = True
    plain = target(BOXES, LABELS)
    partly = ClipTargets(plain.labels, plain.boxes, plain.masks, plain.visible, labelled=labelled)
    GridLoss(RANGES)(output, [partly])["class"].backward()
    for level in output.logits:
        assert level.grad is not None
        assert (level.grad[:, ~labelled] == 0).all() and (level.grad[:, labelled] != 0).all()


def test_the_pictures_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    loss, first, second = GridLoss(RANGES), target(BOXES[:2], LABELS[:2]), target([], [])
    one = golden()
    two = GridOutput(
        [x.repeat(2, 1, 1, 1) for x in one.logits],
        [x.repeat(2, 1, 1, 1) for x in one.mask_embeddings],
        one.mask_features.repeat(2, 1, 1, 1),
    )
    alone, together = loss(one, [first]), loss(two, [first, second])
    torch.testing.assert_close(alone["mask_dice"], together["mask_dice"])


def test_pixels_are_named_where_objects_are():
    """Right logits cost nothing, wrong ones much; each pixel counts by the formula."""
    truth = shrunk_masks(target(BOXES[2:3], LABELS[2:3]).masks[:, 0], (32, 48))[0]
    right = torch.full((1, 80, 32, 48), -20.0)
    right[0, LABELS[2]][truth] = 20
    terms = [
        GridLoss(RANGES, pixels=0.5)(
            dataclasses.replace(golden(), pixels=logits), [target(BOXES[2:3], LABELS[2:3])]
        )
        for logits in (right, torch.zeros_like(right))
    ]
    assert terms[0]["pixels"].item() < 1e-6
    # a quarter of log 2 each: 0.25 of those of the object, 0.75 of all others
    count = int(truth.sum())
    whole = 0.25 * np.log(2) * (0.25 * count + 0.75 * (right.numel() - count))
    assert terms[1]["pixels"].item() == pytest.approx(0.5 * whole / (count + 1), rel=1e-5)


def test_pixels_of_classes_that_are_not_labelled_are_not_judged():
    logits = torch.zeros(1, 80, 32, 48, requires_grad=True)
    plain = target(BOXES, LABELS)
    labelled = torch.zeros(80, dtype=torch.bool)
    labelled[LABELS] = True
    partly = dataclasses.replace(plain, labelled=labelled)
    output = dataclasses.replace(golden(), pixels=logits)
    GridLoss(RANGES)(output, [partly])["pixels"].backward()
    assert logits.grad is not None
    assert (logits.grad[:, ~labelled] == 0).all() and (logits.grad[:, labelled] != 0).all()
