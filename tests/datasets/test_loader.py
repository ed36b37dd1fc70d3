import itertools
import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.collate import collate
from vis.datasets.loader import batches
from vis.datasets.order import item_of, random_of
from vis.datasets.sample import Sample
from vis.datasets.sampling import Cyclic
from vis.datasets.transforms import Crop, Flip
from vis.errors import DataError, InputError, UsageError
from vis.records import ClipTargets


@pytest.fixture
def source(make_set):
    annotations, folder = make_set((6, 4))
    classes = classes_of(annotations.categories, ["dog", "cat", "cow"])
    return VideoClips(annotations, folder, classes, Cyclic(3), transforms=[Crop(20, 40), Flip()])


def same(a, b) -> bool:
    tensors = [(a.clip.frames, b.clip.frames), (a.clip.sizes, b.clip.sizes)]
    for x, y in zip(a.targets, b.targets, strict=True):
        tensors += [(getattr(x, k), getattr(y, k)) for k in ("labels", "boxes", "masks", "visible")]
    return (a.step, a.names) == (b.step, b.names) and all(torch.equal(x, y) for x, y in tensors)


def test_a_batch_depends_on_seed_and_step_alone(source):
    here = list(batches(source, size=2, seed=3, stop=7))
    there = list(batches(source, size=2, seed=3, stop=7, workers=2))
    assert len(there) == 7 and all(same(a, b) for a, b in zip(here, there, strict=True))
    again = list(batches(source, size=2, seed=3, start=4, stop=7))
    assert all(same(a, b) for a, b in zip(here[4:], again, strict=True))
    other = list(batches(source, size=2, seed=4, stop=7))
    assert not any(same(a, b) for a, b in zip(here, other, strict=True))


def test_ranks_share_the_samples_of_one_larger_batch(source):
    whole = next(batches(source, size=4, seed=3, start=1, stop=2))
    parts = [
        next(batches(source, size=2, seed=3, start=1, stop=2, rank=rank, world=2))
        for rank in range(2)
    ]
    assert whole.names == [name for part in parts for name in part.names]


def test_every_round_shows_every_item_once():
    for turn in range(3):
        items = [item_of(7, number, 10) for number in range(10 * turn, 10 * turn + 10)]
        assert sorted(items) == list(range(10))
    assert [item_of(7, n, 10) for n in range(10)] != [item_of(7, n, 10) for n in range(10, 20)]
    assert [item_of(7, n, 10) for n in range(10)] != [item_of(8, n, 10) for n in range(10)]


def test_random_numbers_of_two_samples_differ():
    drawn = {random_of(seed, number).random() for seed in range(5) for number in range(5)}
    assert len(drawn) == 25


def test_the_random_state_of_the_model_is_left_alone(source):
    before = torch.get_rng_state()
    list(batches(source, size=1, seed=0, stop=2))
    assert torch.equal(before, torch.get_rng_state())


def test_frames_are_fractions_padded_by_zero_and_classes_say_if_they_are_labelled(source):
    batch = next(batches(source, size=6, seed=1, stop=1))
    frames, sizes = batch.clip.frames, batch.clip.sizes
    assert frames.shape[:3] == (6, 3, 3) and frames.dtype == torch.float32
    assert frames.shape[3:] == tuple(sizes.amax(0).tolist()) and 0.9 < frames.max() <= 1
    assert len({tuple(size) for size in sizes.tolist()}) > 1
    for picture, targets, (height, width) in zip(frames, batch.targets, sizes, strict=True):
        assert not picture[..., height:, :].any() and not picture[..., width:].any()
        assert targets.masks.shape[2:] == (height, width)
    assert batch.labelled.tolist() == [[True, True, False]] * 6
    assert batch.wait > 0


def test_clips_of_different_length_make_no_batch():
    def sample(length):
        empty = ClipTargets(*(torch.zeros(0) for _ in range(4)))
        frames = torch.zeros(length, 3, 4, 4, dtype=torch.uint8)
        return Sample(frames, empty, "", torch.ones(1, dtype=torch.bool))

    with pytest.raises(UsageError, match="2 and 3 frames"):
        collate([sample(2), sample(3)])
    assert collate([sample(2), sample(2)])[0].frames.shape == (2, 2, 3, 4, 4)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_file_is_named_whoever_reads_it(source, workers):
    (source.folder / "v2/00001.jpg").unlink()
    with pytest.raises(InputError) as found:
        list(batches(source, size=1, seed=0, stop=10, workers=workers))
    assert "v2/00001.jpg (frame 1 of video 2)" in found.value.where


@pytest.fixture
def at_work(source):
    """Batches that take a while, after the first; and the process that makes them."""
    before = set(multiprocessing.active_children())
    steps = batches(source, size=600, seed=0, stop=100, workers=1)
    next(steps)
    time.sleep(0.2)  # it made two ahead, and now begins one more
    (worker,) = set(multiprocessing.active_children()) - before
    return steps, worker.pid


def test_a_worker_that_is_killed_is_told_with_its_files(at_work):
    steps, worker = at_work
    os.kill(worker, signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"killed|exited|died") as found:
        list(steps)
    assert time.monotonic() - begun < 5
    assert "in work: video" in found.value.where and ".jpg" in found.value.where


def test_a_worker_that_hangs_is_told_with_its_files(at_work, monkeypatch):
    steps, worker = at_work
    os.kill(worker, signal.SIGSTOP)
    ticks = itertools.count(step=1000)  # a clock on which each look is a long time
    monkeypatch.setattr("vis.datasets.loader.time", SimpleNamespace(monotonic=ticks.__next__))
    try:
        with pytest.raises(DataError, match="hangs") as found:
            list(steps)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert "in work: video" in found.value.where and ".jpg" in found.value.where


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"seed": -1}, {"workers": -1}, {"rank": 1}, {"world": 0}]
)
def test_numbers_out_of_range_are_refused(source, wrong):
    with pytest.raises(UsageError):
        batches(source, **({"size": 1, "seed": 0, "stop": 1} | wrong))


def test_a_round_of_the_order_is_fair(source):
    first = [item_of(seed, 0, 10) for seed in range(500)]
    assert np.bincount(first, minlength=10).min() > 20
