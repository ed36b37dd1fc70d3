"""Memory of pictures is used again, and never while somebody can still see it."""

import gc
import signal
import threading

import numpy as np

from vis.video.pool import Pool


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_memory_comes_back_with_the_last_view():
    pool = Pool(2)
    first = pool.empty((4, 5, 3))
    place, view = address(first), first[1:, ::2].T
    del first
    assert address(pool.empty((4, 5, 3))) != place
    del view
    gc.collect()
    places = {address(one) for one in [pool.empty((4, 5, 3)), pool.empty((3, 5, 4))]}
    assert place in places


def test_held_arrays_share_nothing():
    pool = Pool(3)
    held = []
    for n in range(20):
        held.append(pool.empty((7, 9, 3)))
        held[-1].fill(n)
        if n % 3 == 0:
            held.pop(0)
    assert all((one == one.flat[0]).all() for one in held)
    assert len({int(one.flat[0]) for one in held}) == len(held)


def test_no_more_is_kept_than_was_agreed():
    pool = Pool(3)
    held = [pool.empty((2, 2, 3)) for _ in range(10)]
    del held
    gc.collect()
    one = pool.empty((2, 2, 3))
    assert one.size == 12
    assert len(pool._free) == 2
    assert len(pool._leases) == 1


def test_an_interrupt_while_pictures_are_dropped_is_not_lost():
    pool, sent, caught = Pool(3), 0, 0

    def interrupt(*_: object) -> None:
        nonlocal sent
        sent += 1
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while sent == turn:
                    pool.empty((2, 2, 3))
            except KeyboardInterrupt:
                caught += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught == sent == 300


def test_another_size_gets_other_memory():
    pool = Pool(3)
    small = pool.empty((2, 2, 3))
    del small
    assert pool.empty((50, 60, 3)).shape == (50, 60, 3)
    assert pool.empty((0, 60, 3)).size == 0


def test_threads_may_take_and_drop_at_once():
    pool, wrong = Pool(4), []

    def work(seed: int) -> None:
        for n in range(300):
            mine = pool.empty((8, 8, 3))
            mine.fill((seed * 31 + n) % 256)
            if not (mine == (seed * 31 + n) % 256).all():
                wrong.append((seed, n))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
