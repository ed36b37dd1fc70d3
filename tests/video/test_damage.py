"""Packet accounting: a packet that no frame comes of was lost, and numbers stay true."""

from fractions import Fraction
from itertools import permutations

import pytest

from vis.errors import VideoError
from vis.video.damage import PacketAccounting

TICK = Fraction(1, 25)


def feed(accounting: PacketAccounting, packets, frames):
    for place, pts in enumerate(packets):
        accounting.add_packet(pts, key=place == 0)
    indices = [accounting.add_frame(pts, TICK) for pts in frames]
    accounting.count_missing(TICK)
    return indices


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_a_whole_film_in_any_decoding_order_has_no_problem(order):
    accounting = PacketAccounting("film")
    assert feed(accounting, [0, *order], [0, 1, 2, 3]) == [0, 1, 2, 3]
    assert accounting.report(4).problems == ()
    assert str(accounting.report(4)) == "4 frames"


def test_a_lost_frame_leaves_its_number_free():
    accounting = PacketAccounting("film")
    assert feed(accounting, [0, 10, 20, 30], [0, 30]) == [0, 3]
    report = accounting.report(4)
    assert report.lost == 2
    assert str(report) == "2 of 4 frames; 2 lost: 2 frames were not decodable at 0.40 s"


def test_frames_lost_at_the_end_are_found():
    accounting = PacketAccounting("film")
    feed(accounting, [0, 1, 2], [0])
    assert accounting.report(3).lost == 2
    assert "at the end" in str(accounting.report(3))


def test_what_leads_the_first_key_frame_is_no_damage():
    accounting = PacketAccounting("film")
    assert feed(accounting, [6, 3, 4, 9], [6, 9]) == [0, 1]
    assert accounting.report(None).problems == ()


def test_a_lost_first_key_frame_is_damage():
    accounting = PacketAccounting("film")
    assert feed(accounting, [0, 1, 2], [1, 2]) == [1, 2]
    assert accounting.report(3).lost == 1


def test_without_times_frames_are_counted_and_bad_packets_told():
    accounting = PacketAccounting("film")
    accounting.undecodable = 2
    assert feed(accounting, [None, None, None], [None]) == [0]
    assert accounting.report(None).lost == 2


def test_errors_that_cost_no_frame_are_told_too():
    accounting = PacketAccounting("film", undecodable=1)
    feed(accounting, [0, 1], [0, 1])
    assert str(accounting.report(2)) == "2 of 2 frames; none known lost: 1 packet was undecodable"


def test_strict_raises_at_once_with_place_and_remedy():
    accounting = PacketAccounting("film.mp4", strict=True)
    with pytest.raises(VideoError, match="damaged") as caught:
        feed(accounting, [0, 1, 2, 3], [0, 3])
    assert str(caught.value).startswith("film.mp4: damaged: 2 frames")
    assert "without strict" in caught.value.remedy
