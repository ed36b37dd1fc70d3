"""`vis models`: what there is, what it costs, how to get it."""

import json
from pathlib import Path

import pytest

from vis.cli import main
from vis.errors import UsageError
from vis.weights import catalogue

SMALL = {
    "encoder_layers": 0,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "instance_queries": 2,
    "backbone": "resnet18",
}


def test_every_model_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIS_HOME", str(tmp_path))
    (tmp_path / "detr_r50.safetensors").touch()
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line and not line.startswith("name")}
    for entry in catalogue.entries():
        assert entry.licence in rows[entry.name] and entry.score in rows[entry.name]
    assert rows["detr_r50"].endswith("is here")
    assert rows["detr_r101"].endswith("vis weights get detr_r101")
    assert rows["vistr_r50"].endswith("by browser: vis weights get vistr_r50 says how")
    name = "hf:facebook/detr-resnet-50"
    assert rows[name].endswith(f"vis track --model {name}") and "Apache-2.0" in rows[name]
    assert any("nobody states one, nor of hf: names" in line for line in lines)
    assert "To train: " in lines[-1] and "tt_srn" in lines[-1]


def test_the_rate_is_measured_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"name": "tiny", "data": "d", "score": "s", "address": "https://a/b", "hash": ""}
    row |= {"classes": 2, "settings": SMALL | {"d_model": 64}, "numbers": 1}
    group = {"family": "detr", "what": "w", "licence": "l", "terms": "t", "models": [row]}
    (tmp_path / "models.json").write_text(json.dumps({"families": [group]}))
    monkeypatch.setattr(catalogue, "ASSETS", tmp_path)
    assert main(["models", "--only", "tiny", "--measure", "--device", "cpu"]) == 0
    _, head, line = capsys.readouterr().out.splitlines()[:3]
    assert float(line[head.index("frames/s") :].split()[0]) > 0
    assert main(["models", "--only", "tinny"]) == UsageError.exit_code
    assert "Did you mean 'tiny'" in capsys.readouterr().err
