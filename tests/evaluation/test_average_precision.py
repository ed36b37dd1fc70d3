from dataclasses import replace
from random import Random

import numpy as np
import pytest

from tests.evaluation.slow_precision import slow_ap
from vis.errors import DataError
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.evaluator import NONE, TrackEvaluator
from vis.evaluation.overlaps import frame_overlaps, track_iou
from vis.ops import rle

SEEDS = range(8)


def ap(truth, results, **options):
    return evaluate_tracks(truth, results, **options).numbers["AP"]


@pytest.mark.parametrize("seed", range(20))
def test_the_definition_gives_the_same_number(make, seed):
    truth, results = make.random_set(seed)
    expected = slow_ap(truth, results)
    assert ap(truth, results) == pytest.approx(NONE if expected is None else expected, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_perfect_results_score_one(make, seed):
    truth, _ = make.random_set(seed)
    perfect = {
        video: [replace(track, score=0.5) for track in tracks if track.masks]
        for video, tracks in truth.tracks.items()
    }
    found = evaluate_tracks(truth, perfect)
    assert found.numbers["AP"] == pytest.approx(1)
    # one result a video cannot find two objects
    several = [value for name, value in found.numbers.items() if name != "AR1"]
    values = [*several, *found.per_category.values()]
    assert all(value in (NONE, pytest.approx(1)) for value in values)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_results_score_nothing(make, seed):
    truth, _ = make.random_set(seed)
    for nothing in ({}, {video: [] for video in truth.videos}):
        numbers = evaluate_tracks(truth, nothing).numbers
        assert set(numbers.values()) <= {0, NONE}
        assert numbers["AP"] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_records_changes_nothing(make, seed):
    truth, results = make.random_set(seed, distinct=True)
    shuffled = {video: Random(seed).sample(t, len(t)) for video, t in reversed(results.items())}
    turned = replace(truth, tracks={v: t[::-1] for v, t in reversed(truth.tracks.items())})
    expected = evaluate_tracks(truth, results).as_json()
    assert evaluate_tracks(truth, shuffled).as_json() == expected
    # among true tracks with equal overlaps the last is taken; these sets have none
    assert evaluate_tracks(turned, shuffled).as_json() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_false_track_never_helps(make, seed):
    truth, results = make.random_set(seed)
    before = ap(truth, results)
    rng = np.random.default_rng(seed)
    for video in truth.videos:
        false = make.still(999, int(rng.integers(1, 4)), 31, 23, float(rng.random()), size=(1, 1))
        more = {**results, video: [*results[video], false]}
        assert ap(truth, more) <= before + 1e-12


def test_ids_say_nothing_and_zero_is_one(make):
    truth = make.set({0: [make.still(0, 1, 4, 4)], 5: [make.still(1, 1, 4, 4)]})
    results = {0: [make.still(0, 1, 4, 4, 0.5)], 5: [make.still(0, 1, 4, 4, 0.4)]}
    found = evaluate_tracks(truth, results)
    assert found.numbers["AP"] == pytest.approx(1)
    assert [(m.video_id, m.matched[0].tolist()) for m in found.matches] == [(0, [0]), (5, [1])]


def test_without_categories_any_name_is_right(make):
    truth = make.set({1: [make.still(1, 1, 4, 4)]})
    results = {1: [make.still(1, 2, 4, 4, 0.5)]}
    assert ap(truth, results) == 0
    found = evaluate_tracks(truth, results, by_category=False)
    assert found.numbers["AP"] == pytest.approx(1)
    assert found.labels == (NONE,)


def test_only_the_best_hundred_of_a_category_count(make):
    truth = make.set({1: [make.still(1, 1, 4, 4)]})
    wrong = [make.still(n, 1, 20, 12, 0.9) for n in range(100)]
    assert ap(truth, {1: [*wrong, make.still(100, 1, 4, 4, 0.5)]}) == 0
    assert ap(truth, {1: [*wrong[1:], make.still(100, 1, 4, 4, 0.5)]}) == pytest.approx(0.01)


@pytest.mark.parametrize("by_category", [True, False])
def test_a_category_costs_nothing_where_it_is_not(make, monkeypatch, by_category):
    tracks = {video: [make.still(video, video, 4, 4)] for video in range(1, 31)}
    results = {4: [make.still(1, 5, 4, 4, 0.5)]}
    calls = []
    match = TrackEvaluator.evaluateImg
    monkeypatch.setattr(TrackEvaluator, "evaluateImg", lambda *a: calls.append(a) or match(*a))
    ap(make.set(tracks, labels=range(1, 31)), results, by_category=by_category)
    # each of the four sizes where a video has truth or results, not 30 x 30 times
    assert len(calls) == 4 * (31 if by_category else 30)


def test_stated_areas_decide_the_size(make):
    truth = make.set({1: [make.still(7, 1, 4, 4)]})
    results = {1: [make.still(1, 1, 4, 4, 0.5)]}
    assert evaluate_tracks(truth, results).numbers["APs"] == pytest.approx(1)
    stated = replace(truth, track_extra={7: {"areas": [None, 0, 128**2 + 1, 128**2 + 3, None]}})
    numbers = evaluate_tracks(stated, results).numbers
    assert (numbers["APs"], numbers["APm"]) == (NONE, pytest.approx(1))


def test_a_crowd_takes_any_number_and_is_not_missed(make):
    crowd = make.still(1, 1, 4, 4, crowd=True)
    truth = make.set({1: [crowd, make.still(2, 1, 20, 12)]})
    results = {1: [make.still(n, 1, 4, 4, 0.9) for n in range(3)]}
    assert ap(truth, results) == 0
    assert ap(truth, {1: [*results[1], make.still(9, 1, 20, 12, 0.1)]}) == pytest.approx(1)


def test_curves_and_thresholds_average_to_ap(make):
    found = evaluate_tracks(*make.random_set(4, videos=8))
    assert found.per_threshold().mean() == pytest.approx(found.numbers["AP"])
    assert found.per_threshold()[0] == pytest.approx(found.numbers["AP50"])
    curves = [found.curve(threshold) for threshold in range(10)]
    assert np.mean(curves) == pytest.approx(found.numbers["AP"])
    one = [found.curve(threshold, 2) for threshold in range(10)]
    assert np.mean(one) == pytest.approx(found.per_category[2])


def test_each_video_is_asked_for_once_and_can_be_forgotten(make):
    truth, results = make.random_set(2)
    asked = []

    class OnDemand(dict):
        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

    assert ap(truth, OnDemand(results)) == ap(truth, results)
    assert sorted(asked) == sorted(truth.videos)


@pytest.mark.parametrize("seed", SEEDS)
def test_overlaps_are_those_of_the_pixels(make, seed):
    truth, results = make.random_set(seed, videos=1)
    found = results[1] + truth.tracks[1]
    whole = [
        [np.stack([rle.decode(t.masks[f]) if f in t.masks else np.zeros((24, 32), bool)
                   for f in range(5)]) for t in side]
        for side in (found, truth.tracks[1])
    ]  # fmt: skip
    expected = [[(a & b).sum() / max((a | b).sum(), 1) for b in whole[1]] for a in whole[0]]
    iou = track_iou(found, truth.tracks[1])
    assert iou.tolist() == np.reshape(expected, iou.shape).tolist()
    for seen in frame_overlaps(found, truth.tracks[1]):
        for row, d in enumerate(seen.results):
            for column, g in enumerate(seen.truth):
                both = whole[0][d][seen.frame] & whole[1][g][seen.frame]
                assert seen.shared[row, column] == both.sum()


UNFIT = [
    (lambda make: {4: [make.still(1, 1, 4, 4)]}, "results of 1 videos that .* not have: 4"),
    (lambda make: {1: [make.still(1, 3, 4, 4)]}, "video 1: result 1: category 3 is none"),
    (lambda make: {1: [make.still(1, 1, 4, 4, float("nan"))]}, "result 1: the score is nan"),
    (lambda make: {1: [make.still(1, 1, 4, 4, float("inf"))]}, "result 1: the score is inf"),
    (lambda make: {1: [make.still(1, 1, 4, 4, frames=range(6))]}, "a mask in frame 5 but .* has 5"),
    (
        lambda make: {
            1: [replace(make.still(1, 1, 4, 4), masks={2: rle.encode(np.zeros((32, 24), bool))})]
        },
        "frame 2 has a mask of 32 x 24 but the video is 24 x 32",
    ),
]


@pytest.mark.parametrize(("results", "said"), UNFIT)
def test_results_that_do_not_fit_are_refused(make, results, said):
    truth = make.set({1: [make.still(1, 1, 4, 4)]})
    with pytest.raises(DataError, match=said) as caught:
        evaluate_tracks(truth, results(make))
    assert caught.value.remedy
