"""Labels: wholly inside the picture, clear of each other, and never a crash over a name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vis.ops.colours import colour
from vis.video import labels
from vis.video.labels import Label, draw_labels, place

ROOM = (200, 100)


def covers(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def rectangles(places, sizes):
    return [(x, y, x + w, y + h) for (x, y), (w, h) in zip(places, sizes, strict=True)]


def picture(entries, size=12, room=ROOM):
    pixels = np.full((room[1], room[0], 3), 7, np.uint8)
    draw_labels(pixels, entries, size)
    return pixels


def label(name="person", identity=3, score=0.92, anchor=(50, 50, 120, 90)):
    return Label(name, identity, score, colour(identity), anchor)


@pytest.mark.parametrize("x", [0, 60, 180])
@pytest.mark.parametrize("y", [0, 4, 50, 98])
def test_a_plate_stays_inside_for_boxes_anywhere(x, y):
    [(left, top)] = place([(x, y, x + 20, y + 2)], [(70, 16)], ROOM)
    assert 0 <= left <= 130 and 0 <= top <= 84


def test_a_plate_sits_on_its_box():
    assert place([(50, 40, 90, 90)], [(70, 16)], ROOM) == [(50, 24)]
    assert place([(50, 10, 90, 90)], [(70, 16)], ROOM) == [(50, 10)]


boxes = st.tuples(st.integers(0, 199), st.integers(0, 99))
plates = st.tuples(st.integers(1, 200), st.integers(1, 100))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(boxes, plates), max_size=9))
def test_plates_cover_each_other_only_where_there_is_no_room(entries):
    anchors = [(x, y, x + 1, y + 1) for (x, y), _ in entries]
    sizes = [size for _, size in entries]
    placed = rectangles(place(anchors, sizes, ROOM), sizes)
    for n, own in enumerate(placed):
        assert own[0] >= 0 and own[1] >= 0 and own[2] <= ROOM[0] and own[3] <= ROOM[1]
        if any(covers(own, other) for other in placed[:n]):
            assert not has_room(sizes[n], placed[:n])


def has_room(size, placed):
    """The slow reference: every corner of the picture."""
    taken = np.zeros((ROOM[1], ROOM[0]), int)
    for x0, y0, x1, y1 in placed:
        taken[y0:y1, x0:x1] = 1
    sums = np.pad(taken.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    w, h = size
    return (sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w] == 0).any()


def test_twenty_labels_of_one_box_are_all_clear():
    sizes = [(40, 12)] * 20
    placed = rectangles(place([(90, 50, 100, 60)] * 20, sizes, ROOM), sizes)
    assert not any(covers(a, b) for n, a in enumerate(placed) for b in placed[:n])


def test_place_does_not_follow_the_score():
    first = picture([label(identity=1, score=0.2), label(identity=2, score=0.2)])
    second = picture([label(identity=2, score=0.2), label(identity=1, score=0.2)])
    assert (first == second).all()


@pytest.mark.parametrize(
    "name",
    ["", "Ångström", "人", "🚲", "\u202eabc", "a\nb\x1b[31m", "\ud800", "x" * 10_000, "e\u0301"],
)
def test_any_name_is_drawn(name):
    assert (picture([label(name)]) != 7).any()


def test_control_characters_are_made_visible():
    assert (picture([label("a\tb")]) == picture([label(r"a\tb")])).all()


def test_a_narrow_picture_drops_the_name_then_the_score_then_the_label():
    def width(room):
        return int((picture([label()], room=room) != 7).any(axis=(0, 2)).sum())

    widths = [width((room, 40)) for room in (200, 60, 20, 5)]
    assert widths[0] > widths[1] > widths[2] > widths[3] == 0
    assert (picture([label()], room=(200, 9)) == 7).all()


def test_scores_that_are_not_numbers_are_drawn():
    assert (picture([label(score=float("nan"))]) != 7).any()


def test_the_cache_is_bounded():
    limit = labels._letters.cache_info().maxsize
    assert limit is not None
    for n in range(limit + 50):
        picture([label(identity=n)])
    assert labels._letters.cache_info().currsize <= limit
