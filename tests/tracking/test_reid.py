"""Objects are known again when they return, and strangers are not taken for them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.tracking.made import CLASSES, Disc, scene_of
from tests.tracking.oracle import Noise, Oracle, Scene
from vis.records import FrameTracks
from vis.tracking import Config, Stamp, Tracker

HASTY = Config(patience=3)
GONE = range(10, 30)


def one_by_one(scene: Scene, config: Config, looks: float | None) -> list[FrameTracks]:
    tracker = Tracker(config, classes=CLASSES)
    oracle = Oracle(scene=scene, noise=Noise(embedding=looks))
    return [
        tracker.step(oracle([n]), [Stamp(n, Fraction(n, 25))], 1)[0] for n in range(scene.length)
    ]


def stand(*places: tuple[int, float, float], after: bool = False) -> Scene:
    """Discs of a label at y, x that stand there before they are gone, or only after it."""
    discs = [Disc(label, (y, x), (0.0, 0.0)) for label, y, x in places]
    scene = scene_of("", discs, 40)
    shown = np.zeros(40, bool)
    shown[GONE.stop :] = True
    shown[: GONE.start] = not after
    return replace(scene, masks=scene.masks * shown[None, :, None, None])


def joined(*scenes: Scene) -> Scene:
    """Objects of several scenes in one."""
    return replace(
        scenes[0],
        labels=np.concatenate([scene.labels for scene in scenes]),
        masks=np.concatenate([scene.masks for scene in scenes]),
    )


def only(scene: Scene, row: int, frames: range) -> Scene:
    masks = np.zeros_like(scene.masks[row : row + 1])
    masks[:, frames.start : frames.stop] = scene.masks[row : row + 1, frames.start : frames.stop]
    return replace(scene, labels=scene.labels[row : row + 1], masks=masks)


@pytest.mark.parametrize("looks", [0.2, None])
def test_what_returns_to_its_place_is_known_again(looks: float | None):
    frames = one_by_one(stand((0, 20, 20), (1, 30, 70)), HASTY, looks)
    assert sorted(frames[-1].ids.tolist()) == [0, 1]


def test_by_its_looks_it_is_known_again_anywhere():
    there, here = stand((0, 10, 10), (0, 45, 85)), stand((0, 45, 85), (0, 10, 10))
    masks = there.masks.copy()
    masks[:, GONE.stop :] = here.masks[:, GONE.stop :]
    swapped = replace(there, masks=masks)
    frames = one_by_one(swapped, HASTY, 0.2)
    order = [frame.masks[frame.ids.argsort()] for frame in (frames[0], frames[-1])]
    assert sorted(frames[-1].ids.tolist()) == [0, 1]
    np.testing.assert_allclose(order[0], order[1][::-1], atol=1e-5)


def stranger(label: int, y: float, x: float, size: float = 6.0) -> Scene:
    """One that leaves, and another, that comes afterwards."""
    first = only(stand((0, 20.0, 20.0)), 0, range(GONE.start))
    second = scene_of("", [Disc(label, (y, x), (0.0, 0.0), (size, size))], 40)
    return joined(first, only(second, 0, range(GONE.stop, 40)))


@pytest.mark.parametrize(
    "scene", [stranger(1, 20, 20), stranger(0, 20, 70), stranger(0, 24, 24, size=18.0)]
)
def test_another_class_place_or_size_is_another_object(scene: Scene):
    assert one_by_one(scene, HASTY, None)[-1].ids.tolist() == [1]


def test_looks_tell_a_stranger_in_the_same_place():
    assert one_by_one(stranger(0, 20, 20), HASTY, 0.2)[-1].ids.tolist() == [1]


def test_it_is_left_open_which_of_two_alike_came_back():
    both = stand((0, 20, 40), (0, 20, 56))
    middle = scene_of("", [Disc(0, (20.0, 48.0), (0.0, 0.0))], 40)
    gone = [only(both, row, range(GONE.start)) for row in range(2)]
    scene = joined(*gone, only(middle, 0, range(GONE.stop, 40)))
    assert one_by_one(scene, HASTY, None)[-1].ids.tolist() == [2]


@pytest.mark.parametrize("config", [replace(HASTY, gallery=0), replace(HASTY, memory=5)])
def test_what_is_forgotten_is_not_known_again(config: Config):
    assert one_by_one(stand((0, 20, 20)), config, 0.0)[-1].ids.tolist() == [1]


def test_what_is_seen_together_is_never_one():
    """Two alike in looks and class: the second is new although the first is not matched."""
    tracker = Tracker(classes=CLASSES)
    oracle = Oracle(scene=stand((0, 20, 20), (0, 20, 70)))
    both = oracle([0, 1])
    looks = both.embeddings
    assert looks is not None
    same = looks[:1].expand_as(looks)
    left = (both.masks[:, 0].sum(dim=1).argmax(dim=1) < 48).numpy()
    (first,) = np.flatnonzero(left)
    (second,) = np.flatnonzero(~left)
    names = ("scores", "labels", "class_scores", "boxes", "masks", "presence")
    parts = [
        replace(
            both,
            **{name: getattr(both, name)[row : row + 1] for name in names},
            embeddings=same[:1],
        )
        for row in (int(first), int(second))
    ]
    stamps = [Stamp(n, Fraction(n)) for n in range(3)]
    tracker.step(parts[0], stamps[:2], 1)
    frames = tracker.step(parts[1], stamps[1:], 2)
    assert [frame.ids.tolist() for frame in frames] == [[0, 1], [1]]
