import importlib
import os
import pickle
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import dataloader

from tests.conftest import wait_until
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
    sources = [
        next(batches(source, size=2, seed=3, start=1, stop=2, rank=rank, world=2))
        for rank in range(2)
    ]
    assert whole.names == [name for source in sources for name in source.names]


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


def test_frames_are_bytes_padded_by_zero_and_classes_say_if_they_are_labelled(source):
    batch = next(batches(source, size=6, seed=1, stop=1))
    frames, sizes = batch.clip.frames, batch.clip.sizes
    assert frames.shape[:3] == (6, 3, 3) and frames.dtype == torch.uint8
    assert frames.shape[3:] == tuple(sizes.amax(0).tolist()) and frames.max() > 230
    assert len({tuple(size) for size in sizes.tolist()}) > 1
    for picture, targets, (height, width) in zip(frames, batch.targets, sizes, strict=True):
        assert not picture[..., height:, :].any() and not picture[..., width:].any()
        assert targets.masks.shape[2:] == (height, width)
    assert [t.labelled.tolist() for t in batch.targets] == [[True, True, False]] * 6
    assert batch.wait > 0


def test_clips_of_different_length_make_no_batch():
    def sample(length):
        empty = ClipTargets(*(torch.zeros(0) for _ in range(4)))
        frames = torch.zeros(length, 3, 4, 4, dtype=torch.uint8)
        return Sample(frames, empty, "")

    with pytest.raises(UsageError, match="2 and 3 frames"):
        collate([sample(2), sample(3)])
    assert collate([sample(2), sample(2)])[0].frames.shape == (2, 2, 3, 4, 4)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_file_is_named_whoever_reads_it(source, workers):
    (source.folder / "v2/00001.jpg").unlink()
    with pytest.raises(InputError) as found:
        list(batches(source, size=1, seed=0, stop=10, workers=workers))
    assert "v2/00001.jpg (frame 1 of video 2)" in found.value.where


DEADLY = """
import os, signal, sys, time
from pathlib import Path

class Deadly:
    def __call__(self, clip, random):
        os.kill(os.getpid(), signal.SIGKILL)

class Slow:
    def __call__(self, clip, random):
        time.sleep(2.5)
        return clip

class Wrong:
    def __call__(self, clip, random):
        raise RuntimeError("DataLoader timed out, says a transform")

class Stuck:
    def __init__(self, note):
        self.note = note

    def __call__(self, clip, random):
        Path(self.note).write_text(str(os.getpid()))
        time.sleep(1000)
"""


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """A module that workers can import too."""
    (tmp_path / "deadly_transforms.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("deadly_transforms")


@pytest.fixture(params=["as torch says it", "in other words"])
def words(request, monkeypatch):
    """Whatever torch says of a worker, it is understood by what the workers do."""
    if request.param == "as torch says it":
        return
    take = dataloader._MultiProcessingDataLoaderIter._get_data

    def translated(loader):
        try:
            return take(loader)
        except RuntimeError:
            raise RuntimeError("Zeit abgelaufen oder auch nicht") from None

    monkeypatch.setattr(dataloader._MultiProcessingDataLoaderIter, "_get_data", translated)


def test_a_slow_worker_is_waited_for(source, deadly, words):
    source.transforms = (deadly.Slow(),)
    (batch,) = batches(source, size=1, seed=0, stop=1, workers=1)
    assert batch.step == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_worker_raises_is_never_taken_for_a_look_in_vain(source, deadly, workers):
    source.transforms = (deadly.Wrong(),)
    with pytest.raises(RuntimeError, match="says a transform"):
        next(batches(source, size=1, seed=0, stop=1, workers=workers))


def test_a_worker_that_is_killed_is_told_with_its_file(source, deadly, words):
    source.transforms = (deadly.Deadly(),)
    with pytest.raises(DataError, match="exited") as found:
        next(batches(source, size=1, seed=0, stop=1, workers=1))
    first = source.where(item_of(0, 0, len(source)))
    assert found.value.where == f"in work: {first}" and ".jpg" in first


def test_a_worker_that_hangs_is_told_with_its_file(source, deadly, words, tmp_path, monkeypatch):
    note = tmp_path / "note"
    source.transforms = (deadly.Stuck(str(note)),)
    # patience ends once the worker is stuck, however long its start takes
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000 * note.exists())
    monkeypatch.setattr("vis.datasets.loader.time", clock)
    steps = batches(source, size=1, seed=0, stop=1, workers=1, patience=500)
    with pytest.raises(DataError, match="hangs") as found:
        next(steps)
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert found.value.where == f"in work: {source.where(item_of(0, 0, len(source)))}"


ORPHAN = """
import pickle, sys
from vis.datasets.loader import batches

if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        source = pickle.load(file)
    next(batches(source, size=1, seed=0, stop=1, workers=1))
"""


def test_workers_do_not_outlive_a_parent_that_is_killed(source, deadly, tmp_path):
    note = tmp_path / "note"
    source.transforms = (deadly.Stuck(str(note)),)
    (tmp_path / "source").write_bytes(pickle.dumps(source))
    (tmp_path / "orphan.py").write_text(ORPHAN)
    path = os.pathsep.join(map(str, (tmp_path, *sys.path)))
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "orphan.py", tmp_path / "source"],
        env={**os.environ, "PYTHONPATH": path},
    )
    wait_until(lambda: note.exists() and note.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not _lives(int(note.read_text())))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"seed": -1}, {"workers": -1}, {"rank": 1}, {"world": 0}]
)
def test_numbers_out_of_range_are_refused(source, wrong):
    with pytest.raises(UsageError):
        batches(source, **({"size": 1, "seed": 0, "stop": 1} | wrong))


def test_a_round_of_the_order_is_fair(source):
    first = [item_of(seed, 0, 10) for seed in range(500)]
    assert np.bincount(first, minlength=10).min() > 20
