"""Short noise is never shown, beginnings are, and the score of a track never falls."""

import json
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from tests.tracking.test_state import through_files
from vis.records import FrameTracks, Identity
from vis.tracking.confirmation import Confirmation


def frame(index: int, objects: dict[int, float]) -> FrameTracks:
    """Objects with their running mean; labels are twice the identity."""
    count = len(objects)
    return FrameTracks(
        index=index,
        time=Fraction(index, 25),
        ids=np.array(list(objects), np.int64),
        labels=np.array([2 * one for one in objects], np.int64),
        scores=np.array(list(objects.values()), np.float32),
        boxes=np.zeros((count, 4), np.float32),
        masks=np.full((count, 3, 4), 0.9, np.float32),
    )


def seen(pattern: Sequence[str]) -> list[FrameTracks]:
    """A row of `x` and `.` for each object: whether a frame shows it."""
    length = len(pattern[0])
    return [
        frame(n, {one: 0.5 for one, row in enumerate(pattern) if row[n] == "x"})
        for n in range(length)
    ]


def given(confirmation: Confirmation, frames: Sequence[FrameTracks]) -> list[FrameTracks]:
    out = [ready for one in frames for ready in confirmation.add([one])]
    return out + confirmation.flush()


def shown(frames: Sequence[FrameTracks], identity: int) -> str:
    return "".join("x" if identity in one.ids else "." for one in frames)


def ended(identity: int, score: float = 0.1) -> Identity:
    return Identity(identity, 2 * identity, score, np.zeros(3, np.float32))


@pytest.mark.parametrize("min_length", [1, 2, 5, 8])
def test_a_track_is_shown_from_its_beginning_or_not_at_all(min_length: int):
    draw = np.random.default_rng(min_length)
    rows = []
    for _ in range(40):
        begin, length = int(draw.integers(30)), int(draw.integers(1, 12))
        rows.append("." * begin + "x" * length + "." * (45 - begin - length))
    out = given(Confirmation(min_length), seen(rows))
    assert [one.index for one in out] == list(range(45))
    for identity, row in enumerate(rows):
        expected = row if row.count("x") >= min_length else "." * 45
        assert shown(out, identity) == expected


@pytest.mark.parametrize("min_length", [1, 3, 5])
def test_a_frame_waits_for_no_more_than_it_may(min_length: int):
    draw = np.random.default_rng(0)
    rows = ["".join(draw.choice(["x", "."], 60)) for _ in range(9)]
    confirmation = Confirmation(min_length)
    out = 0
    for number, one in enumerate(seen(rows), 1):
        out += len(confirmation.add([one]))
        assert number - out == len(confirmation.frames) <= max(min_length - 1, 0)


def test_a_frame_whose_objects_are_known_or_hopeless_does_not_wait():
    confirmation = Confirmation(3)
    counts = [len(confirmation.add([one])) for one in seen(["xxxxxx", "..x..."])]
    # 1 is seen at 2 and missed at 3: three frames of it cannot come in time
    assert counts == [0, 0, 2, 2, 1, 1]


def test_seen_with_gaps_it_is_shown_once_it_is_seen_often_enough():
    out = given(Confirmation(3), seen(["x..x.xx"]))
    assert shown(out, 0) == "...x.xx"


@pytest.mark.parametrize(("row", "expected"), [("xx", "xx"), ("x.", ".."), ("x", "x")])
def test_in_a_short_shot_all_of_its_frames_are_enough(row: str, expected: str):
    confirmation = Confirmation(5)
    assert shown(given(confirmation, seen([row])), 0) == expected
    # and the next shot is counted anew
    assert shown(given(confirmation, seen(["." * 4, "xxx."])), 1) == "...."


def test_the_score_is_the_highest_mean_once_confirmed_and_is_told_at_the_end():
    means = [0.9, 0.6, 0.4, 0.5, 0.3, 0.7, 0.2]
    confirmation = Confirmation(3)
    out = given(confirmation, [frame(n, {0: mean}) for n, mean in enumerate(means)])
    scores = [float(one.scores[0]) for one in out]
    assert scores == pytest.approx([0.4, 0.4, 0.4, 0.5, 0.5, 0.7, 0.7])
    confirmation.end([ended(0)])
    (identity,) = confirmation.ended()
    assert identity.score == scores[-1]
    assert confirmation.ended() == []


def test_an_object_ends_after_the_last_frame_that_shows_it_came_out():
    confirmation = Confirmation(4)
    assert confirmation.add(seen(["x"])) == []
    confirmation.end([ended(0)])
    assert confirmation.ended() == []
    confirmation.flush()
    assert [one.id for one in confirmation.ended()] == [0]


def test_early_frames_are_named_by_what_is_known_when_they_come_out():
    confirmation = Confirmation(3)
    frames = seen(["xxxx"])
    frames[0].labels[:], frames[1].labels[:] = 7, 7
    assert [one.labels.tolist() for one in given(confirmation, frames)] == [[0]] * 4


@pytest.mark.parametrize("cut", range(1, 12))
def test_it_goes_on_from_its_state_which_is_bounded(cut: int):
    draw = np.random.default_rng(cut)
    frames = [
        frame(n, {k: float(draw.random()) for k in range(4) if draw.random() < 0.7})
        for n in range(12)
    ]
    whole, first, second = (Confirmation(4) for _ in range(3))
    expected = given(whole, frames)
    out = [ready for one in frames[:cut] for ready in first.add([one])]
    first.end([ended(9)])
    state = first.state_dict()
    json.dumps(state["objects"])
    second.load_state_dict(through_files(state))
    out += given(second, frames[cut:])
    assert [one.id for one in second.ended()] == [9]
    for a, b in zip(out, expected, strict=True):
        assert (a.index, a.time) == (b.index, b.time)
        for name in ("ids", "labels", "scores", "boxes", "masks"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_what_has_ended_is_forgotten():
    confirmation = Confirmation(3)
    for n in range(300):
        confirmation.add([frame(n, {n // 4: 0.5})])
        if n % 4 == 3 and n > 8:
            confirmation.end([ended(n // 4 - 2)])
            confirmation.ended()
        assert len(confirmation.state_dict()["objects"]) <= 6
