"""Processes that share the parameters: the same losses, and checkpoints for any number of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open

from tests.conftest import PATIENCE, meeting_place
from vis.errors import DataError, UsageError, VisWarning
from vis.training import checkpoint
from vis.training.config import Training
from vis.training.ranks import ALONE
from vis.weights import load

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sharing(squares: ModuleType) -> ModuleType:
    """The program that two processes run."""
    sys.modules["squares"] = squares
    sys.path.insert(0, str(HERE))
    import sharing

    sys.path.remove(str(HERE))
    return sharing


@dataclass(frozen=True)
class Runs:
    folder: Path
    ends: dict[str, str]
    """Run -> digest of its model."""

    def losses(self, name: str) -> list[dict[str, float]]:
        lines = (self.folder / name / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
        return [json.loads(line)["terms"] for line in lines]


@pytest.fixture(scope="module")
def runs(sharing: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two processes killed at work and started again; runs that change how many they are."""
    folder = tmp_path_factory.mktemp("runs")
    ends = {"one": sharing.run(folder / "one", replace(sharing.COPIED, keep=9), ALONE)}
    cut(folder / "one", folder / "from one")
    first = started(folder)
    assert first[0].stderr is not None
    for line in first[0].stderr:
        if line.startswith("step 2/"):
            break
    for process in first:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    cut(folder / "killed", folder / "to ddp")
    cut(folder / "killed", folder / "to one")
    ends["to one"] = sharing.run(folder / "to one", sharing.COPIED, ALONE)
    second = started(folder)
    try:
        said = [process.communicate(timeout=PATIENCE) for process in second]
        out, errors = zip(*said, strict=True)
    finally:
        for process in second:
            process.kill()
    assert len(out[0].splitlines()) == 4, errors
    return Runs(folder, ends | dict(line.rsplit(" ", 1) for line in out[0].splitlines()))


def started(folder: Path) -> list[subprocess.Popen]:
    path = os.pathsep.join([str(ROOT), str(HERE), *sys.path])
    env = os.environ | meeting_place() | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return [
        subprocess.Popen(
            [sys.executable, HERE / "sharing.py", folder],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=env | {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]  # fmt: skip


def cut(whole: Path, half: Path) -> None:
    """The run as it was after its first step."""
    shutil.copytree(whole, half)
    for path in (half / "checkpoints").iterdir():
        if path.name > "step-00000001":
            shutil.rmtree(path)


def test_killed_and_going_on_it_ends_bit_for_bit_the_same(runs: Runs):
    assert runs.ends["killed"] == runs.ends["unbroken"]
    assert runs.losses("killed") == runs.losses("unbroken")


@pytest.mark.parametrize("name", ["to one", "to ddp", "from one", "unbroken"])
def test_any_number_of_processes_goes_on_with_what_another_wrote(runs: Runs, name: str):
    for found, expected in zip(runs.losses(name), runs.losses("one"), strict=True):
        assert found == pytest.approx(expected, rel=2e-3)


def test_each_process_writes_its_share_and_one_the_weights_to_use(runs: Runs):
    (path,) = (runs.folder / "unbroken/checkpoints").glob("*3")
    assert sorted(file.name for file in path.iterdir()) == [
        "MANIFEST.json", "average.safetensors", "shard-00001-model-00001-of-00001.safetensors",
        "shard-00002-model-00001-of-00001.safetensors", "state.json",
    ]  # fmt: skip
    sizes = [file.stat().st_size for file in path.glob("shard-*")]
    assert max(sizes) < 1.3 * min(sizes)
    model, found = load(path / "average.safetensors"), {}
    for file in sorted(path.glob("shard-*")):
        with safe_open(file, "pt") as parts:
            for name in parts.keys():  # noqa: SIM118 - it is no dictionary
                found.setdefault(name, []).append(parts.get_tensor(name))
    for name, value in model.state_dict().items():
        parts = found[f"average/{name}"]
        torch.testing.assert_close(parts[0] if len(parts) == 1 else torch.cat(parts), value)


def test_a_damaged_share_is_passed_over_before_anything_is_read(
    runs: Runs, squares: ModuleType, tmp_path: Path
):
    folder = tmp_path / "run"
    shutil.copytree(runs.folder / "unbroken", folder)
    share = next((folder / "checkpoints/step-00000003").glob("shard-00002-*"))
    share.write_bytes(share.read_bytes()[:-1] + b"?")
    foreign = folder / "checkpoints/step-00000002/shard-00003-model-00001-of-00001.safetensors"
    foreign.write_bytes(b"another run's")
    with pytest.warns(VisWarning) as warned:
        found = checkpoint.newest(folder / "checkpoints")
    assert found is not None and found.step == 1
    words = " ".join(str(one.message) for one in warned)
    assert f"the sha256 of {share.name} differs" in words
    assert f"{foreign.name} is not in its list" in words


class Harm:
    """Whoever unpickles it is found out."""

    done: ClassVar[list[str]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Harm.done.append, ("unpickled",)


def test_another_model_is_refused_and_a_pickle_is_not_opened(
    runs: Runs, squares: ModuleType, tmp_path: Path
):
    """Even one whose manifest was made to fit."""
    shutil.copytree(runs.folder / "unbroken", tmp_path / "run")
    training = Training(steps=9, ema_decay=0.9)
    with pytest.raises(DataError, match=r"does not fit this run .*size mismatch"):
        squares.loop(tmp_path / "run", training, model=squares.small(instance_queries=4))
    folder = tmp_path / "run" / "checkpoints"
    newest = folder / "step-00000003"
    torch.save(Harm(), tmp_path / "pickle")
    files = {path.name: path.read_bytes() for path in newest.iterdir()}
    del files["MANIFEST.json"]
    (name,) = (name for name in files if name.startswith("shard-00001"))
    for number, forged in ((8, name), (9, ".metadata")):
        content = files | {forged: (tmp_path / "pickle").read_bytes()}
        writers = {n: lambda path, b=b: path.write_bytes(b) and None for n, b in content.items()}
        checkpoint.save(folder, number, writers)
        if forged == name:
            with pytest.raises(DataError, match="does not fit this run"):
                squares.loop(tmp_path / "run", training)
    run = squares.loop(tmp_path / "run", training)  # torch's list of contents is not asked
    assert run.state.step == 3
    assert not Harm.done


def test_shared_parameters_and_fp16_are_refused():
    with pytest.raises(UsageError, match="bf16"):
        Training(parallel="fsdp", precision="fp16")
