"""How a video went: numbers agree where things are the same, switches and misses are seen."""

from itertools import pairwise

import numpy as np
import pytest

from vis.evaluation.report.plots import _LINE, _apart
from vis.evaluation.report.video_summary import Segment, summarise_video
from vis.formats.ytvis_records import VideoEntry
from vis.ops import rle
from vis.records import Track

VIDEO = VideoEntry(7, "v", 40, 20, 8, tuple(f"v/{t}.jpg" for t in range(8)))


def track(number, frames=range(8), top=0, label=1, score=0.9, crowd=False):
    mask = np.zeros((20, 40), bool)
    mask[top : top + 6, 10:20] = True
    return Track(number, label, score, dict.fromkeys(frames, rle.encode(mask)), crowd)


def summary(truth, results, threshold=0.0):
    return summarise_video(VIDEO, truth, results, threshold=threshold)


def test_exact_results_have_quality_1_and_the_numbers_of_their_objects():
    one = summary([track(31), track(32, top=10)], [track(5, top=10), track(6)])
    assert one.quality == 1
    assert [t.id for t in one.results] == [2, 1]
    assert one.records == {2: 5, 1: 6}
    assert one.segments == {1: [Segment(0, 7, 1)], 2: [Segment(0, 7, 2)]}


def test_a_switch_and_a_gap_are_seen():
    one = summary([track(1)], [track(1, range(4)), track(2, range(5, 8), score=0.8)])
    assert one.segments[1] == [Segment(0, 3, 1), Segment(4, 4, None), Segment(5, 7, 2)]
    assert one.quality == pytest.approx(2 * 0.5 / 3)


def test_an_object_that_is_away_has_no_segment_there():
    one = summary([track(1, [0, 1, 5])], [])
    assert one.segments[1] == [Segment(0, 1, None), Segment(5, 5, None)]
    assert one.quality == 0


def test_another_class_is_followed_but_gives_no_quality():
    one = summary([track(1)], [track(1, label=2)])
    assert one.quality == 0
    assert one.segments[1] == [Segment(0, 7, 1)]


def test_of_two_equal_results_the_right_class_is_the_one():
    one = summary([track(1)], [track(1, label=2), track(2)])
    assert one.records[1] == 2


def test_unsure_results_and_crowds_are_left_out():
    one = summary([track(1), track(2, top=10, crowd=True)], [track(1, score=0.4)], threshold=0.5)
    assert (len(one.truth), len(one.results)) == (1, 0)


def test_nothing_to_find_and_nothing_found_is_perfect():
    assert summary([], []).quality == 1


def test_a_false_result_gets_a_number_of_its_own_and_lowers_the_quality():
    one = summary([track(1)], [track(1), track(2, top=12)])
    assert [t.id for t in one.results] == [1, 2]
    assert one.quality == pytest.approx(2 / 3)


def test_names_beside_a_plot_do_not_hide_each_other():
    moved = _apart([10, 10, 11, 270, 275])
    assert all(after - before >= _LINE for before, after in pairwise(moved))
    assert moved[-1] <= 280
