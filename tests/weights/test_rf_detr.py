"""Published RF-DETR files: both kinds of names become ours, and what is something else is refused.

The lists of names of all published sizes lie beside the golden cases.
"""

import argparse
import dataclasses
import hashlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights.server import Server
from vis import models, weights
from vis.errors import DataError, InputError
from vis.models import Model
from vis.records import Clip
from vis.weights import catalogue, converters, get
from vis.weights.classes import COCO
from vis.weights.convert import fitting, shapes_of
from vis.weights.digest import digest
from vis.weights.files import ModelMetadata
from vis.weights.inspection import inspect
from vis.weights.rename import rename

SMALL: dict[str, Any] = {
    "input_height": 48,
    "input_width": 48,
    "grid": 4,
    "windows": 2,
    "backbone_width": 64,
    "backbone_depth": 4,
    "backbone_heads": 1,
    "d_model": 32,
    "queries": 3,
    "groups": 2,
    "num_heads": 1,
    "decoder_layers": 2,
    "ffn_dim": 16,
}
BLOCK, LAYER = "backbone.0.encoder.encoder.encoder.layer", "transformer.decoder.layers"
STAGE, HEAD = "backbone.0.projector.stages.0", "segmentation_head"
ORIGINAL = (
    (r"backbone\.cls_token", "backbone.0.encoder.encoder.embeddings.cls_token"),
    (r"backbone\.positions", "backbone.0.encoder.encoder.embeddings.position_embeddings"),
    (
        r"backbone\.patch\.(.+)",
        r"backbone.0.encoder.encoder.embeddings.patch_embeddings.projection.\1",
    ),
    (r"backbone\.norm\.(.+)", r"backbone.0.encoder.encoder.layernorm.\1"),
    (
        r"backbone\.blocks\.(\d)\.attn\.(query|key|value)(.+)",
        rf"{BLOCK}.\1.attention.attention.\2\3",
    ),
    (r"backbone\.blocks\.(\d)\.attn\.proj\.(.+)", rf"{BLOCK}.\1.attention.output.dense.\2"),
    (r"backbone\.blocks\.(\d)\.ls(\d)\.gamma", rf"{BLOCK}.\1.layer_scale\2.lambda1"),
    (r"backbone\.blocks\.(.+)", rf"{BLOCK}.\1"),
    (r"projector\.norm\.(.+)", rf"{STAGE}.1.\1"),
    (r"projector\.bottlenecks\.(\d)\.0\.(.+)", rf"{STAGE}.0.m.\1.cv1.\2"),
    (r"projector\.bottlenecks\.(\d)\.1\.(.+)", rf"{STAGE}.0.m.\1.cv2.\2"),
    (r"projector\.enter\.(.+)", rf"{STAGE}.0.cv1.\1"),
    (r"projector\.mix\.(.+)", rf"{STAGE}.0.cv2.\1"),
    (r"queries\.steps", "refpoint_embed.weight"),
    (r"queries\.state", "query_feat.weight"),
    (r"queries\.place\.0\.(.+)", r"transformer.decoder.ref_point_head.layers.0.\1"),
    (r"queries\.place\.2\.(.+)", r"transformer.decoder.ref_point_head.layers.1.\1"),
    (r"queries\.groups\.(\d)\.enter\.(.+)", r"transformer.enc_output.\1.\2"),
    (r"queries\.groups\.(\d)\.enter_norm\.(.+)", r"transformer.enc_output_norm.\1.\2"),
    (r"queries\.groups\.(\d)\.class_head\.(.+)", r"transformer.enc_out_class_embed.\1.\2"),
    (r"queries\.groups\.(\d)\.box_head\.(.+)", r"transformer.enc_out_bbox_embed.\1.layers.\2"),
    (r"decoder_norm\.(.+)", r"transformer.decoder.norm.\1"),
    (r"decoder\.(\d)\.self_attention\.(.+)", rf"{LAYER}.\1.self_attn.\2"),
    (r"decoder\.(\d)\.cross_attention\.(.+)", rf"{LAYER}.\1.cross_attn.\2"),
    (r"decoder\.(\d)\.feedforward\.(.+)", rf"{LAYER}.\1.\2"),
    (r"decoder\.(\d)\.(norm.+)", rf"{LAYER}.\1.\2"),
    (r"class_head\.(.+)", r"class_embed.\1"),
    (r"box_head\.(.+)", r"bbox_embed.layers.\1"),
    (r"mask_head\.bias", f"{HEAD}.bias"),
    (r"mask_head\.blocks\.(\d)\.conv\.(.+)", rf"{HEAD}.blocks.\1.dwconv.\2"),
    (r"mask_head\.blocks\.(\d)\.mix\.(.+)", rf"{HEAD}.blocks.\1.pwconv1.\2"),
    (r"mask_head\.cells\.(.+)", rf"{HEAD}.spatial_features_proj.\1"),
    (r"mask_head\.queries\.(.+)", rf"{HEAD}.query_features_proj.\1"),
    (r"mask_head\.lift\.norm\.(.+)", rf"{HEAD}.query_features_block.norm_in.\1"),
    (r"mask_head\.lift\.linear1\.(.+)", rf"{HEAD}.query_features_block.layers.0.\1"),
    (r"mask_head\.lift\.linear2\.(.+)", rf"{HEAD}.query_features_block.layers.2.\1"),
    (r"mask_head\.(.+)", rf"{HEAD}.\1"),
)
"""Ours -> the published name."""
MODULES = (
    (r"backbone\.0\.encoder\.encoder\.(.+)", r"backbone.backbone.\1"),
    (r"backbone\.0\.projector\.stages\.0\.0\.(.+)", r"backbone.projector.projector_layer.\1"),
    (r"backbone\.0\.projector\.stages\.0\.1\.(.+)", r"backbone.projector.layer_norm.\1"),
    (r"refpoint_embed\.weight", r"reference_point_embed.weight"),
    (r"transformer\.(.+)", r"\1"),
)
PARTS = (
    (".attention.attention.query.", ".attention.q_proj."),
    (".attention.attention.key.", ".attention.k_proj."),
    (".attention.attention.value.", ".attention.v_proj."),
    (".attention.output.dense.", ".attention.o_proj."),
    ("projector_layer.m.", "projector_layer.bottlenecks."),
    (".cv1.", ".conv1."),
    (".cv2.", ".conv2."),
    (".bn.", ".norm."),
    (".self_attn.out_proj.", ".self_attn.o_proj."),
    (".linear1.", ".mlp.fc1."),
    (".linear2.", ".mlp.fc2."),
    ("decoder.norm.", "decoder.layernorm."),
)
HEAD_PARTS = (
    ("query_features_block.norm_in", "query_features_block.norm"),
    ("query_features_block.layers.0", "query_features_block.mlp.fc1"),
    ("query_features_block.layers.2", "query_features_block.mlp.fc2"),
    ("dwconv", "depthwise_conv"),
    ("pwconv1", "pointwise_conv"),
    (".norm.", ".layernorm."),
)
NORMS = {"norm1": "self_attn_layer_norm", "norm2": "cross_attn_layer_norm", "norm3": "layer_norm"}


