"""Fewer classes: what is said of those that stay does not change."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vis import models, weights
from vis.errors import DataError
from vis.records import Clip

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import keep_classes

NAMES = ("a", "b", "c", "d")


def sotr() -> Any:
    torch.manual_seed(2)
    settings: dict[str, Any] = {"width": 32, "mask_width": 32, "depth": 1, "heads": 2}
    settings |= {"doubled": False, "pixels": 1.0, "backbone": "resnet18"}
    model = models.build("sotr", classes=len(NAMES), **settings).eval()
    torch.nn.init.normal_(model.class_head.weight)
    model.class_names, model.size = NAMES, 64
    return model


def test_the_logits_of_a_class_stay_what_they_were() -> None:
    whole = sotr()
    kept = keep_classes.only(whole, ("d", "b"))
    assert kept.class_names == ("d", "b") and kept.size == 64
    clip = Clip(torch.rand(1, 1, 3, 64, 96), torch.tensor([[64, 96]]))
    with torch.inference_mode():
        before, after = whole(clip).grids, kept(clip).grids
    assert torch.equal(after.feature, before.feature)
    for one, other in zip(after.logits, before.logits, strict=True):
        torch.testing.assert_close(one, other[:, [3, 1]], rtol=1e-6, atol=1e-6)


def test_the_file_knows_its_classes_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights.save_model(tmp_path / "four.safetensors", sotr())
    words = [str(tmp_path / "four.safetensors"), str(tmp_path / "two.safetensors")]
    monkeypatch.setattr(sys, "argv", ["x", *words, "--classes", "a", "c", "--size", "96"])
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--shift", "0.75", "--keep", "7"])
    assert keep_classes.main() == 0
    model, before = weights.load(tmp_path / "two.safetensors"), sotr()
    torch.testing.assert_close(model.class_head.bias, before.class_head.bias[[0, 2]] + 0.75)
    assert model.class_names == ("a", "c") and model.size == 96 and model.config.keep == 7
    assert keep_classes.main() == 74, "an output is not replaced"
    monkeypatch.setattr(sys, "argv", ["x", words[0], str(tmp_path / "no"), "--classes", "person"])
    assert keep_classes.main() == 65
    assert "person" in capsys.readouterr().err


def test_classes_that_depend_on_one_another_stay_together() -> None:
    small: dict[str, Any] = {"width": 32, "encoders": 0, "decoders": 1, "hidden": 8, "slots": 2}
    model = models.build("detr", classes=2, backbone="resnet18", **small)
    model.class_names = ("a", "b")
    with pytest.raises(DataError, match="depend"):
        keep_classes.only(model, ("a",))
