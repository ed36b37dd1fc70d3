"""Every part of the benchmark runs with toy models, and the published order says what ours says."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vis import models
from vis.records import Clip

SCRIPTS = Path(__file__).parents[2] / "scripts"
SMALL = {
    "backbone": "resnet18",
    "d_model": 128,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "ffn_dim": 32,
    "instance_queries": 2,
    "frames": 3,
    "chunk": 2,
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("benchmark_gpu")


@pytest.mark.parametrize("name", ["vistr", "tt_srn"])
def test_both_orders_agree(script: Any, name: str) -> None:
    torch.manual_seed(0)
    model: Any = models.build(name, classes=5, **SMALL).eval()
    # as built, the deformable end is a plain convolution
    torch.nn.init.normal_(model.masks.pyramid.end.offsets.weight, std=0.05)
    clip = Clip(torch.rand(1, 3, 3, 70, 90), torch.tensor([[60, 80]]))
    with torch.inference_mode():
        ours, published = model(clip).dense(), script.published_vistr(model, clip)
    last = ours.layers[-1]
    for mine, theirs in zip((last.logits, last.boxes, ours.masks), published, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


def test_every_part_runs_small_and_once(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    command = ["-o", str(path), "--small", "--device", "cpu", "--parts"]
    assert script.main([*command, "vistr"]) == 0
    first = json.loads(path.read_text())["parts"]["vistr"]
    assert script.main([*command, *script.PARTS]) == 0
    parts = json.loads(path.read_text())["parts"]
    assert parts["vistr"] == first
    for name, part in parts.items():
        assert part["rows"] or "videomt" in name, name
        assert all(row.get("seconds", 1) > 0 for row in part["rows"])


def test_a_part_that_fails_costs_no_other(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setup: Any) -> Any:
        raise RuntimeError("no kernel")

    parts = {"broken": script.Part(broken), "whole": script.Part(lambda setup: [{"case": "one"}])}
    monkeypatch.setattr(script, "PARTS", parts)
    path = tmp_path / "gpu.json"
    assert script.main(["-o", str(path), "--device", "cpu"]) == 1
    found = json.loads(path.read_text())["parts"]
    assert "no kernel" in found["broken"]["error"] and found["whole"]["rows"]
