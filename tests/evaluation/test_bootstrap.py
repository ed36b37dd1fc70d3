import numpy as np
import pytest

from vis.errors import UsageError
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.bootstrap import ap_by_video, bootstrap
from vis.formats.ytvis_records import AnnotationSet


def drawn_again(truth, results, videos):
    """The set in which each of `videos` stands once for each time it is named."""
    tracks = dict(enumerate((truth.tracks[video] for video in videos), 1))
    entries = dict(enumerate((truth.videos[video] for video in videos), 1))
    again = AnnotationSet(categories=truth.categories, videos=entries, tracks=tracks)
    return again, dict(enumerate((results[video] for video in videos), 1))


@pytest.mark.parametrize("seed", range(6))
def test_one_draw_is_an_evaluation_of_the_drawn_videos(make, seed):
    truth, results = make.random_set(seed, videos=5, distinct=True)
    found = evaluate_tracks(truth, results)
    drawn = np.random.default_rng(3).integers(5, size=5) + 1
    expected = evaluate_tracks(*drawn_again(truth, results, sorted(drawn))).numbers["AP"]
    interval = bootstrap(found, draws=1, seed=3)
    assert interval.low == interval.high == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_a_video_alone(make, seed):
    truth, results = make.random_set(seed, videos=4)
    each = ap_by_video(evaluate_tracks(truth, results))
    for video, value in each.items():
        alone = evaluate_tracks(*drawn_again(truth, results, [video])).numbers["AP"]
        assert value == pytest.approx(alone, abs=1e-12)


def test_the_interval_holds_the_value_and_repeats(make):
    truth, results = make.random_set(1, videos=30)
    found = evaluate_tracks(truth, results)
    interval = bootstrap(found, draws=200)
    assert interval.low < found.numbers["AP"] < interval.high
    assert interval == bootstrap(found, draws=200)
    assert interval != bootstrap(found, draws=200, seed=1)
    narrow = bootstrap(found, draws=200, level=0.5)
    assert interval.low < narrow.low < narrow.high < interval.high


def test_videos_that_are_all_alike_leave_no_doubt(make):
    tracks = {video: [make.still(video, 1, 4, 4)] for video in range(1, 9)}
    found = evaluate_tracks(make.set(tracks), tracks)
    interval = bootstrap(found, draws=50)
    assert (interval.low, interval.high, interval.draws) == (1, 1, 50)


def test_a_single_video_has_no_interval(make):
    found = evaluate_tracks(make.set({1: [make.still(1, 1, 4, 4)]}), {1: []})
    interval = bootstrap(found, draws=5)
    assert (interval.low, interval.high, interval.draws) == (-1, -1, 0)


def test_nothing_to_find_is_said(make):
    found = evaluate_tracks(make.set({1: []}), {1: [make.still(1, 1, 4, 4)]})
    assert bootstrap(found, draws=5).draws == 0
    assert ap_by_video(found) == {1: -1}


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"level": 1.0}])
def test_senseless_settings_are_refused(make, wrong):
    found = evaluate_tracks(make.set({1: []}), {})
    with pytest.raises(UsageError, match="draws is"):
        bootstrap(found, **wrong)
