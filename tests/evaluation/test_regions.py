"""J and F against DAVIS' own numbers, slow references, and what must hold whatever the masks."""

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from vis.errors import DataError, MaskError
from vis.evaluation.boundary import boundary_f, outline
from vis.evaluation.regions import best_tracks, semi_supervised, unsupervised
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track


def drawn(folder: Path) -> Track:
    pictures = sorted(folder.glob("*.png"))
    masks = {n: rle.encode(np.array(Image.open(p)).astype(bool)) for n, p in enumerate(pictures)}
    return Track(1, 1, 1.0, masks)


# the other sequences are long and say no more; this one has frames below a half
@pytest.mark.parametrize("name", ["bmx-trees", "car-shadow"])
def test_numbers_are_those_of_davis(shared, name):
    folder = shared / "data" / "pack_test" / "eval_refs" / "davis_jf"
    expected = json.loads((folder / "expected.json").read_text())[name]
    truth, result = drawn(folder / "gt" / name), drawn(folder / "pred_stm16" / name)
    video = VideoEntry(1, name, 854, 480, len(truth.masks), ())
    found = semi_supervised(
        AnnotationSet({1: Category(1, "object")}, {1: video}, {1: [truth]}), {1: [result]}
    )
    fit = found.objects[1][1]
    for key, values in (("J", fit.j), ("F", fit.f)):
        assert [None if isnan(value) else value for value in values] == expected[key]
    # the file's recall is that of 2016
    keys = {"J_mean": "J_mean", "F_mean": "F_mean", "J_recall": "J_recall_2016",
            "J_decay": "J_decay", "F_decay": "F_decay"}  # fmt: skip
    for theirs, ours in keys.items():
        assert found.numbers[ours] == pytest.approx(expected[theirs], abs=1e-15)


