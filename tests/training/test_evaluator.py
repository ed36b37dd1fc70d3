"""Evaluation in the course of a run: its numbers, what they decide, and that it changes nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from vis import weights
from vis.errors import DataError, InputError, UsageError
from vis.evaluation.evaluate import evaluate_model
from vis.training import checkpoint
from vis.training.experiment import read_experiment
from vis.training.run import begin, go_on

ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(data: Path) -> list[str]:
    """Settings of an evaluation on the data itself, after every second step."""
    return [
        "--training.evaluate_every", "2", "--evaluation.data", str(data / "instances.json"),
        "--evaluation.size", "32",
    ]  # fmt: skip


def measured(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()]


def assert_equal(one: Path, other: Path) -> None:
    left, right = (weights.load(run / "model.safetensors").state_dict() for run in (one, other))
    assert all((value == right[name]).all() for name, value in left.items())


def test_it_tells_numbers_decides_the_best_and_changes_nothing(
    config: Path, asked: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    begin(read_experiment(config), tmp_path / "plain")
    begin(read_experiment(config, [*asked, "--training.tensorboard=true"]), tmp_path / "run")
    assert_equal(tmp_path / "plain", tmp_path / "run")
    lines = measured(tmp_path / "run")
    assert [line["step"] for line in lines] == [2, 4]
    assert {"AP", "AP50", "AR10"} <= lines[0]["numbers"].keys()
    assert "step 2/4  evaluated: AP 0." in capsys.readouterr().err
    for line in lines:
        path = tmp_path / f"run/checkpoints/step-{line['step']:08d}"
        assert checkpoint.verify(path) == line["numbers"]["AP"]
        model = weights.load(path / "model.safetensors")
        again = evaluate_model(model, data / "instances.json", size=32)
        assert again["AP"] == line["numbers"]["AP"]


def test_killed_with_evaluation_on_it_ends_bit_for_bit_the_same(
    config: Path, asked: list[str], tmp_path: Path
):
    """In the midst of an evaluation, and between it and its checkpoint."""
    often = [*asked[2:], "--training.evaluate_every=1", "--evaluation.metrics=[ap, identity]"]
    begin(read_experiment(config, often), tmp_path / "whole")
    begun = ["-c", str(config), "-o", str(tmp_path / "run"), *often]
    for command, sign in ((begun, "step 2/4  loss"), (["--resume", begun[3]], "step 3/4  eval")):
        process = subprocess.Popen(
            [sys.executable, "-m", "vis", "train", *command], stderr=subprocess.PIPE,
            text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(sign):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
    go_on(tmp_path / "run")
    assert_equal(tmp_path / "whole", tmp_path / "run")
    found, expected = measured(tmp_path / "run"), measured(tmp_path / "whole")
    assert [line["numbers"] for line in found] == [line["numbers"] for line in expected]
    assert [line["step"] for line in found] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        (["--evaluation.best", "AP5"], UsageError, "evaluation.best is 'AP5'. Did you mean AP"),
        (["--evaluation.best", "HOTA"], UsageError, "evaluation.best is 'HOTA'"),
        (["--evaluation.data", "null"], UsageError, "evaluation.data is not set"),
        (["--evaluation.data", "nowhere.json"], InputError, "nowhere.json"),
        (["--evaluation.videos", "[v7]"], UsageError, "no video 'v7'"),
        (["--evaluation.key", "id"], DataError, "class"),
        (["--evaluation.batch", "0"], UsageError, "evaluation.batch is 0"),
        (["--training.evaluate_every", "-1"], UsageError, "evaluate_every is -1"),
        (["--evaluation.metrics", "[map]"], UsageError, "one of ap, identity, jf, miou"),
    ],
)
def test_what_would_fail_at_its_first_call_fails_before_the_first_step(
    config: Path, asked: list[str], tmp_path: Path, changes: list[str], kind: type, words: str
):
    with pytest.raises(kind, match=words):
        begin(read_experiment(config, [*asked, *changes]), tmp_path / "run")
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_video_that_is_not_there_is_named_before_the_first_step(
    config: Path, asked: list[str], data: Path, tmp_path: Path
):
    whole = json.loads((data / "instances.json").read_text())
    whole["videos"][1]["file_names"] = [f"v9/{t}.jpg" for t in range(3)]
    (tmp_path / "instances.json").write_text(json.dumps(whole))
    there = ["--evaluation.data", str(tmp_path / "instances.json")]
    frames = ["--evaluation.frames", str(data / "JPEGImages")]
    for changes in (there, [*there, *frames]):
        with pytest.raises(InputError, match=r"video \d \(v\d\) were not found"):
            begin(read_experiment(config, [*asked, *changes]), tmp_path / str(len(changes)))
