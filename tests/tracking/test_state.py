"""The tracker's state is bounded, and it goes on exactly from where it was saved."""

import json
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from tests.tracking.made import CLASSES, crossing, hiding, returning
from tests.tracking.oracle import Noise, Oracle, Scene
from tests.tracking.windows import in_windows
from vis.errors import UsageError
from vis.records import FrameTracks
from vis.tracking import Config, Stamp, Tracker

ROUGH = Noise(dropped=0.1, hidden=0.1, jitter=0.05, wrong=0.2, embedding=0.5, doubled=0.2)
HASTY = Config(patience=3, memory=12, gallery=2)


def through_files(state: Any) -> Any:
    """What JSON and safetensors keep of a state."""
    tensors: dict[str, torch.Tensor] = {}

    def out(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            name = f"#{len(tensors)}"
            tensors[name] = value.contiguous()
            return name
        if isinstance(value, dict):
            return {key: out(each) for key, each in value.items()}
        return [out(each) for each in value] if isinstance(value, list) else value

    def back(value: Any) -> Any:
        if isinstance(value, str) and value in loaded:
            return loaded[value]
        if isinstance(value, dict):
            return {key: back(each) for key, each in value.items()}
        return [back(each) for each in value] if isinstance(value, list) else value

    text = json.dumps(out(state))
    loaded = load_tensors(save_tensors(tensors))
    return back(json.loads(text))


def followed(
    scene: Scene, window: int, stride: int, config: Config, *, looks: float | None, anew: bool
) -> list[Any]:
    """All that a tracker says, the same one all the way or a fresh one for every window."""
    tracker = Tracker(config, classes=CLASSES)
    oracle = Oracle(scene=scene, noise=Noise(dropped=0.1, jitter=0.05, embedding=looks))
    said: list[Any] = []
    for part in in_windows(range(scene.length), window=window, stride=stride):
        if anew:
            state = through_files(tracker.state_dict())
            tracker = Tracker(config, classes=CLASSES)
            tracker.load_state_dict(state)
        stamps = [Stamp(n, Fraction(n, 30)) for n in part.items]
        said += tracker.step(oracle(part.items), stamps, part.settled)
        if part.items[0] % 4 == 0:
            said += tracker.ended()
    return [plain(one) for one in (*said, *tracker.ended(), *tracker.finish())]


def plain(record: Any) -> list[Any]:
    names = type(record).__slots__
    values = [getattr(record, name) for name in names]
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in values]


@pytest.mark.parametrize("make", [crossing, hiding, returning])
@pytest.mark.parametrize(("window", "stride"), [(1, 1), (6, 2)])
@pytest.mark.parametrize("looks", [0.3, None])
def test_a_fresh_tracker_for_every_window_says_the_same(
    make: Any, window: int, stride: int, looks: float | None
):
    one = followed(make(1), window, stride, HASTY, looks=looks, anew=False)
    assert followed(make(1), window, stride, HASTY, looks=looks, anew=True) == one


def test_a_saved_state_is_a_copy():
    scene = crossing(0)
    oracle, tracker = Oracle(scene=scene), Tracker(classes=CLASSES)
    stamps = [Stamp(n, Fraction(n, 25)) for n in range(12)]
    tracker.step(oracle(range(6)), stamps[:6], 3)
    state = tracker.state_dict()
    before = json.dumps(state, default=lambda tensor: tensor.tolist())
    for _ in range(2):
        other = Tracker(classes=CLASSES)
        other.load_state_dict(state)
        other.step(oracle(range(3, 12)), stamps[3:12], 9)
    tracker.step(oracle(range(3, 12)), stamps[3:12], 9)
    assert json.dumps(state, default=lambda tensor: tensor.tolist()) == before


def test_a_state_of_other_classes_is_refused():
    with pytest.raises(UsageError, match="classes"):
        Tracker(classes=2).load_state_dict(Tracker(classes=3).state_dict())


