"""What identity numbers must do whatever the masks are, and slow references beside them."""

from dataclasses import replace
from itertools import permutations
from math import isnan, sqrt
from random import Random

import numpy as np
import pytest

from vis.errors import DataError, MaskError
from vis.evaluation.identity import identity, identity_f1
from vis.evaluation.pairing import EPSILON
from vis.ops import rle
from vis.records import Track

DETECTION = ("DetA", "DetRe", "DetPr", "LocA", "MOTSP", "recall", "precision")
ASSOCIATION = ("AssA", "HOTA", "IDF1")
RATIOS = (*DETECTION, *ASSOCIATION, "AssRe", "AssPr", "IDP", "IDR", "MOTSA", "sMOTSA")
FAULTS = ("ID_switches", "fragmentations", "missed", "false", "mostly_lost", "partly_tracked")


@pytest.fixture
def truth(make):
    """Two objects of one category, apart, in frames 0..4."""
    return make.set({1: [make.still(1, 1, 2, 2), make.still(2, 1, 20, 12)]})


def cut(track: Track, frame: int, other: int) -> list[Track]:
    """The track up to a frame, and from there on under another id."""
    early = {t: mask for t, mask in track.masks.items() if t < frame}
    late = {t: mask for t, mask in track.masks.items() if t >= frame}
    return [replace(track, masks=early), replace(track, id=other, masks=late)]


def same(a, b) -> bool:
    return a == pytest.approx(b, rel=1e-12, nan_ok=True)


def test_perfect_results_score_one(make):
    truth, _ = make.random_set(3)
    results = {
        video: [replace(track, id=track.id + 100) for track in tracks if not track.crowd]
        for video, tracks in truth.tracks.items()
    }
    numbers = identity(truth, results).numbers
    assert {key: numbers[key] for key in RATIOS} == pytest.approx(dict.fromkeys(RATIOS, 1.0))
    assert [numbers[key] for key in FAULTS] == [0] * len(FAULTS)


