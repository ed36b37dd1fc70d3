"""The parity script: right on published outputs, and it does fail where outputs differ."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parent


@pytest.fixture
def parity(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("parity", SCRIPTS / "parity.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(parity: Any, monkeypatch: pytest.MonkeyPatch, *arguments: Path | str) -> int:
    monkeypatch.setattr(sys, "argv", ["parity.py", *map(str, arguments)])
    return parity.main()


def test_published_outputs_are_met(
    parity: Any, monkeypatch: pytest.MonkeyPatch, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = shared / "golden"
    names = ("vistr_criterion", "vistr_r50_padded")
    assert run(parity, monkeypatch, *(golden / f"{name}.json" for name in names)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13 + 3 and all(line.endswith("ok") for line in lines)


def test_rf_detr_is_met_from_trunk_to_predictions(
    parity: Any, monkeypatch: pytest.MonkeyPatch, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(parity, monkeypatch, shared / "golden" / "rfdetr_seg_nano.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 23 and all(line.endswith("ok") for line in lines)


def test_other_outputs_fail(
    parity: Any, monkeypatch: pytest.MonkeyPatch, shared: Path, tmp_path: Path
) -> None:
    golden = shared / "golden"
    case = json.loads((golden / "vistr_criterion.json").read_text())
    with np.load(golden / "vistr_criterion.npz") as stored:
        arrays = dict(stored)
    fill = ("--fill", golden / "fill.py")
    path = tmp_path / "vistr_criterion.json"

    def verdict(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> int:
        path.write_text(json.dumps(case))
        np.savez(path.with_suffix(".npz"), **arrays)
        return run(parity, monkeypatch, path, *fill)

    assert verdict(case, arrays) == 0
    losses = {**case["losses"], "loss_ce": case["losses"]["loss_ce"] + 2e-4}
    assert verdict({**case, "losses": losses}, arrays) == 1
    losses["loss_ce"] = float("nan")
    assert verdict({**case, "losses": losses}, arrays) == 1
    swapped = {**arrays, "matched_query": arrays["matched_query"][::-1]}
    assert verdict(case, swapped) == 1


@pytest.mark.parametrize(
    ("numbers", "allowed"),
    [([3.0, -10.0], 1e-4), ([28.0, 1.0], 28 / 2**17), ([28.0, float("inf")], 28 / 2**17)],
)
def test_large_numbers_are_rounded_more(parity: Any, numbers: list[float], allowed: float) -> None:
    assert parity._tolerance(np.array(numbers, np.float32)) == pytest.approx(allowed)
    assert parity._tolerance(np.array([28, 1])) == 0


def test_unknown_families_and_missing_recipes_are_said(
    parity: Any,
    monkeypatch: pytest.MonkeyPatch,
    shared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"state_dict": [["x.weight", [1], "float32"]], "inputs": {}}))
    assert run(parity, monkeypatch, path, "--fill", shared / "golden" / "fill.py") == 1
    assert "no known family (first name: 'x.weight')" in capsys.readouterr().out
    assert run(parity, monkeypatch, path) == 1
    assert "--fill PATH" in capsys.readouterr().out


def test_a_case_of_pictures_takes_weights(
    parity: Any, monkeypatch: pytest.MonkeyPatch, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = shared / "golden" / "parts" / "ssd_mobilenet_v2.npz"
    assert run(parity, monkeypatch, case) == 1
    assert "Give them: --weights PATH" in capsys.readouterr().out
    weights = shared / "data" / "weights" / "ssd_mobilenet_v2_coco_2018_03_29.safetensors"
    if not weights.is_file():
        pytest.skip("the weights are not beside the project")
    assert run(parity, monkeypatch, case, "--weights", weights) == 0
    assert len(capsys.readouterr().out.splitlines()) == 13
