"""Two windows at once on a CPU, each on half of its processors: small networks leave some idle."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from vis.inference.predictor import Predictor
    from vis.inference.windows import Window
    from vis.records import ClipPredictions

WORKERS = 2
"""Not one for each processor: each holds a window and what the network makes of it."""


def predict_side_by_side(
    windows: Iterator[Window], predictor: Predictor
) -> Iterator[tuple[Window, ClipPredictions]]:
    """Each window with what the model says of it, in their order."""
    twins = deque(predictor.twin() for _ in range(WORKERS))

    def predicted(window: Window) -> tuple[Window, ClipPredictions]:
        twin = twins.popleft()
        try:
            return window, twin.predict([window])[0]
        finally:
            twins.append(twin)

    waiting: deque[Future[tuple[Window, ClipPredictions]]] = deque()
    with _workers() as pool:
        for window in windows:
            waiting.append(pool.submit(predicted, window))
            del window  # it is the caller's alone once it was handed out
            # one more than there are workers, so that none waits for the caller
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    threads = torch.get_num_threads()
    started = threading.Barrier(WORKERS + 1)

    def start() -> None:
        torch.get_num_threads()  # the first call in a thread sets the number of all others
        torch.set_num_threads(max(1, threads // WORKERS))
        started.wait()

    with ThreadPoolExecutor(WORKERS, "vis-model", initializer=start) as pool:
        for _ in range(WORKERS):
            pool.submit(int)
        started.wait()
        # torch gives every later thread the number that was set last
        torch.set_num_threads(threads)
        yield pool
