"""Results with made errors of one kind: the split must lay the loss to that kind."""

from dataclasses import replace

import pytest

from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.error_split import MEANINGS, error_split
from vis.evaluation.oracles import ORACLES

FIRST, SECOND = (2, 2), (20, 12)
"""Where the two objects of each video stand."""


@pytest.fixture
def truth(make):
    return make.set(
        {
            video: [
                make.still(10 * video, 1, *FIRST, frames=range(10)),
                make.still(10 * video + 1, 2, *SECOND, frames=range(10)),
            ]
            for video in (1, 2, 3)
        },
        frames=10,
    )


@pytest.fixture
def perfect(truth):
    return {
        video: [replace(track, score=0.9 - 0.01 * track.id) for track in tracks]
        for video, tracks in truth.tracks.items()
    }


def lost(make, perfect):
    return {**perfect, 2: perfect[2][1:], 3: []}


def invented(make, perfect):
    more = [make.still(50 + n, 1, 14, n, 0.95, frames=range(10), size=(4, 4)) for n in range(3)]
    return {**perfect, 1: [*perfect[1], *more]}


def doubled(make, perfect):
    return {**perfect, 1: [*perfect[1], *(replace(t, score=t.score - 0.001) for t in perfect[1])]}


def renamed(make, perfect):
    return {**perfect, 2: [replace(track, label=3 - track.label) for track in perfect[2]]}


def shifted(make, perfect):
    moved = make.still(1, 1, FIRST[0] + 3, FIRST[1], 0.8, frames=range(10))
    return {**perfect, 1: [moved, perfect[1][1]]}


def blurred(make, perfect):
    large = make.still(1, 1, 1, 1, 0.8, frames=range(10), size=(15, 15))
    return {**perfect, 1: [large, perfect[1][1]]}


def with_gaps(make, perfect):
    seen = part(perfect[1][0], (0, 1, 2, 9))
    return {**perfect, 1: [seen, perfect[1][1]]}


def torn(make, perfect):
    pieces = [part(perfect[1][0], range(6)), part(perfect[1][0], range(6, 10), score=0.5)]
    return {**perfect, 1: [*pieces, perfect[1][1]]}


def swapped(make, perfect):
    one, other = (replace(track, label=1) for track in perfect[1])
    crossed = [
        replace(one, masks={**part(one, range(6)).masks, **part(other, range(6, 10)).masks}),
        replace(other, masks={**part(other, range(6)).masks, **part(one, range(6, 10)).masks}),
    ]
    return {**perfect, 1: crossed}


def late(make, perfect):
    return {**perfect, 1: [part(track, range(5, 10)) for track in perfect[1]]}


def part(track, frames, score=None):
    masks = {frame: track.masks[frame] for frame in frames}
    return replace(track, masks=masks, score=track.score if score is None else score)


def of_one_category(truth):
    """Swaps are among objects of one category."""
    tracks = {video: [replace(t, label=1) for t in group] for video, group in truth.tracks.items()}
    return replace(truth, tracks=tracks)


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("missed objects", lost),
        ("false tracks", invented),
        ("false tracks", doubled),
        ("wrong class", renamed),
        ("poor masks", shifted),
        ("poor masks", blurred),
        ("poor masks", with_gaps),
        ("identity switches", torn),
        ("identity switches", swapped),
        ("late births", late),
    ],
)
def test_errors_of_one_kind_are_laid_to_it(make, truth, perfect, kind, broken):
    if broken is swapped:
        truth = of_one_category(truth)
        perfect = {v: [replace(t, label=1) for t in tracks] for v, tracks in perfect.items()}
    split = error_split(truth, broken(make, perfect))
    missing = 1 - split.ap
    assert missing > 0.01
    assert split.lost[kind] == pytest.approx(missing, abs=1e-9)
    for other in split.lost.keys() - {kind}:
        assert abs(split.lost[other]) <= 0.1 * missing, other
    assert split.tracks[kind] > 0


def test_a_name_that_goes_on_to_the_next_object_is_a_switch(make):
    one = make.still(1, 1, *FIRST, frames=(0, 1, 2))
    other = make.still(2, 1, *SECOND, frames=(3, 4))
    both = replace(one, masks={**one.masks, **other.masks}, score=0.5)
    split = error_split(make.set({1: [one, other]}), {1: [both]})
    assert split.lost["identity switches"] == pytest.approx(1 - split.ap)
    assert split.lost["missed objects"] == 0


def test_perfect_results_lose_nothing(truth, perfect):
    split = error_split(truth, perfect)
    assert split.ap == pytest.approx(1)
    assert set(split.lost) == set(MEANINGS) == set(ORACLES)
    assert all(abs(value) < 1e-9 for value in split.lost.values())
    assert not any(split.tracks.values())


def test_all_missed_is_all_laid_to_misses(truth):
    split = error_split(truth, {})
    assert (split.ap, split.lost["missed objects"]) == (0, 1)
    assert sum(split.lost.values()) == 1


def test_nothing_to_find_loses_nothing(make):
    split = error_split(make.set({1: []}), {1: [make.still(1, 1, 4, 4, 0.5)]})
    assert split.ap == -1
    assert set(split.lost.values()) == {0}


def test_a_result_of_a_crowd_is_no_error(make, truth, perfect):
    crowd = make.still(99, 1, 14, 0, frames=range(10), size=(5, 5), crowd=True)
    truth = replace(truth, tracks={**truth.tracks, 1: [*truth.tracks[1], crowd]})
    split = error_split(truth, {**perfect, 1: [*perfect[1], replace(crowd, score=1.0)]})
    assert split.ap == pytest.approx(1)
    assert not any(split.tracks.values())


@pytest.mark.parametrize("seed", range(10))
def test_whatever_the_results_ap_is_that_of_the_evaluation(make, seed):
    truth, results = make.random_set(seed)
    split = error_split(truth, results)
    assert split.ap == pytest.approx(evaluate_tracks(truth, results).numbers["AP"], abs=1e-12)
    assert all(-1 <= value <= 1 for value in split.lost.values())
    assert split.lost["false tracks"] >= -1e-12
