"""Every part of the measurement of scale runs, and an exponent is that of what grows."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("benchmark_scale")


def test_every_part_runs(benchmark: Any) -> None:
    size = replace(benchmark.LVVIS, videos=3, frames=6, objects=2, classes=4)
    for part in benchmark.PARTS:
        seconds, _ = benchmark.measure(part, size)
        assert seconds > 0


def test_a_result_near_each_object_is_right(benchmark: Any, tmp_path: Path) -> None:
    size = replace(benchmark.LVVIS, videos=3, frames=6, objects=2, classes=4)
    truth, results = benchmark.made_set(size)
    numbers = benchmark.vis.evaluate(truth, results).numbers
    # moved by one of six pixels: an overlap of 5 / 7, right at five of the ten thresholds
    assert numbers["AR100"] == pytest.approx(0.5)
    benchmark.write(size, tmp_path)
    assert benchmark.command(tmp_path, "ap,identity")[1] > 0


def test_exponents(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "measure", lambda part, size: (size.frames**2 / 100, 1.0))
    sizes = [benchmark.Size(frames=frames) for frames in (10, 100, 1000)]
    row = benchmark.row("tracking", "frames", sizes)
    assert row.endswith("| 2.00 | 2.00 |")


def test_clips_of_a_film_show_new_objects(benchmark: Any) -> None:
    clips = benchmark.made_clips(benchmark.Size(lasting=False))
    places = sum(clip.masks[:, 0].sum(0) for clip in clips)
    assert places.max() == 1  # no place twice while objects are remembered
    assert len(benchmark.made_clips(benchmark.Size())) == 1