def test_the_keys_of_a_state_are_those_of_states_that_lie_in_run_folders():
    """A field of a record may get another name, a key not: runs go on after an update."""
    tracker = Tracker(HASTY, classes=CLASSES)
    oracle = Oracle(scene=returning(0), noise=Noise(embedding=0.3))
    for n in range(32):
        tracker.step(oracle([n]), [Stamp(n, Fraction(n))], 1)
    state = tracker.state_dict()
    assert set(state) == {"classes", "clock", "given", "next", "stamps", "live", "gallery", "gone"}
    known = {"id", "chances", "frames", "quality", "named", "views", "embedding", "trail"}
    assert state["live"] and state["gallery"]
    for track in state["live"]:
        assert set(track) == {"known", "last", "whole", "whole_at", "pending"}
        assert set(track["known"]) == known
        assert set(track["pending"]) == {"masks", "boxes", "weights", "presence", "windows"}
    assert all(set(track) == known for track in state["gallery"])


def test_every_old_name_of_a_setting_leads_to_one_of_today():
    names = {field.name for field in fields(Config)}
    assert set(Config.RENAMED.values()) <= names
    assert not set(Config.RENAMED) & names


def bytes_of(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().nbytes()
    if isinstance(value, dict):
        return sum(bytes_of(each) for each in value.values())
    return sum(bytes_of(each) for each in value) if isinstance(value, list | tuple) else 8


def strangers(frame: int) -> Scene:
    """Objects that were never there before, three in each window."""
    draw = np.random.default_rng(frame)
    masks = np.zeros((3, 2, 54, 96), np.float32)
    for row in range(3):
        y, x = draw.integers(0, 44), draw.integers(0, 86)
        masks[row, :, y : y + 9, x : x + 9] = 1
    return Scene(name="", classes=CLASSES, labels=draw.integers(0, CLASSES, 3), masks=masks)


def test_the_state_does_not_grow_with_the_video():
    config = Config(patience=6, memory=40, gallery=5, history_length=4, max_tracks=8)
    tracker = Tracker(config, classes=CLASSES)
    sizes, told = [], 0
    for n in range(150):
        said = Oracle(scene=strangers(n), noise=Noise(embedding=9.0, seed=n))([0, 1])
        stamps = [Stamp(n, Fraction(n)), Stamp(n + 1, Fraction(n + 1))]
        (frame,) = tracker.step(said, stamps, 1)
        told += len(tracker.ended())
        assert isinstance(frame, FrameTracks)
        assert len(tracker.active) <= config.max_tracks
        assert len(tracker.gallery) <= config.gallery
        assert len(tracker.stamps) == 1
        for one in tracker.active:
            assert len(one.buffer) <= 1
            # what is kept is no view of a whole window
            kept = [mask.untyped_storage().nbytes() for mask in one.buffer.masks]
            assert kept == [54 * 96 * 4] * len(one.buffer)
            assert one.last_mask.untyped_storage().nbytes() == 54 * 96 * 4
            assert one.full_mask.untyped_storage().nbytes() == 54 * 96 * 4
        known = [*tracker.gallery, *(one.state for one in tracker.active)]
        assert all(
            one.history is not None and len(one.history) <= config.history_length for one in known
        )
        sizes.append(bytes_of(tracker.state_dict()))
    assert told > 50
    assert max(sizes[75:]) <= max(sizes[:75])


def test_an_object_of_the_gallery_has_no_masks_and_ends_after_its_time():
    config = Config(patience=2, memory=5)
    tracker = Tracker(config, classes=CLASSES)
    scene = strangers(0)
    said = Oracle(scene=scene)([0])
    none = Oracle(scene=scene, noise=Noise(dropped=1.0))([0])
    counts = []
    for n in range(12):
        tracker.step(said if n == 0 else none, [Stamp(n, Fraction(n))], 1)
        counts.append((len(tracker.active), len(tracker.gallery), len(tracker.ended())))
    # seen at 0: live while 2 frames are missed at most, remembered for 5 more
    assert counts == [(3, 0, 0)] * 2 + [(0, 3, 0)] * 5 + [(0, 0, 3)] + [(0, 0, 0)] * 4