@pytest.fixture
def made() -> Model[Any]:
    """A small model, none of whose numbers is the other's."""
    torch.manual_seed(0)
    model = models.build("rf_detr", classes=5, **SMALL).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def original(model: Model[Any]) -> dict[str, Tensor]:
    """Its tensors as the published code would save them."""
    tensors: dict[str, Tensor] = {}
    for ours, tensor in model.state_dict().items():
        parts = {ours: tensor}
        if ".attn.qkv." in ours:
            words = ("query", "key", "value")
            parts = {
                ours.replace("qkv", word): part
                for word, part in zip(words, tensor.chunk(3), strict=True)
            }
        tensors |= {_renamed(name, ORIGINAL): part.clone() for name, part in parts.items()}
    tensors = {_layers_counted(name): tensor for name, tensor in tensors.items()}
    mask_token = "backbone.0.encoder.encoder.embeddings.mask_token"
    return tensors | {mask_token: torch.zeros(1, SMALL["backbone_width"])}


def _renamed(name: str, rows: Any) -> str:
    for pattern, replacement in rows:
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    raise AssertionError(name)


def _layers_counted(name: str) -> str:
    """Box heads count layers where ours count ReLUs too; the projector's norms are `bn`."""
    head = re.fullmatch(r"(.*bbox_embed.*\.layers\.)(\d)(\..+)", name)
    if head is not None:
        return f"{head[1]}{int(head[2]) // 2}{head[3]}"
    return re.sub(r"(cv\d)\.norm\.", r"\1.bn.", name)


