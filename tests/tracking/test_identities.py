"""Identities last: with perfect predictions, and better than obvious ways as these get worse."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.tracking.made import crossing, hiding, made, returning
from tests.tracking.oracle import (
    Noise,
    Oracle,
    Scene,
    f1,
    follow,
    identity_counts,
    identity_f1,
    scenes_of,
)

PLANS = [(1, 1), (4, 4), (5, 3), (18, 9), (200, 100)]
LOOKS = [0.0, None]
"""Noise of the embeddings; None: the model has none."""


def total_f1(scenes: list[Scene], window: int, stride: int, looks: float | None) -> float:
    counts = np.zeros(3, np.int64)
    for scene in scenes:
        oracle = Oracle(scene=scene, noise=Noise(embedding=looks))
        counts += identity_counts(scene, follow(oracle, window=window, stride=stride))
    return f1(*counts.tolist())


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_objects_that_cross_hide_and_return_keep_their_identity(
    window: int, stride: int, looks: float | None
):
    for scene in made(2):
        oracle = Oracle(scene=scene, noise=Noise(embedding=looks))
        assert identity_f1(scene, follow(oracle, window=window, stride=stride)) >= 0.99, scene.name


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize(("window", "stride"), PLANS)
@pytest.mark.parametrize("pack", ["pack_dev/davis_dev", "pack_test/vis_tiny"])
def test_objects_of_real_videos_keep_their_identity(
    shared: Path, pack: str, window: int, stride: int, looks: float | None
):
    assert total_f1(packed(shared / "data" / pack), window, stride, looks) >= 0.99


@pytest.fixture
def linking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with the obvious ways, as a module."""
    path = Path(__file__).parents[2] / "scripts" / "dev" / "linking.py"
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("linking", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("level", [0.25, 0.75])
def test_they_last_longer_than_by_obvious_ways_as_predictions_get_worse(
    linking: ModuleType, level: float
):
    scenes = [crossing(1), hiding(1), returning(1)]
    for embeddings, other in ((True, linking.by_embedding), (False, linking.by_last_frame)):
        noises = [linking.noise(level, 0, embeddings=embeddings)]
        ours = linking.score(linking.ours, scenes, (5, 3), noises)
        assert ours > linking.score(other, scenes, (5, 3), noises)


def test_identity_f1_is_one_for_the_truth_and_counts_a_broken_identity():
    scene = returning(0)
    frames = follow(Oracle(scene=scene), window=500, stride=500)
    assert identity_f1(scene, frames) == 1
    assert identity_f1(scene, []) == 0
    for frame in frames[len(frames) // 2 :]:
        frame.ids[:] += 100
    agreeing, true, shown = identity_counts(scene, frames)
    assert agreeing < true == shown


PACKS: dict[Path, list[Scene]] = {}


def packed(path: Path) -> list[Scene]:
    if path not in PACKS:
        PACKS[path] = scenes_of(path)
    return PACKS[path]
