"""A start from other weights: what fits is taken, the rest is left for a stated reason."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor
from torch.nn import functional

from vis import models, weights
from vis.errors import DataError, InputError
from vis.weights import download

SMALL: dict[str, Any] = {"d_model": 128, "encoder_layers": 1, "decoder_layers": 1, "ffn_dim": 16}


def small(name: str, **settings: Any) -> Any:
    shape = {"instance_queries": 3} if name == "detr" else {"frames": 2, "instance_queries": 3}
    backbone = "convnext_atto" if name == "tt_srn" else "resnet18"
    return models.build(name, **({"classes": 5, "backbone": backbone} | SMALL | shape | settings))


def saved(path: Path, model: Any) -> Path:
    weights.save_model(path, model)
    return path


def copy_of(model: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_detr_gives_tt_srn_its_transformer_and_masks(tmp_path: Path) -> None:
    detr, model = small("detr", masks=True), small("tt_srn")
    before, theirs = copy_of(model), detr.state_dict()
    report = weights.initialise(model, saved(tmp_path / "x", detr))
    ours = model.state_dict()
    for name in theirs:
        if name.startswith(("transformer.", "masks.attention.", "masks.pyramid.stages.")):
            assert name in report.loaded and torch.equal(ours[name], theirs[name])
    left = ("class_head.", "queries", "box_head.", "projection.", "masks.pyramid.laterals.")
    for name in before:
        if name.startswith((*left, "backbone.", "masks.volume.", "masks.pyramid.end.offsets.")):
            assert name in report.missing and torch.equal(ours[name], before[name])
    assert report.skipped["class_head.weight"] == "it is of other classes, or another model"
    assert report.skipped["projection.bias"] == "the model's backbone is another"
    assert report.skipped["masks.pyramid.end.logit.bias"] == "the head over time makes the logits"
    assert set(report.loaded) | set(report.missing) == set(before)
    assert "left: projection (2)" not in str(report) and "tensors taken" in str(report)


@pytest.mark.parametrize(
    ("source", "classes", "goes_on"),
    [
        ("detr", "abcde", True),
        ("detr", "", False),
        ("vistr", "abcde", False),
    ],
)
def test_what_knows_the_same_classes_goes_on_with_them(
    tmp_path: Path, source: str, classes: str, goes_on: bool
) -> None:
    before, model = small(source), small("detr")
    before.class_names, model.class_names = tuple(classes), tuple("abcde")
    report = weights.initialise(model, saved(tmp_path / "x", before))
    assert ("class_head.weight" in report.loaded) is goes_on
    same = torch.equal(model.class_head.weight, before.class_head.weight)
    assert same is goes_on


def test_the_deformable_convolution_starts_as_detrs_last_one(tmp_path: Path) -> None:
    detr, model = small("detr", masks=True), small("tt_srn")
    weights.initialise(model, saved(tmp_path / "x", detr))
    x, last = torch.randn(1, 16, 5, 6), detr.masks.pyramid.end.conv.conv
    end = model.masks.pyramid.end
    found = end.conv(x, end.offsets(x))
    expected = functional.conv2d(x, last.weight, padding=1)
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.equal(end.norm.weight, detr.masks.pyramid.end.conv.norm.weight)


def test_vistr_gives_all_but_classes_to_a_model_like_it(tmp_path: Path) -> None:
    vistr = small("vistr", classes=7)
    alike = small("tt_srn", backbone="resnet18", head="linear_mlp")
    report = weights.initialise(alike, saved(tmp_path / "x", vistr))
    assert set(report.missing) == set(report.skipped) == {"class_head.weight", "class_head.bias"}
    report = weights.initialise(small("tt_srn"), tmp_path / "x")
    assert "masks.volume.9.weight" in report.loaded and "queries" in report.loaded
    assert report.skipped["box_head.0.weight"] == "the model's head is another"


def test_a_transformer_of_another_width_is_refused_with_the_shapes(tmp_path: Path) -> None:
    model = small("tt_srn")
    before = copy_of(model)
    path = saved(tmp_path / "x", small("vistr", d_model=256))
    with pytest.raises(DataError, match=r"\(768,\) is not \(384,\).*VisTR 384"):
        weights.initialise(model, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_torchvisions_classifier_starts_a_resnet(tmp_path: Path) -> None:
    net = torchvision.models.resnet18(weights=None).eval()
    torch.nn.init.uniform_(net.bn1.running_var, 0.5, 2)
    torch.save(net.state_dict(), tmp_path / "x.pth")
    model = small("detr")
    report = weights.initialise(model, tmp_path / "x.pth")
    assert len(report.loaded) == 100 and not report.skipped
    frames = torch.rand(1, 3, 64, 64)
    stem = net.maxpool(net.relu(net.bn1(net.conv1(frames))))
    expected = net.layer4(net.layer3(net.layer2(net.layer1(stem))))
    assert torch.allclose(model.backbone(frames)[-1], expected, atol=1e-4)


@pytest.mark.parametrize("name", ["convnext_atto", "resnet18d"])
def test_timms_classifiers_start_its_networks(tmp_path: Path, name: str) -> None:
    net = timm.create_model(name).eval()
    torch.save(net.state_dict(), tmp_path / "x.pth")
    model = small("tt_srn", backbone=name).eval()
    report = weights.initialise(model, tmp_path / "x.pth")
    assert {f"backbone.{n}" for n in model.backbone.state_dict()} == set(report.loaded)
    frames = torch.rand(1, 3, 64, 64)
    assert torch.allclose(model.backbone(frames)[-1], net.forward_features(frames), atol=1e-4)


def test_timms_classifier_starts_our_twins_but_for_three_norms(tmp_path: Path) -> None:
    with torch.device("meta"):
        published = timm.create_model("twins_svt_small").state_dict()
    state = {name: torch.full(tensor.shape, 0.5) for name, tensor in published.items()}
    torch.save(state, tmp_path / "x.pth")
    model = small("tt_srn", backbone="twins_svt_small")
    report = weights.initialise(model, tmp_path / "x.pth")
    fresh = {name for name in report.missing if name.startswith("backbone.")}
    assert fresh == {f"backbone.norms.{i}.{kind}" for i in range(3) for kind in ("weight", "bias")}
    assert model.backbone.norms[3].weight.unique().tolist() == [0.5]
    assert len(report.loaded) == len(published) - 2


def test_the_wrong_backbone_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("convnext_atto").state_dict(), tmp_path / "x.pth")
    with pytest.raises(DataError, match=r"nor the weights of this model's backbone.*missing"):
        weights.initialise(small("detr"), tmp_path / "x.pth")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    state["conv1.weight"][0] = float("nan")
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(DataError, match=r"'backbone\.conv1\.weight'.*not finite"):
        weights.initialise(small("detr"), tmp_path / "x.pth")


def test_nothing_is_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIS_HOME", str(tmp_path))
    monkeypatch.setattr(download, "_transfer", lambda *_: pytest.fail("the network was used"))
    with pytest.raises(InputError, match=r"Allow the download, or fetch https://download\.pyt"):
        weights.initialise(small("detr"), "imagenet")
    with pytest.raises(InputError, match=r"huggingface\.co/timm/convnext_atto"):
        weights.initialise(small("tt_srn"), "imagenet")


def test_imagenet_weights_in_the_folder_are_used_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    monkeypatch.setenv("VIS_HOME", str(tmp_path))
    net = torchvision.models.resnet18(weights=None)
    torch.save(net.state_dict(), tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    path = tmp_path / f"resnet18-{hashlib.sha256(content).hexdigest()[:16]}.pth"
    (tmp_path / "x").rename(path)
    model = small("detr")
    weights.initialise(model, "imagenet")
    assert torch.equal(model.backbone.conv1.weight, net.conv1.weight)
    path.write_bytes(content + b" ")
    with pytest.raises(DataError, match="sha256"):
        weights.initialise(model, "imagenet")
