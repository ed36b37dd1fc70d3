"""Semantic numbers against their definition, counted pixel by pixel."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vis.errors import DataError
from vis.evaluation.semantic import Confusion

K = 4
labels = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 3, 255]), st.integers(0, K - 1)), min_size=1, max_size=30
)


def confusion(*pictures) -> Confusion:
    counted = Confusion(K)
    for pairs in pictures:
        truth, found = np.array(pairs, np.uint8).T
        counted.add(truth[None], found[None])
    return counted


@given(labels)
def test_every_number_is_that_of_its_definition(pairs):
    got = confusion(pairs).numbers()
    judged = [(true, found) for true, found in pairs if true != 255]
    ious = []
    for k in range(K):
        both = sum(true == k and found == k for true, found in judged)
        either = sum(true == k or found == k for true, found in judged)
        ious.append(both / either if either else float("nan"))
    assert got.iou.tolist() == pytest.approx(ious, nan_ok=True)
    known = [iou for iou in ious if not isnan(iou)]
    mean = sum(known) / len(known) if known else float("nan")
    assert got.numbers["mIoU"] == pytest.approx(mean, nan_ok=True)
    right = [true == found for true, found in judged]
    share = sum(right) / len(right) if right else float("nan")
    assert got.numbers["pixel_accuracy"] == pytest.approx(share, nan_ok=True)


@given(labels, labels)
def test_pictures_one_by_one_are_all_pixels_together(first, second):
    assert (confusion(first, second).pixels == confusion([*first, *second]).pixels).all()


def test_perfect_results_score_one_and_absent_classes_do_not_count():
    got = confusion([(0, 0), (2, 2), (255, 1)])
    assert got.numbers().numbers == {"mIoU": 1, "mean_accuracy": 1, "pixel_accuracy": 1}
    assert np.isnan(got.numbers().iou).tolist() == [False, True, False, True]


def test_a_class_that_only_the_results_have_counts_as_zero():
    got = confusion([(0, 0), (0, 1)]).numbers()
    assert got.numbers == {"mIoU": 0.25, "mean_accuracy": 0.5, "pixel_accuracy": 0.5}


def test_no_picture_has_no_numbers():
    assert all(isnan(number) for number in Confusion(K).numbers().numbers.values())


def test_wrong_sizes_and_classes_are_refused():
    grid = np.zeros((2, 3), np.int64)
    with pytest.raises(DataError, match="2 x 3 pixels but the result 3 x 2"):
        Confusion(K).add(grid, grid.T)
    with pytest.raises(DataError, match="truth has a pixel of class 4"):
        Confusion(K).add(grid + 4, grid)
    with pytest.raises(DataError, match="result has a pixel of class -1"):
        Confusion(K).add(grid, grid - 1)