def modules(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same by the names of transformers' modules."""
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith(HEAD):
            new = name.removeprefix(f"{HEAD}.")
            for old, word in HEAD_PARTS[: 5 if "query_features" in new else 6]:
                new = new.replace(old, word)
            ours["segmentation_bias" if new == "bias" else new] = tensor
        elif name.startswith(("class_embed", "bbox_embed")):
            ours[f"model.{name}"] = tensor
        elif "in_proj" in name:
            for word, part in zip("qkv", tensor.chunk(3), strict=True):
                new = name.replace("in_proj_", f"{word}_proj.").removeprefix("transformer.")
                ours[f"model.model.{new}"] = part.clone()
        else:
            ours[f"model.model.{_module(name)}"] = tensor
    return ours


def _module(name: str) -> str:
    rows = [row for row in MODULES if re.fullmatch(row[0], name)]
    new = _renamed(name, rows) if rows else name
    for old, word in PARTS:
        new = new.replace(old, word)
    layer = re.fullmatch(r"(decoder\.layers\.\d)\.(norm\d)\.(.+)", new)
    return new if layer is None else f"{layer[1]}.{NORMS[layer[2]]}.{layer[3]}"


def said(model: Model[Any]) -> list[Tensor]:
    clip = Clip(torch.rand(1, 1, 3, 48, 48, generator=torch.Generator().manual_seed(1)),
                torch.tensor([[48, 48]]))  # fmt: skip
    with torch.inference_mode():
        output = model(clip)
    return [output.layers[-1].logits, output.layers[-1].boxes, output.layers[-1].masks()]


FORMS = {
    "published": lambda x: {"model": x, "args": argparse.Namespace(num_windows=2, lr=1e-4)},
    "of namespaces": lambda x: {"model": x, "args": SimpleNamespace(class_names=["a"])},
    "of Lightning": lambda x: {
        "state_dict": {f"model.{name}": tensor for name, tensor in x.items()},
        "hyper_parameters": {"num_windows": 2},
    },
    "compiled": lambda x: {
        "state_dict": {f"model._orig_mod.{name}": tensor for name, tensor in x.items()}
    },
    "newer": lambda x: {"model": x | {"_kp_active_mask": torch.zeros(0, 0, dtype=torch.bool)}},
    "modules": modules,
    "plain": dict,
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_converted_and_says_the_same(form: str, made: Model[Any], tmp_path: Path):
    tensors, path = FORMS[form](original(made)), tmp_path / "theirs"
    if form in ("modules", "plain"):
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    assert inspect(path).family == "rf_detr"
    weights.convert("rf_detr", path, tmp_path / "ours.safetensors")
    again = weights.load(tmp_path / "ours.safetensors")
    assert again.config == made.config
    for ours, expected in zip(said(again), said(made), strict=True):
        assert torch.equal(ours, expected)


def test_windows_that_are_stated_count_and_else_the_file_then_the_grid(
    made: Model[Any], tmp_path: Path
):
    source, ours = tmp_path / "theirs.pth", tmp_path / "ours.safetensors"
    torch.save({"model": original(made), "args": argparse.Namespace(num_windows=1)}, source)
    weights.convert("rf_detr", source, ours)
    assert weights.load(ours).config.windows == 1
    weights.convert("rf_detr", source, ours, windows=2, overwrite=True)
    assert weights.load(ours).config.windows == 2
    # Nothing but the grid tells a Nano from the others.
    shapes = shapes_of(made.state_dict())
    for grid, windows in ((26, 1), (27, 1), (32, 2)):
        positions = {"backbone.positions": (1, 1 + grid**2, 64)}
        settings = converters.get("rf_detr").settings(shapes | positions, {})
        assert settings["windows"] == windows and settings["input_width"] == 12 * grid


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("backbone.0.encoder.base_model.model.encoder.layernorm.weight", "LoRA"),
        ("transformer.keypoint_embed.weight", "key points"),
        ("cross_attn_projector.weight", "key points"),
        ("transformer.decoder.bbox_embed.layers.0.weight", "references move"),
        ("backbone.1.weight", "not of this family"),
    ],
)
def test_other_models_are_refused(name: str, reason: str, made: Model[Any], tmp_path: Path):
    torch.save({"model": original(made) | {name: torch.ones(1)}}, tmp_path / "theirs.pth")
    with pytest.raises(DataError, match=reason):
        weights.convert("rf_detr", tmp_path / "theirs.pth", tmp_path / "ours.safetensors")


