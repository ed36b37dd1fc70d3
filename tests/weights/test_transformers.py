"""Beside transformers, where it is installed: it loads what we write, and we what it saves."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import interpolate

import vis
from vis import models, weights
from vis.backbones.swin import SWINS, Size
from vis.layers.padding import normalize
from vis.records import Clip

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers: Any = pytest.importorskip("transformers")

SIZES = {"encoder_layers": 1, "decoder_layers": 2}
SMALL: dict[str, Any] = {
    "d_model": 128,
    "num_heads": 8,
    "instance_queries": 3,
    "ffn_dim": 8,
} | SIZES
THEIRS: dict[str, Any] = {
    "d_model": 64,
    "num_queries": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 8,
    "decoder_ffn_dim": 8,
    "num_labels": 2,
} | SIZES
TOLERANCE = 1e-4


def pixels() -> torch.Tensor:
    return torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def outputs(model: Any) -> Any:
    x = normalize(pixels(), None, torch.float32)
    with torch.inference_mode():
        return model.eval()(pixel_values=x, pixel_mask=torch.ones(1, 64, 96, dtype=torch.long))


def ours(model: Any) -> Any:
    with torch.inference_mode():
        return model(Clip(pixels()[:, None], torch.tensor([[64, 96]])))


@pytest.mark.parametrize(("masks", "backbone"), [(True, "resnet18"), (False, "resnet50_dc5")])
def test_transformers_loads_what_is_exported(tmp_path: Path, masks: bool, backbone: str):
    torch.manual_seed(0)
    model = models.build("detr", classes=2, masks=masks, backbone=backbone, **SMALL).eval()
    model.class_names = ("cat", "")
    weights.export(model, tmp_path / "out")
    kind = "DetrForSegmentation" if masks else "DetrForObjectDetection"
    loaded, report = getattr(transformers, kind).from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(report.values())
    theirs, last = outputs(loaded), ours(model).dense()
    assert torch.allclose(theirs.logits, last.layers[-1].logits.flatten(1, 2), atol=TOLERANCE)
    assert torch.allclose(theirs.pred_boxes, last.layers[-1].boxes.flatten(1, 2), atol=TOLERANCE)
    if masks:
        assert torch.allclose(theirs.pred_masks, last.masks.flatten(1, 2), atol=TOLERANCE)


@pytest.fixture(params=["resnet18", "swin_smallest"])
def mask2former(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small one of ours, of pictures."""
    monkeypatch.setitem(SWINS, "swin_smallest", Size(16, (2, 2, 2, 2), (1, 2, 2, 4), 3))
    torch.manual_seed(0)
    sizes = {"d_model": 64, "mask_width": 16, "queries": 3, "depth": 4, "num_heads": 4}
    sizes |= {"pixel_depth": 2, "pixel_ffn_dim": 8, "ffn_dim": 8, "backbone": request.param}
    model = models.build("mask2former", classes=2, task="instance", **sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model.eval()


def test_transformers_loads_a_mask2former(tmp_path: Path, mask2former: Any):
    weights.export(mask2former, tmp_path)
    loaded, report = transformers.Mask2FormerForUniversalSegmentation.from_pretrained(
        tmp_path, output_loading_info=True
    )
    # a norm that no level goes through, which published files lack, too
    report["missing_keys"] = [n for n in report["missing_keys"] if ".swin.layernorm." not in n]
    assert not any(report.values())
    theirs, last = outputs(loaded), ours(mask2former)
    every = torch.ones(1, 3, dtype=torch.bool)
    masks = last.masks().logits(every)[:, 0]
    assert torch.allclose(theirs.class_queries_logits, last.queries.logits[-1], atol=TOLERANCE)
    assert torch.allclose(theirs.masks_queries_logits[0], masks, atol=TOLERANCE)


@pytest.mark.parametrize(
    "settings",
    [{}, {"with_box_refine": True}, {"with_box_refine": True, "two_stage": True}],
    ids=["plain", "refined", "in two stages"],
)
def test_what_transformers_saves_is_loaded(tmp_path: Path, settings: dict[str, Any]):
    torch.manual_seed(0)
    backbone = transformers.TimmBackboneConfig(
        backbone="resnet18", out_indices=(2, 3, 4), features_only=True
    )
    config = transformers.DeformableDetrConfig(
        **THEIRS, **settings, two_stage_num_proposals=3, backbone_config=backbone
    )
    model = transformers.DeformableDetrForObjectDetection(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    theirs, last = outputs(model), ours(vis.load(tmp_path)).layers[-1]
    assert torch.allclose(theirs.logits, last.logits[:, 0], atol=TOLERANCE)
    assert torch.allclose(theirs.pred_boxes, last.boxes[:, 0], atol=TOLERANCE)


@pytest.mark.parametrize("names", ["modules", "published"])
@pytest.mark.skipif(not hasattr(transformers, "RfDetrConfig"), reason="transformers is older")
def test_an_rf_detr_of_other_settings_says_the_same(tmp_path: Path, names: str):
    torch.manual_seed(0)
    trunk = {"model_type": "rf_detr_dinov2", "image_size": 48, "patch_size": 12, "num_windows": 2}
    trunk |= {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 8}
    config = transformers.RfDetrConfig(
        backbone_config=trunk | {"out_indices": [2, 4, 6, 8]},
        d_model=32,
        intermediate_size=128,
        decoder_layers=2,
        decoder_ffn_dim=16,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=4,
        num_queries=5,
        group_detr=2,
        layer_norm_eps=1e-3,
        num_labels=3,
    )
    model = transformers.RfDetrForInstanceSegmentation(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path, save_original_format=names == "published")
    loaded, x = vis.load(tmp_path), torch.rand(1, 3, 48, 48)
    with torch.inference_mode():
        theirs = model(pixel_values=normalize(x, None, torch.float32))
        last = loaded(Clip(x[:, None], torch.tensor([[48, 48]]))).layers[-1]
    assert torch.allclose(theirs.logits, last.logits, atol=TOLERANCE)
    assert torch.allclose(theirs.pred_boxes, last.boxes, atol=TOLERANCE)
    assert torch.allclose(theirs.pred_masks, last.masks(), atol=TOLERANCE)


PATCHES: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "num_blocks": 3,
    "num_queries": 5,
    "num_labels": 3,
    "image_size": 64,
    "layerscale_value": 0.5,
}


@pytest.mark.parametrize("kind", ["Videomt", "Eomt"])
@pytest.mark.parametrize("size", [(64, 64), (64, 96), (160, 64)], ids=str)
def test_queries_among_patches_say_what_theirs_say(
    tmp_path: Path, kind: str, size: tuple[int, int]
):
    torch.manual_seed(0)
    theirs = getattr(transformers, f"{kind}ForUniversalSegmentation")(
        getattr(transformers, f"{kind}Config")(**PATCHES)
    ).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        if kind == "Eomt":
            # above 0, attention is masked in use, too
            theirs.attn_mask_probs.zero_()
    theirs.save_pretrained(tmp_path)
    of_size(theirs, size)
    frames = torch.rand(1, 3 if kind == "Videomt" else 1, 3, *size)
    x = normalize(frames[0], None, torch.float32)
    model = vis.load(tmp_path)
    with torch.inference_mode():
        output = theirs(pixel_values_videos=x[None]) if kind == "Videomt" else theirs(x)
        said = model(Clip(frames, torch.tensor([size])))
        masks = said.masks().logits(torch.ones(1, 5, dtype=torch.bool)).transpose(0, 1)
    last = said.layers[-1]
    assert torch.allclose(output.class_queries_logits, last.logits[0], atol=TOLERANCE)
    assert torch.allclose(output.masks_queries_logits, masks, atol=1e-3)


def of_size(theirs: Any, size: tuple[int, int]) -> None:
    """Theirs takes one size alone, so its table of positions is brought to another by hand."""
    grid, parts = [side // 16 for side in size], theirs.embeddings
    table = parts.position_embeddings.weight.detach().unflatten(0, (4, 4)).permute(2, 0, 1)[None]
    table = interpolate(table, grid, mode="bicubic", antialias=True)[0].flatten(1).T
    parts.position_embeddings = torch.nn.Embedding.from_pretrained(table)
    parts.position_ids = torch.arange(len(table))[None]
    parts.patch_embeddings.image_size, theirs.grid_size = size, tuple(grid)
