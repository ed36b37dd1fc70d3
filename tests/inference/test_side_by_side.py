"""Two windows at once: in their order, few on the way, and torch keeps its number of threads."""

import threading
import time
from itertools import count
from typing import Any

import pytest
import torch

from vis.inference.predictor import Predictor
from vis.inference.side_by_side import WORKERS, predict_side_by_side
from vis.models import Model, build

THREADS = 4


@pytest.fixture(autouse=True)
def _four_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


class Uneven:
    """Stands in for a predictor: even windows take longer, so that odd ones are ready first."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def twin(self) -> "Uneven":
        return self

    def predict(self, windows: list[int]) -> list[int]:
        self.threads.add(torch.get_num_threads())
        time.sleep(0.02 * (windows[0] % 2 == 0))
        if windows[0] == 7:
            raise ValueError("window 7")
        return [10 * windows[0]]


def test_order_errors_and_what_is_on_the_way() -> None:
    taken: list[int] = []
    windows = (taken.append(n) or n for n in count())  # type: ignore[func-returns-value]
    uneven = Uneven()
    pairs = predict_side_by_side(windows, uneven)  # type: ignore[arg-type]
    for n in range(7):
        assert next(pairs) == (n, 10 * n)
        assert len(taken) <= n + 1 + WORKERS
    with pytest.raises(ValueError, match="window 7"):
        next(pairs)
    assert uneven.threads == {THREADS // WORKERS}


def test_threads_made_afterwards_have_all_processors() -> None:
    assert len(list(predict_side_by_side(iter(range(3)), Uneven()))) == 3  # type: ignore[arg-type]
    counts: list[int] = [torch.get_num_threads()]
    later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert counts == [THREADS, THREADS]


@pytest.mark.parametrize(("threads", "pays"), [(1, False), (2, True)])
def test_only_small_networks_with_processors_to_spare(threads: int, pays: bool) -> None:
    torch.set_num_threads(threads)
    small: Model[Any] = build("ssd_mask", classes=2)
    settings = {"length": 1, "short": 32, "longest": 64, "device": torch.device("cpu")}
    assert Predictor(small, **settings).is_side_by_side is pays
    small.side_by_side = False
    assert not Predictor(small, **settings).is_side_by_side