def test_it_is_never_taken_for_detr_nor_detr_for_it(made: Model[Any], tmp_path: Path):
    torch.save({"model": original(made)}, tmp_path / "theirs.pth")
    for family in ("detr", "deformable_detr"):
        with pytest.raises(DataError, match="not of this family"):
            weights.convert(family, tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    detr = {"class_embed.weight": torch.ones(92, 4), "bbox_embed.layers.0.bias": torch.ones(4)}
    detr |= {"transformer.encoder.layers.0.norm1.weight": torch.ones(4)}
    torch.save({"model": detr}, tmp_path / "detr.pth")
    assert inspect(tmp_path / "detr.pth").family == "detr"
    with pytest.raises(DataError, match="not of this family"):
        weights.convert("rf_detr", tmp_path / "detr.pth", tmp_path / "ours.safetensors")


def test_every_published_size_is_one_of_the_catalogue(shared: Path):
    names = {entry.name for entry in catalogue.entries() if entry.family == "rf_detr"}
    assert len(names) == 7
    keys = shared / "golden" / "keys"
    family = converters.get("rf_detr")
    for name in (*sorted(names), "rfdetr_seg_large_q200"):
        ours, dropped = rename(_listed(keys / f"{name}_keys.tsv"), family)
        assert [reason for _, reason in dropped] == [family.dropped[0][1]]
        shapes = shapes_of(ours)
        settings = family.settings(shapes, {})
        settings.pop("classes")
        fitting(ModelMetadata("rf_detr", settings, COCO), shapes)
        if name.endswith("q200"):
            assert settings["queries"] == 200  # as the file says, whatever the catalogue does
            continue
        entry = catalogue.entry(name)
        assert all(settings[key] == value for key, value in entry.settings.items())
        assert sum(tensor.numel() for tensor in ours.values()) == entry.numbers
        modules = keys / f"{name}_hf_keys.tsv"
        # The first model was never published by transformers.
        assert modules.is_file() or name == "rfdetr_seg_preview"
        if modules.is_file():
            assert shapes_of(rename(_listed(modules), family)[0]) == shapes


def _listed(path: Path) -> dict[str, Tensor]:
    """Tensors without numbers of a list of names and shapes."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    with torch.device("meta"):
        return {
            key: torch.empty([int(n) for n in re.findall(r"\d+", shape)]) for key, shape in rows
        }


def test_it_is_fetched_checked_and_converted_by_name(
    server: Server, folder: Path, made: Model[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(InputError, match="vis weights get rfdetr_seg_nano"):
        weights.load("rfdetr_seg_nano")
    torch.save({"model": original(made)}, tmp_path / "theirs.pth")
    server.content = (tmp_path / "theirs.pth").read_bytes()
    published = catalogue.entry("rfdetr_seg_nano")
    assert published.digest is not None and published.digest.kind == "md5"
    md5 = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    served = _at(published, f"{server.address}/rf-detr-seg-n-ft.pth", md5)
    monkeypatch.setattr(sys.modules["vis.weights.get"], "entry", lambda _: served)
    assert get("rfdetr_seg_nano", accepted=True).parent == folder
    assert weights.load("rfdetr_seg_nano").config.windows == 2
    (folder / "rfdetr_seg_nano.safetensors").unlink()
    monkeypatch.setattr(
        sys.modules["vis.weights.get"], "entry", lambda _: _at(published, served.address, "0" * 32)
    )
    with pytest.raises(DataError, match="md5 begins with"):
        get("rfdetr_seg_nano", accepted=True)


def _at(entry: catalogue.Entry, address: str, md5: str) -> catalogue.Entry:
    return dataclasses.replace(entry, address=address, digest=digest(f"md5:{md5}"))