def test_no_results_score_nothing(truth):
    numbers = identity(truth, {}).numbers
    assert [numbers[key] for key in ("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "recall")] == [0] * 6
    assert numbers["missed"] == 10 and numbers["mostly_lost"] == 2
    assert isnan(numbers["MOTSP"]) and isnan(numbers["precision"])


def test_results_where_nothing_is_are_all_false(make):
    numbers = identity(make.set({1: []}), {1: [make.still(1, 1, 2, 2)]}).numbers
    assert numbers["false"] == 5 and numbers["IDF1"] == 0 and numbers["HOTA"] == 0
    assert isnan(numbers["MOTSA"])


def test_an_empty_set_has_no_numbers(make):
    found = identity(make.set({1: []}), {})
    assert isnan(found.numbers["IDF1"]) and found.numbers["HOTA"] == 0
    assert found.per_category == {} and found.timelines == {1: {}}
    assert isnan(identity_f1([], []))


def test_splitting_a_track_spoils_the_identity_and_not_the_detection(truth):
    whole = truth.tracks[1]
    split = [*cut(whole[0], 2, 9), whole[1]]
    before, after = identity(truth, {1: whole}).numbers, identity(truth, {1: split}).numbers
    assert [after[key] for key in DETECTION] == [before[key] for key in DETECTION]
    assert all(after[key] < before[key] for key in ASSOCIATION)
    assert after["ID_switches"] == 1 and after["MOTSA"] == pytest.approx(0.9)


def test_swapping_two_names_spoils_the_association_only(truth):
    (a, b), (c, d) = (cut(track, 2, track.id + 10) for track in truth.tracks[1])
    swapped = [replace(a, masks={**a.masks, **d.masks}), replace(c, masks={**c.masks, **b.masks})]
    numbers = identity(truth, {1: swapped}).numbers
    assert all(numbers[key] == 1 for key in DETECTION)
    assert numbers["ID_switches"] == 2
    assert numbers["IDF1"] == pytest.approx(0.6)
    # 2 and 3 of 5 frames each: two parts that share 2 / 8 and 3 / 7
    assert numbers["AssA"] == pytest.approx((2 * 2 / 8 + 3 * 3 / 7) / 5)


@pytest.mark.parametrize("seed", range(5))
def test_order_and_ids_change_nothing(make, seed):
    truth, results = make.random_set(seed)
    random = Random(seed)

    def shuffled(tracks):
        order = random.sample(tracks, len(tracks))
        return [replace(track, id=500 - place) for place, track in enumerate(order)]

    other = replace(
        truth, tracks={video: shuffled(truth.tracks[video]) for video in reversed(truth.tracks)}
    )
    moved = {video: shuffled(results[video]) for video in reversed(results)}
    a, b = identity(truth, results), identity(other, moved)
    assert same(a.numbers, b.numbers)
    assert all(same(a.per_category[label], b.per_category[label]) for label in a.per_category)


@pytest.mark.parametrize("seed", range(5))
def test_a_false_track_never_helps(make, seed):
    truth, results = make.random_set(seed)
    more = {**results, 1: [*results[1], make.still(999, 1, 24, 16)]}
    before, after = identity(truth, results).numbers, identity(truth, more).numbers
    assert after["MOTSA"] <= before["MOTSA"] + 1e-12 or after["matches"] > before["matches"]
    assert after["precision"] <= before["precision"] or after["matches"] > before["matches"]


def test_a_track_of_another_category_covers_nothing(make, truth):
    found = identity(truth, {1: [replace(truth.tracks[1][0], label=2)]})
    assert found.numbers["matches"] == 0
    assert sorted(found.per_category) == [1, 2]
    assert identity_f1(truth.tracks[1], [replace(truth.tracks[1][0], label=2)]) > 0.6


def test_a_crowd_excuses_what_lies_within_it_whatever_its_category(make):
    crowd = make.still(3, 2, 0, 0, crowd=True, size=(16, 16))
    truth = make.set({1: [make.still(1, 1, 2, 2), crowd]})
    inside, outside = make.still(7, 1, 7, 7), make.still(8, 1, 20, 14)
    numbers = identity(truth, {1: [make.still(5, 1, 2, 2), inside, outside]}).numbers
    assert (numbers["matches"], numbers["false"]) == (5, 5)
    assert identity(truth, {1: [make.still(5, 1, 2, 2), inside]}).numbers["HOTA"] == 1


def test_a_mask_without_pixels_is_no_mask(make, truth):
    nothing = rle.encode(np.zeros((24, 32), np.bool_))
    empty = Track(9, 1, 1.0, dict.fromkeys(range(5), nothing))
    perfect = identity(truth, {1: truth.tracks[1]}).numbers
    results = {1: [*truth.tracks[1], empty]}
    more = replace(truth, tracks={1: [*truth.tracks[1], replace(empty, id=3)]})
    assert same(identity(truth, results).numbers, perfect)
    assert same(identity(more, results).numbers, perfect)


def test_a_timeline_says_who_covers_whom(make, truth):
    first, second = truth.tracks[1]
    halves = cut(first, 3, 9)
    late = replace(second, masks={4: second.masks[4]})
    timeline = identity(truth, {1: [*halves, late]}).timelines[1]
    assert timeline[1] == {0: 1, 1: 1, 2: 1, 3: 9, 4: 9}
    assert timeline[2] == {0: None, 1: None, 2: None, 3: None, 4: 2}


def test_an_object_keeps_its_result_while_they_overlap_enough(make):
    truth = make.set({1: [make.still(1, 1, 4, 4)]})
    old = make.boxes(1, 1, {0: (4, 4), 1: (6, 4), 2: (6, 4)})
    closer = make.boxes(2, 1, {1: (4, 4), 2: (4, 4)})
    found = identity(truth, {1: [closer, old]})
    assert found.numbers["ID_switches"] == 0
    assert found.timelines[1][1] == {0: 1, 1: 1, 2: 1, 3: None, 4: None}


def test_frames_without_the_object_interrupt_nothing(make):
    truth = make.set({1: [make.still(1, 1, 4, 4, frames=(0, 1, 3, 4)), make.still(2, 1, 20, 12)]})
    assert identity(truth, {1: truth.tracks[1]}).numbers["fragmentations"] == 0
    gap = make.still(1, 1, 4, 4, frames=(0, 3, 4))
    assert identity(truth, {1: [gap]}).numbers["fragmentations"] == 1


def test_results_for_an_unknown_video_are_refused(truth):
    with pytest.raises(DataError, match="video 7"):
        identity(truth, {7: []})


def test_masks_of_another_size_are_refused_with_their_video(truth):
    other = Track(1, 1, 1.0, {0: rle.encode(np.ones((4, 4), np.bool_))})
    with pytest.raises(MaskError, match="video 1"):
        identity(truth, {1: [other]})


@pytest.mark.parametrize("seed", range(8))
def test_idf1_is_that_of_the_best_naming_of_all(make, seed):
    truth, results = make.random_set(seed)
    for video, tracks in truth.tracks.items():
        judged = [track for track in tracks if not track.crowd]
        got = identity_f1(judged, results[video])
        assert got == pytest.approx(best_naming(judged, results[video]), nan_ok=True)


@pytest.mark.parametrize("seed", range(8))
def test_hota_is_that_of_its_definition(make, seed):
    truth, results = make.random_set(seed, videos=1, labels=(1,))
    truth.tracks[1][:] = [track for track in truth.tracks[1] if not track.crowd]
    # with one object a frame the matching is plain, so that it needs no second matcher here
    one = replace(truth, tracks={1: truth.tracks[1][:1]})
    only = {1: results[1][:1]}
    numbers = identity(one, only).numbers
    assert numbers["HOTA"] == pytest.approx(slow_hota(one.tracks[1], only[1]))


def pixels(track: Track, frame: int):
    return rle.decode(track.masks[frame])


def overlap(a: Track, b: Track, frame: int) -> float:
    if frame not in a.masks or frame not in b.masks:
        return 0.0
    x, y = pixels(a, frame), pixels(b, frame)
    return (x & y).sum() / max(1, (x | y).sum())


def shown(track: Track) -> int:
    return sum(bool(pixels(track, frame).any()) for frame in track.masks)


def best_naming(truths, results) -> float:
    total = sum(map(shown, truths)) + sum(map(shown, results))
    together = [
        [sum(overlap(a, b, frame) >= 0.5 for frame in a.masks) for b in results] + [0] * len(truths)
        for a in truths
    ]
    named = max(
        sum(row[column] for row, column in zip(together, naming, strict=True))
        for naming in permutations(range(len(results) + len(truths)), len(truths))
    )
    return 2 * named / total if total else float("nan")


def slow_hota(truths, results) -> float:
    """The definition for at most one object and one result."""
    if not truths or not results:
        return 0.0
    (a,), (b,) = truths, results
    values = []
    for alpha in np.arange(1, 20) * 0.05:
        matches = sum(overlap(a, b, frame) >= alpha - EPSILON for frame in a.masks)
        jaccard = matches / max(1, shown(a) + shown(b) - matches)
        values.append(sqrt(jaccard * jaccard) if matches else 0.0)
    return sum(values) / len(values)
