"""The shipped model's files from a run: found, listed and loaded; what may not ship is refused."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vis import models, weights
from vis.cli import main
from vis.weights import catalogue
from vis.weights.classes import COCO_THINGS

SCRIPTS = Path(__file__).parents[2] / "scripts" / "dev"
SIZES = {
    "d_model": 64,
    "encoder_layers": 0,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "instance_queries": 2,
    "backbone": "resnet18",
}
NUMBERS = {
    "AP": 1.0,
    "AP50": 2.0,
    "J with the right name": 3.5,
    "IDF1": None,
    "videos": {"AP, IDF1, ghosts": 4, "J": 9},
    "classes": {"dog": {"AP": 1.0, "AP50": None, "objects": 2}},
    "speed": {
        "cores": 2,
        "film": "clip.mp4",
        "frames/s": 5.5,
        "frames/s of the model alone": 8.0,
        "peak MB": 900,
    },
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("make_default", SCRIPTS / "make_default.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path, script: Any) -> Path:
    """The folder of a finished run of a small model."""
    folder = tmp_path / "run"
    folder.mkdir()
    torch.manual_seed(0)
    model = models.build("detr", classes=len(COCO_THINGS), **SIZES)
    model.class_names = COCO_THINGS
    weights.save_model(folder / "model.safetensors", model)
    (folder / "config.yaml").write_text(
        "data:\n  parts:\n  - path: /home/me/data/coco/instances.json\ntraining:\n  steps: 7\n"
    )
    (folder / "log.jsonl").write_text('{"step": 3}\n{"step": 6}\n')
    (tmp_path / "numbers.json").write_text(json.dumps(NUMBERS))
    (tmp_path / "assets").mkdir()
    return folder


def make(script: Any, run: Path, monkeypatch: pytest.MonkeyPatch, *before: Path) -> int:
    runs = [str(one) for one in (*before, run)]
    arguments = ["make_default.py", str(run / "model.safetensors"), "--runs", *runs]
    numbers, assets = str(run.parent / "numbers.json"), str(run.parent / "assets")
    monkeypatch.setattr(sys, "argv", [*arguments, "--numbers", numbers, "--assets", assets])
    return script.main()


def test_the_files_are_made_listed_and_loaded(
    script: Any, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(script, run, monkeypatch) == 0
    assets = run.parent / "assets"
    (assets / "models.json").write_bytes((catalogue.ASSETS / "models.json").read_bytes())
    monkeypatch.setattr(catalogue, "ASSETS", assets)
    model = weights.load("default")
    assert model.class_names == COCO_THINGS and model.queries.dtype == torch.float32
    assert torch.float16 in {
        kind for _, kind in weights.inspect(assets / "default.safetensors").tensors.values()
    }
    card = (assets / "default.md").read_text()
    assert "path: coco/instances.json" in card and "/home" not in card
    assert (
        "6 steps by this recipe" in card and "| AP / AP50 of dog (2 objects) | 1.0 / none |" in card
    )
    assert "What it cannot do" in card and "Apache-2.0" in card and "None" not in card
    assert main(["models", "--only", "default"]) == 0
    out = capsys.readouterr().out
    assert "3.5 J with the right name" in out and "ships with vis" in out


def test_a_run_that_went_on_from_another_tells_what_it_changed(
    script: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run.parent / "first"
    shutil.copytree(run, first)
    (first / "config.yaml").write_text("training:\n  steps: 7\n  batch: 2\n")
    (run / "config.yaml").write_text("training:\n  steps: 7\n  batch: 5\n")
    assert make(script, run, monkeypatch, first) == 0
    card = (run.parent / "assets" / "default.md").read_text()
    assert "2 runs" in card and card.count("  batch: 2") == 2
    assert "```diff\n-   batch: 2\n+   batch: 5\n```" in card


def test_what_may_not_ship_is_refused(
    script: Any, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "config.yaml").write_text("data:\n  parts:\n  - path: davis_train/instances.json\n")
    assert make(script, run, monkeypatch) == 65
    (run / "config.yaml").write_text("training:\n  steps: 7\n")
    monkeypatch.setattr(script, "LARGEST", 1000)
    assert make(script, run, monkeypatch) == 65
    monkeypatch.setattr(script, "COCO_THINGS", ("person",))
    assert make(script, run, monkeypatch) == 65
    said = capsys.readouterr().err
    assert "DAVIS" in said and "at most 0 ship" in said and "its classes are" in said
    assert not list((run.parent / "assets").iterdir())