def blob(seed: int, size=(40, 50)) -> np.ndarray:
    """A few rectangles, some of them over the edge."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.bool_)
    for _ in range(rng.integers(0, 4)):
        y, x, h, w = rng.integers(0, 35), rng.integers(0, 45), rng.integers(1, 25), rng.integers(30)
        mask[y : y + h, x : x + w] = True
    return mask


def slow_edge(mask):
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            down, right = min(y + 1, height - 1), min(x + 1, width - 1)
            near = {bool(mask[y, right]), bool(mask[down, x]), bool(mask[down, right])}
            edge[y, x] = near != {bool(mask[y, x])}
    return edge


def slow_f(a, b) -> float:
    reach = int(np.ceil(0.008 * np.linalg.norm(a.shape)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = x**2 + y**2 <= reach**2
    a, b = slow_edge(a), slow_edge(b)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision = (a & binary_dilation(b, disk)).sum() / a.sum()
    recall = (b & binary_dilation(a, disk)).sum() / b.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [(40, 50), (40, 400)])
def test_f_is_that_of_whole_pictures_dilated_with_a_disk(seed, size):
    a, b = blob(seed, size), blob(seed + 100, size)
    if seed % 4 == 0:
        b = np.roll(a, (1, -2), (0, 1))
    assert boundary_f(outline(a), outline(b)) == pytest.approx(slow_f(a, b), abs=1e-12)


def test_a_full_picture_has_no_outline():
    full, none = np.ones((9, 9), np.bool_), np.zeros((9, 9), np.bool_)
    assert boundary_f(outline(full), outline(none)) == 1
    assert boundary_f(outline(full), outline(~full)) == 1
    half = none.copy()
    half[:, :4] = True
    assert boundary_f(outline(half), outline(none)) == 0


@pytest.fixture
def truth(make):
    return make.set({1: [make.still(1, 1, 2, 2), make.still(2, 2, 18, 12)]})


@pytest.mark.parametrize("judge", [semi_supervised, unsupervised])
def test_perfect_results_score_one(truth, judge):
    numbers = judge(truth, truth.tracks).numbers
    assert {key: number for key, number in numbers.items() if "decay" not in key} == dict.fromkeys(
        ["J_mean", "J_recall", "J_recall_2016", "F_mean", "F_recall", "F_recall_2016", "J&F"], 1
    )
    assert numbers["J_decay"] == numbers["F_decay"] == 0


@pytest.mark.parametrize("judge", [semi_supervised, unsupervised])
def test_no_results_score_nothing(truth, judge):
    found = judge(truth, {})
    assert found.numbers["J&F"] == 0
    assert [fit.result for fit in found.objects[1].values()] == [None, None]


@pytest.mark.parametrize("judge", [semi_supervised, unsupervised])
def test_a_set_without_objects_has_no_numbers(make, judge):
    assert all(isnan(number) for number in judge(make.set({1: []}), {}).numbers.values() if number)
    assert isnan(best_tracks(make.set({1: []}), {}).numbers["J_best"])


def test_the_first_and_last_frame_are_judged_only_where_nothing_was_given(make, truth):
    middle = [replace(t, masks={n: t.masks[n] for n in (1, 2, 3)}) for t in truth.tracks[1]]
    assert semi_supervised(truth, {1: middle}).numbers["J_mean"] == 1
    assert unsupervised(truth, {1: middle}).numbers["J_mean"] == pytest.approx(3 / 5)


def test_objects_without_names_find_their_results(make, truth):
    first, second = truth.tracks[1]
    results = [replace(second, id=7), make.still(8, 1, 3, 2), replace(first, id=9)]
    found = unsupervised(truth, {1: results})
    assert [fit.result for fit in found.objects[1].values()] == [9, 7]
    assert found.numbers["J&F"] == 1
    assert unsupervised(truth, {1: results[::-1]}).numbers == found.numbers
    with pytest.raises(DataError, match="video 1: result 7 is of no object"):
        semi_supervised(truth, {1: results})


def test_pixels_of_crowds_are_not_judged(make):
    crowd = make.still(3, 1, 16, 0, crowd=True, size=(16, 24))
    truth = make.set({1: [make.still(1, 1, 8, 4), crowd]})
    spilt = make.still(1, 1, 8, 4, size=(20, 8))
    assert semi_supervised(truth, {1: [spilt]}).numbers["J&F"] == 1
    assert unsupervised(truth, {1: [spilt]}).numbers["J&F"] == 1


def test_decay_is_what_the_last_quarter_lacks(make):
    frames = range(10)
    truth = make.set({1: [make.still(1, 1, 2, 2, frames=frames)]}, frames=10)
    early = make.still(1, 1, 2, 2, frames=range(6))
    assert semi_supervised(truth, {1: [early]}).numbers["J_decay"] == 1


def test_best_tracks_serve_one_object_or_many(make, truth):
    both = make.still(5, 1, 2, 2, score=0.1)
    twin = make.set({1: [make.still(1, 1, 2, 2), make.still(2, 2, 2, 4)]})
    found = best_tracks(twin, {1: [both]})
    assert found.numbers["J_best"] == pytest.approx((1 + 48 / 80) / 2)
    assert found.numbers["J_matched"] == pytest.approx(1 / 2)
    assert best_tracks(truth, truth.tracks).numbers == {"J_best": 1, "J_matched": 1}
    short = make.still(6, 1, 2, 2, frames=range(3))
    assert best_tracks(truth, {1: [short]}).objects[1][1] == pytest.approx((3 / 5, 3 / 5))


def test_masks_of_another_size_and_unknown_videos_are_refused(truth):
    other = Track(1, 1, 1.0, {1: rle.encode(np.ones((4, 4), np.bool_))})
    with pytest.raises(MaskError, match="video 1: frame 1: the mask is 4 x 4"):
        semi_supervised(truth, {1: [other]})
    with pytest.raises(DataError, match="video 7"):
        unsupervised(truth, {7: []})
