"""Linking by embeddings alone: online by queries, wherever the objects are."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from tests.tracking.made import crossing, made
from tests.tracking.oracle import Noise, Oracle, follow, identity_f1
from vis.errors import UsageError
from vis.tracking import Config, Stamp, Tracker

PLANS = [(1, 1), (4, 4), (5, 3)]


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_clear_embeddings_are_enough(window: int, stride: int):
    for scene in made(2):
        frames = follow(
            Oracle(scene=scene), window=window, stride=stride, config=Config.by_queries()
        )
        assert identity_f1(scene, frames) >= 0.99, scene.name


@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_objects_may_be_anywhere_from_frame_to_frame(noise: float):
    """The frames of a scene in disorder: places say nothing, embeddings all."""
    scene = crossing(1)
    order = torch.randperm(scene.length, generator=torch.Generator().manual_seed(0)).numpy()
    mixed = replace(scene, masks=scene.masks[:, order])
    oracle = Oracle(scene=mixed, noise=Noise(embedding=noise))
    ours = identity_f1(mixed, follow(oracle, window=1, stride=1, config=Config.by_queries()))
    placed = Config(embedding_weight=0.0)
    assert ours >= 0.95 > identity_f1(mixed, follow(oracle, window=1, stride=1, config=placed))


def test_a_stranger_is_no_known_object():
    scene = crossing(0)
    frames = follow(Oracle(scene=scene), window=1, stride=1, config=Config.by_queries())
    assert {int(i) for frame in frames for i in frame.ids} == set(range(len(scene.labels)))


def test_a_model_without_embeddings_is_refused():
    scene = crossing(0)
    tracker = Tracker(Config.by_queries(), classes=scene.classes)
    predictions = Oracle(scene=scene, noise=Noise(embedding=None))([0])
    with pytest.raises(UsageError, match="embeddings alone"):
        tracker.step(predictions, [Stamp(0, Fraction(0))], 1)


def test_a_field_of_the_preset_may_differ():
    config = Config.by_queries(patience=5, class_weight=0.1)
    assert (config.patience, config.class_weight, config.mask_weight) == (5, 0.1, 0.0)
