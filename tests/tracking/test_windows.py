"""Windows cover a stream of unknown length, every frame settled once."""

import itertools

import pytest

from tests.tracking.windows import in_windows, starts
from vis.errors import UsageError

PLANS = [(window, stride) for window in range(1, 6) for stride in range(1, window + 1)]


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_a_stream_is_cut_where_the_plan_of_a_known_length_says(window: int, stride: int):
    for length in range(3 * window + 2):
        parts = list(in_windows(range(length), window=window, stride=stride))
        assert [part.items[0] for part in parts] == list(
            starts(length, window=window, stride=stride)
        )
        assert [part.last for part in parts] == [n == len(parts) - 1 for n in range(len(parts))]


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_every_frame_is_settled_once_and_in_order(window: int, stride: int):
    for length in range(3 * window + 2):
        settled = []
        for part in in_windows(range(length), window=window, stride=stride):
            assert part.items == tuple(range(part.items[0], part.items[0] + len(part.items)))
            assert part.items[0] == len(settled)
            settled += part.items[: part.settled]
        assert settled == list(range(length))


def test_no_window_repeats_what_one_settled_and_all_but_the_last_are_whole():
    parts = list(in_windows(range(20), window=5, stride=2))
    for part, after in itertools.pairwise(parts):
        assert len(part.items) == 5
        assert not set(part.items[: part.settled]) & set(after.items)


def test_a_stream_is_read_one_frame_ahead_and_no_farther():
    read = []

    def stream():
        for n in itertools.count():
            read.append(n)
            yield n

    parts = in_windows(stream(), window=4, stride=3)
    next(parts)
    assert len(read) == 5
    next(parts)
    assert len(read) == 8


def test_an_endless_plan_goes_on():
    assert list(itertools.islice(starts(None, window=3, stride=2), 4)) == [0, 2, 4, 6]


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (1, 0), (2, 3), (-1, -1)])
def test_a_plan_that_leaves_frames_out_is_refused(window: int, stride: int):
    with pytest.raises(UsageError, match="frames every"):
        next(starts(5, window=window, stride=stride))
    with pytest.raises(UsageError, match="frames every"):
        next(in_windows(range(5), window=window, stride=stride))
