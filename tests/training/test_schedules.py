"""Learning rates in the course of a run."""

import itertools
import math

import pytest

from vis.errors import UsageError
from vis.training.parser import parse
from vis.training.schedules import Schedule, factor


def curve(steps: int, **settings) -> list[float]:
    schedule = Schedule(**settings)
    return [factor(schedule, step, steps) for step in range(steps)]


def test_a_constant_stays():
    assert curve(5, kind="constant") == [1] * 5


def test_steps_drop_where_they_are_told():
    found = curve(9, kind="step", drops=(3, 6), drop=0.1)
    assert found == pytest.approx([1] * 3 + [0.1] * 3 + [0.01] * 3)


@pytest.mark.parametrize("kind", ["cosine", "poly"])
def test_falling_curves_start_at_one_and_end_at_the_floor(kind: str):
    found = curve(1000, kind=kind, floor=0.2)
    assert found[0] == 1
    assert found[-1] == pytest.approx(0.2, abs=0.005)
    assert all(a > b for a, b in itertools.pairwise(found))


def test_half_way_the_cosine_is_a_half_and_the_power_its_own():
    assert factor(Schedule(kind="cosine"), 50, 100) == pytest.approx(0.5)
    assert factor(Schedule(kind="poly", power=2), 50, 100) == pytest.approx(0.25)


@pytest.mark.parametrize("kind", ["constant", "step", "cosine", "poly"])
def test_a_warm_up_rises_in_a_line_to_the_top(kind: str):
    found = curve(100, kind=kind, warmup=10, warmup_from=0.1, drops=(50,))
    assert found[:11] == pytest.approx([0.1 + 0.09 * step for step in range(11)])
    assert max(found) == pytest.approx(1)


def test_a_warm_up_longer_than_the_run_is_a_rise():
    found = curve(4, kind="cosine", warmup=100)
    assert all(a < b for a, b in itertools.pairwise(found))
    assert all(math.isfinite(value) for value in found)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"kind": "step"}, "drops"),
        ({"kind": "step", "drops": (5, 3)}, "drops"),
        ({"drops": (0,)}, "drops"),
        ({"warmup": -1}, "warmup"),
        ({"power": 0}, "power"),
        ({"floor": 1.5}, "floor"),
        ({"warmup_from": -0.1}, "warmup_from"),
    ],
)
def test_what_is_no_schedule_is_refused(settings: dict, word: str):
    with pytest.raises(UsageError, match=word):
        parse(Schedule, settings)


def test_a_constant_warm_up_stays_low_and_jumps():
    found = curve(6, warmup=3, warmup_from=0.01, warmup_kind="constant")
    assert found == pytest.approx([0.01] * 3 + [1] * 3)


def test_segmenters_published_rates():
    """The released code's: from 1e-3 to 1e-5 as a power, no warm-up."""
    found = [1e-3 * rate for rate in curve(1000, kind="poly", power=0.9, floor=0.01)]
    assert found[0] == 1e-3
    assert found[1] == pytest.approx(0.000999108955, abs=1e-12)
    assert found[500] == pytest.approx(0.000540527864, abs=1e-12)
    assert found[999] == pytest.approx(1.197531e-05, abs=1e-11)
