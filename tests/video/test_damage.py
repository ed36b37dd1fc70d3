"""The ledger: what is booked and never struck off was lost, and numbers stay true."""

from fractions import Fraction
from itertools import permutations

import pytest

from vis.errors import VideoError
from vis.video.damage import Ledger

TICK = Fraction(1, 25)


def feed(ledger: Ledger, packets, frames):
    for place, pts in enumerate(packets):
        ledger.packet(pts, key=place == 0)
    indices = [ledger.frame(pts, TICK) for pts in frames]
    ledger.settle_rest(TICK)
    return indices


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_a_whole_film_in_any_decoding_order_has_no_problem(order):
    ledger = Ledger("film")
    assert feed(ledger, [0, *order], [0, 1, 2, 3]) == [0, 1, 2, 3]
    assert ledger.report(4).problems == ()
    assert str(ledger.report(4)) == "4 frames"


def test_a_lost_frame_leaves_its_number_free():
    ledger = Ledger("film")
    assert feed(ledger, [0, 10, 20, 30], [0, 30]) == [0, 3]
    report = ledger.report(4)
    assert report.lost == 2
    assert str(report) == "2 of 4 frames; 2 lost: 2 frames were not decodable at 0.40 s"


def test_frames_lost_at_the_end_are_found():
    ledger = Ledger("film")
    feed(ledger, [0, 1, 2], [0])
    assert ledger.report(3).lost == 2
    assert "at the end" in str(ledger.report(3))


def test_what_leads_the_first_key_frame_is_no_damage():
    ledger = Ledger("film")
    assert feed(ledger, [6, 3, 4, 9], [6, 9]) == [0, 1]
    assert ledger.report(None).problems == ()


def test_a_lost_first_key_frame_is_damage():
    ledger = Ledger("film")
    assert feed(ledger, [0, 1, 2], [1, 2]) == [1, 2]
    assert ledger.report(3).lost == 1


def test_without_times_frames_are_counted_and_bad_packets_told():
    ledger = Ledger("film")
    ledger.undecodable = 2
    assert feed(ledger, [None, None, None], [None]) == [0]
    assert ledger.report(None).lost == 2


def test_errors_that_cost_no_frame_are_told_too():
    ledger = Ledger("film", undecodable=1)
    feed(ledger, [0, 1], [0, 1])
    assert str(ledger.report(2)) == "2 of 2 frames; none known lost: 1 packet was undecodable"


def test_strict_raises_at_once_with_place_and_remedy():
    ledger = Ledger("film.mp4", strict=True)
    with pytest.raises(VideoError, match="damaged") as caught:
        feed(ledger, [0, 1, 2, 3], [0, 3])
    assert str(caught.value).startswith("film.mp4: damaged: 2 frames")
    assert "without strict" in caught.value.remedy
