from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vis.datasets.sampling import Cyclic, Nearby, Strided
from vis.errors import UsageError


def test_the_cyclic_rule_of_a_short_video_repeats_it(random):
    """20 frames, a clip of 36 that ends at frame 5: 20 - 31 % 20 ... written out by hand."""
    frames = Cyclic(36).frames(5, 20, random)
    assert frames == (*range(10, 20), *range(20), *range(6))


def test_the_cyclic_rule_of_a_long_video_wraps_once(random):
    assert Cyclic(36).frames(39, 40, random) == tuple(range(4, 40))
    assert Cyclic(36).frames(3, 40, random) == (*range(8, 40), *range(4))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 49))
def test_cyclic_clips_end_at_their_item_and_step_by_one(count, length, item):
    rule = Cyclic(count)
    item %= rule.items(length)
    frames = rule.frames(item, length, np.random.default_rng(0))
    assert len(frames) == count and frames[-1] == item
    assert all((b - a) % length == 1 % length for a, b in pairwise(frames))


@given(
    st.integers(1, 12), st.integers(1, 60), st.integers(1, 5), st.integers(0, 5), st.integers(0, 99)
)
def test_strided_clips_stay_inside_at_one_distance(count, length, low, more, seed):
    rule = Strided(count, low, low + more)
    assert rule.items(length) == 1
    frames = rule.frames(0, length, np.random.default_rng(seed))
    assert len(frames) == count and all(0 <= frame < length for frame in frames)
    steps = {b - a for a, b in pairwise(frames)}
    if (count - 1) * low < length:
        assert len(steps) <= 1 and all(low <= step <= low + more for step in steps)
    elif count <= length:
        assert len(steps) == 1 and max(steps) == (length - 1) // (count - 1)
    else:
        assert steps <= {-1, 1} or length == 1


def test_strided_clips_reach_every_frame_and_stride():
    drawn = [Strided(3, 1, 3).frames(0, 9, np.random.default_rng(n)) for n in range(200)]
    assert {frame for frames in drawn for frame in frames} == set(range(9))
    assert {frames[1] - frames[0] for frames in drawn} == {1, 2, 3}


@given(st.integers(1, 5), st.integers(1, 30), st.integers(1, 25), st.integers(0, 99))
def test_nearby_frames_are_near_in_order_and_different(count, length, reach, seed):
    frames = Nearby(count, reach).frames(0, length, np.random.default_rng(seed))
    assert len(frames) == count and list(frames) == sorted(frames)
    assert all(0 <= frame < length for frame in frames)
    assert frames[-1] - frames[0] <= 2 * reach
    if count <= min(length, reach + 1):
        assert len(set(frames)) == count


def test_nearby_pairs_reach_both_sides():
    drawn = [Nearby(2, 2).frames(0, 9, np.random.default_rng(n)) for n in range(300)]
    assert {frame for frames in drawn for frame in frames} == set(range(9))
    assert {b - a for a, b in drawn} == {1, 2}


@pytest.mark.parametrize(
    "make",
    [lambda: Cyclic(0), lambda: Strided(3, 2, 1), lambda: Strided(0), lambda: Nearby(2, 0)],
)
def test_senseless_rules_are_refused(make):
    with pytest.raises(UsageError):
        make()
