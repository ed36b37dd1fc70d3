"""Peaks among neighbours, and scores that fall with overlap."""

import math

import torch

from vis.ops.suppression import matrix_decay, point_peaks


def test_a_peak_is_at_least_as_high_as_left_up_and_both():
    scores = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    found = point_peaks(scores)
    for m, k, y, x in torch.cartesian_prod(*map(torch.arange, scores.shape)).tolist():
        before = scores[m, k, max(0, y - 1) : y + 1, max(0, x - 1) : x + 1]
        kept = scores[m, k, y, x] >= before.max()
        assert found[m, k, y, x] == (scores[m, k, y, x] if kept else 0)


def slow_decay(masks: torch.Tensor, labels: torch.Tensor, sigma: float) -> list[float]:
    """The formula, mask by mask."""
    count = len(masks)
    iou = [[0.0] * count for _ in range(count)]
    for i in range(count):
        for j in range(i + 1, count):
            if labels[i] == labels[j]:
                both, either = (masks[i] & masks[j]).sum(), (masks[i] | masks[j]).sum()
                iou[i][j] = float(both / either)
    covered = [max(iou[k][i] for k in range(count)) for i in range(count)]
    return [
        min(math.exp(-sigma * (iou[i][j] ** 2 - covered[i] ** 2)) for i in range(count))
        for j in range(count)
    ]


def test_decay_is_the_formula():
    generator = torch.Generator().manual_seed(1)
    masks = torch.rand(12, 40, generator=generator) > 0.4
    labels = torch.randint(0, 3, (12,), generator=generator)
    found = matrix_decay(masks, labels, sigma=2.0)
    torch.testing.assert_close(found, torch.tensor(slow_decay(masks, labels, 2.0)))


def test_masks_apart_keep_their_scores_and_a_copy_loses_most():
    masks = torch.eye(4, dtype=torch.bool)
    labels = torch.zeros(4, dtype=torch.int64)
    assert (matrix_decay(masks, labels, sigma=2.0) == 1).all()
    masks = torch.stack((masks[0], masks[0], masks[1]))
    torch.testing.assert_close(
        matrix_decay(masks, labels[:3], sigma=2.0), torch.tensor([1.0, math.exp(-2), 1.0])
    )


def test_no_masks_no_decay():
    empty = matrix_decay(torch.zeros(0, 9, dtype=torch.bool), torch.zeros(0), sigma=2.0)
    assert empty.shape == (0,)
