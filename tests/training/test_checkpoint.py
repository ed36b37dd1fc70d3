"""A checkpoint is whole or it is none, whatever happens while it is written or lies there."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from vis.errors import DataError, OutputError, VisWarning
from vis.training import checkpoint
from vis.training.checkpoint import newest, save, sweep, verify

ROOT = Path(__file__).parents[2]


def content(step: int):
    """Two files whose bytes are told by the step."""
    return {
        "model.bin": lambda path: path.write_bytes(random.Random(step).randbytes(5000)),
        "state.json": lambda path: path.write_text(json.dumps({"step": step})),
    }


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.iterdir())


def test_the_newest_is_the_highest_number_whatever_its_date(tmp_path: Path):
    assert newest(tmp_path / "none") is None
    for step in (5, 100, 20):
        save(tmp_path, step, content(step), keep=9)
    os.utime(tmp_path / "step-00000005", (4e9, 4e9))
    found = newest(tmp_path)
    assert found is not None and found.step == 100 and found.path.name == "step-00000100"
    assert (found.path / "model.bin").read_bytes() == random.Random(100).randbytes(5000)


def test_the_last_few_and_the_best_are_kept(tmp_path: Path):
    for step, score in enumerate([0.1, 0.9, 0.5, None, 0.8, 0.2]):
        save(tmp_path, step, content(step), score=score, keep=2)
    assert steps(tmp_path) == [1, 4, 5]
    save(tmp_path, 6, content(6), score=0.95, keep=1)
    assert steps(tmp_path) == [6]


@pytest.mark.parametrize("file", ["model.bin", "state.json", "MANIFEST.json"])
def test_any_flipped_bit_or_cut_is_noticed_and_the_older_one_is_taken(tmp_path: Path, file: str):
    save(tmp_path, 1, content(1))
    whole = save(tmp_path, 2, content(2))
    good = (whole / file).read_bytes()
    values = json.loads((whole / "MANIFEST.json").read_bytes())["files"]
    for place in random.Random(0).sample(range(len(good)), min(len(good), 40)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 7
        (whole / file).write_bytes(bad)
        if file == "MANIFEST.json" and _says(bad) == values:
            continue  # a flip of the layout or the score says the same of the files
        with pytest.warns(VisWarning, match=r"step-00000002.*Going on from step 1"):
            found = newest(tmp_path)
        assert found is not None and found.step == 1
    (whole / file).write_bytes(good[:-1])
    with pytest.raises(DataError, match="step-00000002"):
        verify(whole)
    (whole / file).unlink()
    with pytest.raises(DataError, match=file):
        verify(whole)


def _says(text: bytes) -> object:
    try:
        return json.loads(text)["files"]
    except (ValueError, KeyError):
        return None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"score": null, "files": {}}', "[" * 100_000,
     '{"score": null, "files": {"../../a": {"size": 1, "sha256": ""}}}',
     '{"score": null, "files": {"a": 3}}', '{"score": "x", "files": {}}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str):
    path = save(tmp_path, 1, content(1))
    (path / "MANIFEST.json").write_text(text)
    with pytest.raises(DataError, match="MANIFEST"):
        verify(path)
    with pytest.warns(VisWarning, match="no older one"):
        assert newest(tmp_path) is None


def test_a_link_is_not_followed(tmp_path: Path):
    path = save(tmp_path, 1, content(1))
    shutil.copy(path / "model.bin", tmp_path / "elsewhere")
    (path / "model.bin").unlink()
    (path / "model.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"model\.bin is missing"):
        verify(path)


def test_a_damaged_one_is_replaced_when_its_step_comes_again(tmp_path: Path):
    path = save(tmp_path, 3, content(3))
    (path / "model.bin").write_bytes(b"")
    save(tmp_path, 3, content(3))
    found = newest(tmp_path)
    assert found is not None and found.step == 3


OPERATIONS = ("fsync", "mkdir", "rename", "open")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_at_any_operation_leaves_the_older_one(
    tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
):
    """Fail the nth call of an operation, for every n that a save makes."""
    save(tmp_path, 1, content(1))
    for number in range(1, 50):
        with monkeypatch.context() as patch:
            failing = Failing(getattr(os, operation), number)
            patch.setattr(os, operation, failing)
            complaint = _complaint(tmp_path)
        if failing.calls < number:
            break
        assert complaint is None or ("disk is full" in complaint and "untouched" in complaint)
        assert all(path.suffix != ".part" for path in tmp_path.iterdir())
        found = newest(tmp_path)
        assert found is not None and found.step in (1, 2)
    else:
        pytest.fail("a save never came through")
    found = newest(tmp_path)
    assert number > 1 and found is not None and found.step == 2


def _complaint(folder: Path) -> str | None:
    """None where a folder could not be synced after the checkpoint had its name."""
    try:
        save(folder, 2, content(2))
    except OutputError as error:
        return str(error)
    return None


class Failing:
    """An operation of the system whose nth call finds the disk full."""

    def __init__(self, real, number):
        self.real, self.number, self.calls = real, number, 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        if self.calls == self.number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.real(*arguments, **named)


def test_too_little_space_is_told_before_anything_is_written(tmp_path: Path, monkeypatch):
    save(tmp_path, 1, content(1))
    usage = shutil.disk_usage(tmp_path)._replace(free=5500)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="disk is full"):
        save(tmp_path, 2, content(2))
    assert steps(tmp_path) == [1]


SAVING = """
import random, sys
from pathlib import Path
from vis.training.checkpoint import newest, save
folder = Path(sys.argv[1])
found = newest(folder)
step = 0 if found is None else found.step
print("ready", flush=True)
while True:
    step += 1
    def write(path, step=step):
        with path.open("wb") as file:
            for part in range(40):
                file.write(random.Random(step * 40 + part).randbytes(50_000))
    save(folder, step, {"model.bin": write}, keep=2)
    print(step, flush=True)
"""


def test_kills_inside_a_save_lose_no_checkpoint(tmp_path: Path):
    """Ten kills, at moments spread over a save; each leaves what was reported as saved."""
    reported, inside = 0, 0
    for attempt in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        reported = int(process.stdout.readline())
        time.sleep(0.004 * attempt)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=PATIENCE)
        reported = int(rest.split()[-1]) if rest.split() else reported
        inside += any(path.suffix == ".part" for path in tmp_path.iterdir())
        found = newest(tmp_path)
        assert found is not None and found.step in (reported, reported + 1)
    assert inside >= 3, "the kills missed the saves"
    sweep(tmp_path)
    assert all(path.suffix != ".part" for path in tmp_path.iterdir())
