"""Working ahead: bounded, in order, errors in their place, threads that end."""

import gc
import threading
import time

import pytest

from tests.conftest import wait_until
from vis.video.ahead import Ahead


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_everything_comes_in_order(depth):
    assert list(Ahead(iter(range(50)), depth=depth)) == list(range(50))


@pytest.mark.parametrize("depth", [1, 3])
def test_it_runs_at_most_so_many_ahead(depth):
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = Ahead(items(), depth=depth)
    wait_until(lambda: len(made) == depth + 1)  # one more is in the thread's hand
    time.sleep(0.05)
    assert len(made) == depth + 1
    assert next(ahead) == 0
    wait_until(lambda: len(made) == depth + 2)
    ahead.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = Ahead(items(), depth=4)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert next(ahead, "end") == "end"


def test_closing_ends_the_thread_and_closes_the_generator():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    ahead = Ahead(items(), depth=2)
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert next(ahead, "end") == "end"


def test_dropping_the_last_reference_ends_the_thread():
    before = threading.active_count()
    ahead = Ahead(iter(int, 1), depth=1)
    next(ahead)
    del ahead
    gc.collect()
    wait_until(lambda: threading.active_count() == before)


def test_a_slow_reader_of_a_camera_gets_the_newest():
    made = threading.Event()

    def items():
        yield from range(100)
        made.set()

    ahead = Ahead(items(), depth=3, drop_oldest=True)
    assert made.wait(5)
    assert list(ahead) == [97, 98, 99]
    assert ahead.dropped == 97
