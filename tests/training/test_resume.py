"""Killed, stopped or ended: what goes on from a checkpoint equals what never stopped."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import PATIENCE, heeding_interrupts, meeting_place
from vis.errors import DataError, VisWarning
from vis.training import checkpoint
from vis.training.config import Training

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "squares.py"
STEPS = 5


def program(folder: Path, **environment: str) -> subprocess.Popen:
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen(
        [sys.executable, PROGRAM, folder, str(STEPS)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> str:
    out, errors = program(tmp_path_factory.mktemp("whole") / "run").communicate(timeout=PATIENCE)
    assert out.startswith("ready\n"), errors
    return out.splitlines()[-1]


def test_killed_at_several_steps_it_ends_bit_for_bit_the_same(tmp_path: Path, uninterrupted: str):
    """A checkpoint a step: most kills fall into the writing of one."""
    for target in (1, 2, 4):
        process = program(tmp_path / "run")
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"step {target}/"):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
    out, errors = program(tmp_path / "run").communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == uninterrupted, errors
    steps = [json.loads(x)["step"] for x in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))


class Stopped(BaseException):
    """What a handler of the caller raises."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_first_and_is_then_obeyed(squares, tmp_path: Path, number: int):
    def stop(*_):
        raise Stopped

    def feed(start, end):
        for batch in squares.squares(start, end):
            if batch.step == 2:
                signal.raise_signal(number)
            yield batch

    before = signal.signal(number, stop)
    try:
        training = Training(steps=5, ema_decay=0.9)
        run = squares.loop(tmp_path / "run", training, feed=feed)
        with pytest.raises(Stopped):
            run()
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    saved = checkpoint.newest(tmp_path / "run" / "checkpoints")
    assert saved is not None and saved.step == 3
    run = squares.loop(tmp_path / "run", training)
    run()
    whole = squares.loop(tmp_path / "whole", training)
    whole()
    for name in ("model", "best"):
        found, expected = (squares.digest(getattr(r.state, name)) for r in (run, whole))
        assert found == expected


def test_a_second_signal_is_obeyed_at_once(squares, tmp_path: Path):
    def feed(start, end):
        for batch in squares.squares(start, end):
            if batch.step == 1:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            yield batch

    run = squares.loop(tmp_path, Training(steps=5), feed=feed)
    with heeding_interrupts(), pytest.raises(KeyboardInterrupt):
        run()
    assert run.state.step == 1
    assert checkpoint.newest(tmp_path / "checkpoints") is None


def test_fp16_goes_on_with_its_scale(squares, tmp_path: Path):
    training = Training(steps=4, precision="fp16", save_every=2)
    whole = squares.loop(tmp_path / "whole", training)
    whole()
    half = squares.loop(tmp_path / "run", replace(training, steps=2))
    half.training = training
    half.feed = lambda start, _: squares.squares(start, 2)
    with pytest.raises(StopIteration):
        half()
    again = squares.loop(tmp_path / "run", training)
    assert again.state.step == 2
    assert again.state.scaler.get_scale() == half.state.scaler.get_scale()
    again()
    assert squares.digest(again.state.model) == squares.digest(whole.state.model)


def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(squares, tmp_path: Path):
    training = Training(steps=4, save_every=1)
    whole = squares.loop(tmp_path, training)
    whole()
    expected = squares.digest(whole.state.model)
    for step in (3, 4):
        path = tmp_path / "checkpoints" / f"step-{step:08d}" / "optimiser.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(VisWarning, match="Going on from step 2") as warned:
        again = squares.loop(tmp_path, training)
    assert len(warned) == 2 and again.state.step == 2
    again()
    assert squares.digest(again.state.model) == expected


def test_another_model_is_refused_and_told(squares, tmp_path: Path):
    squares.loop(tmp_path, Training(steps=1))()
    with pytest.raises(DataError, match=r"does not fit this run.*size mismatch"):
        squares.loop(tmp_path, Training(steps=2), model=squares.small(instance_queries=4))


def test_a_pickle_in_a_checkpoint_is_not_opened(squares, tmp_path: Path):
    """Even one whose manifest was made to fit."""
    squares.loop(tmp_path, Training(steps=1))()
    found = checkpoint.newest(tmp_path / "checkpoints")
    assert found is not None
    files = {path.name: path.read_bytes() for path in found.path.iterdir()}
    del files["MANIFEST.json"]
    for name in ("model.safetensors", "optimiser.safetensors", "state.json"):
        torch.save({"a": 1}, tmp_path / "pickle")
        forged = files | {name: (tmp_path / "pickle").read_bytes()}
        writers = {n: lambda path, b=b: path.write_bytes(b) and None for n, b in forged.items()}
        checkpoint.save(tmp_path / "checkpoints", 9, writers)
        with pytest.raises(DataError, match="does not fit this run"):
            squares.loop(tmp_path, Training(steps=2))


def test_two_processes_learn_what_one_does_with_the_double_batch(squares, tmp_path: Path):
    """The losses of every step, and every gradient of the first."""
    address = meeting_place() | {"WORLD_SIZE": "2"}
    both = [
        program(tmp_path / "two", RANK=str(rank), LOCAL_RANK=str(rank), PLAIN="1", **address)
        for rank in (0, 1)
    ]
    for process in both:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    model = squares.small(dropout=0.0, sine_dropout=0.0)
    training = Training(steps=STEPS, save_every=1, log_every=1, keep=STEPS)
    squares.loop(tmp_path / "one", training, model=model)()
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("two", "one")
    ]
    for two_said, one_said in zip(*logs, strict=True):
        assert two_said["terms"] == pytest.approx(one_said["terms"], rel=1e-3)
    first = "checkpoints/step-00000001/optimiser.safetensors"
    two, one = (load_file(tmp_path / name / first) for name in ("two", "one"))
    assert two.keys() == one.keys()
    for name, mean in one.items():  # after one step, AdamW's mean is a tenth of the gradient
        torch.testing.assert_close(two[name], mean, rtol=1e-3, atol=1e-6, msg=name)
