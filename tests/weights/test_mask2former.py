"""Published Mask2Former checkpoints: names, shapes, and pickles of detectron2 that run nothing."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vis import models, weights
from vis.backbones.swin import SWINS
from vis.errors import DataError
from vis.records import Clip
from vis.weights import converters
from vis.weights.agreement import check
from vis.weights.rename import first_of, rename

SMALL = {
    "backbone": "resnet18",
    "d_model": 32,
    "mask_width": 16,
    "queries": 5,
    "pixel_depth": 1,
    "pixel_ffn_dim": 24,
    "depth": 2,
    "ffn_dim": 40,
}
FAMILY = converters.get("mask2former_video")
HEAD, PREDICTOR = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
PUBLISHED = (
    (r"backbone\.conv1\.(.+)", r"backbone.stem.conv1.\1"),
    (r"backbone\.layer(\d)\.0\.downsample\.0\.(.+)", r"backbone.res\1.0.shortcut.\2"),
    (r"backbone\.layer(\d)\.(.+)", r"backbone.res\1.\2"),
    (r"pixel_decoder\.inputs\.(.+)", rf"{HEAD}input_proj.\1"),
    (r"pixel_decoder\.level_embed", rf"{HEAD}transformer.level_embed"),
    (
        r"pixel_decoder\.layers\.(\d)\.attention\.(.+)",
        rf"{HEAD}transformer.encoder.layers.\1.self_attn.\2",
    ),
    (
        r"pixel_decoder\.layers\.(\d)\.(?:feedforward\.)?(.+)",
        rf"{HEAD}transformer.encoder.layers.\1.\2",
    ),
    (r"pixel_decoder\.mask_feature\.(.+)", rf"{HEAD}mask_features.\1"),
    (r"pixel_decoder\.lateral\.0\.(.+)", rf"{HEAD}adapter_1.\1"),
    (r"pixel_decoder\.lateral\.1\.(.+)", rf"{HEAD}adapter_1.norm.\1"),
    (r"pixel_decoder\.fuse\.0\.(.+)", rf"{HEAD}layer_1.\1"),
    (r"pixel_decoder\.fuse\.1\.(.+)", rf"{HEAD}layer_1.norm.\1"),
    (
        r"decoder\.layers\.(\d)\.(cross)_attention\.(.+)",
        rf"{PREDICTOR}transformer_cross_attention_layers.\1.multihead_attn.\3",
    ),
    (
        r"decoder\.layers\.(\d)\.(self)_attention\.(.+)",
        rf"{PREDICTOR}transformer_self_attention_layers.\1.self_attn.\3",
    ),
    (
        r"decoder\.layers\.(\d)\.feedforward\.(.+)",
        rf"{PREDICTOR}transformer_ffn_layers.\1.\2",
    ),
    (
        r"decoder\.layers\.(\d)\.norm1\.(.+)",
        rf"{PREDICTOR}transformer_cross_attention_layers.\1.norm.\2",
    ),
    (
        r"decoder\.layers\.(\d)\.norm2\.(.+)",
        rf"{PREDICTOR}transformer_self_attention_layers.\1.norm.\2",
    ),
    (r"decoder\.layers\.(\d)\.norm3\.(.+)", rf"{PREDICTOR}transformer_ffn_layers.\1.norm.\2"),
    (r"decoder\.norm\.(.+)", rf"{PREDICTOR}decoder_norm.\1"),
    (r"decoder\.content\.weight", rf"{PREDICTOR}static_query.weight"),
    (r"decoder\.query_positions\.weight", rf"{PREDICTOR}query_embed.weight"),
    (r"decoder\.level_embed\.weight", rf"{PREDICTOR}level_embed.weight"),
    (r"decoder\.mask_head\.0\.(.+)", rf"{PREDICTOR}mask_embed.layers.0.\1"),
    (r"decoder\.mask_head\.2\.(.+)", rf"{PREDICTOR}mask_embed.layers.1.\1"),
    (r"decoder\.mask_head\.4\.(.+)", rf"{PREDICTOR}mask_embed.layers.2.\1"),
    (r"class_head\.(.+)", rf"{PREDICTOR}class_embed.\1"),
)


def published_name(name: str) -> str:
    found = first_of(PUBLISHED, name)
    assert found is not None, name
    return re.sub(r"res(\d)", lambda m: f"res{int(m[1]) + 1}", found)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return models.build("mask2former", classes=3, **SMALL).eval()


@pytest.fixture
def checkpoint(model: Any) -> dict[str, Any]:
    """As detectron2 writes it."""
    state = {published_name(name): value.numpy() for name, value in model.state_dict().items()}
    state["criterion.empty_weight"] = np.ones(4, np.float32)
    return {"model": state, "__author__": "somebody", "matching_heuristics": True}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(content: object, protocol: int = 2) -> Path:
        path = tmp_path / "model_final.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return written


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_of_arrays_becomes_the_same_model(
    model: Any,
    checkpoint: dict[str, Any],
    write: Callable[..., Path],
    tmp_path: Path,
    protocol: int,
) -> None:
    card, dropped = weights.convert(
        "mask2former_video", write(checkpoint, protocol), tmp_path / "ours.safetensors"
    )
    assert card.model == "mask2former" and card.settings == SMALL | {"task": "video"}
    assert [name for name, _ in dropped] == ["criterion.empty_weight"]
    clip = Clip(torch.rand(1, 2, 3, 32, 64), torch.tensor([[32, 64]]))
    with torch.inference_mode():
        expected = model(clip).queries
        found = weights.load(tmp_path / "ours.safetensors")(clip).queries
    assert torch.equal(found.logits[-1], expected.logits[-1])
    assert torch.equal(found.mask_features, expected.mask_features)


def test_a_pickle_that_would_run_something_is_refused(
    checkpoint: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    proof = tmp_path / "proof"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {proof}",)

    for content in (Evil(), checkpoint | {"__author__": Evil()}, {"model": {"x": Evil()}}):
        with pytest.raises(DataError, match="system"):
            weights.convert("mask2former_video", write(content), tmp_path / "ours.safetensors")
    assert not proof.exists() and not (tmp_path / "ours.safetensors").exists()


def test_no_part_is_lost_in_silence(
    checkpoint: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    """The published hook doubles a word in some files and then loads no pixel decoder at all."""
    state = checkpoint["model"]
    without = {name: value for name, value in state.items() if "adapter_1" not in name}
    with pytest.raises(DataError, match=r"pixel_decoder\.lateral"):
        weights.convert("mask2former_video", write({"model": without}), tmp_path / "ours")
    strange = state | {"sem_seg_head.pixel_decoder.adapter_9.weight": np.ones(2, np.float32)}
    with pytest.raises(DataError, match="adapter_9"):
        weights.convert("mask2former_video", write({"model": strange}), tmp_path / "ours")


@pytest.mark.parametrize(
    "name",
    [
        "sem_seg_head.pixel_decoder.mask_features.weight",
        "sem_seg_head.pixel_decoder.pixel_decoder.mask_features.weight",
        "sem_seg_head.mask_features.weight",
        "module.model.sem_seg_head.pixel_decoder.mask_features.weight",
    ],
)
def test_all_spellings_of_a_name_are_one(name: str) -> None:
    assert first_of(FAMILY.renames, name) == "pixel_decoder.mask_feature.weight"


@pytest.mark.parametrize("word", ["query_feat", "static_query"])
def test_both_words_for_the_learned_content(word: str) -> None:
    name = f"sem_seg_head.predictor.{word}.weight"
    assert first_of(FAMILY.renames, name) == "decoder.content.weight"


@pytest.mark.parametrize("case", ["mask2former_video_r50", "mask2former_coco_r50"])
def test_every_published_name_and_shape_is_met(shared: Path, case: str) -> None:
    rows = json.loads((shared / "golden" / f"{case}.json").read_text())["state_dict"]
    family = converters.get("mask2former_video" if "video" in case else "mask2former")
    tensors = {name: torch.empty(shape, device="meta") for name, shape, _ in rows}
    ours, dropped = rename(tensors, family)
    assert [name for name, _ in dropped] == ["criterion.empty_weight"]
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.items()}
    settings = family.settings(shapes, {})
    check(shapes, shapes_of(settings))
    assert settings["task"] == ("video" if "video" in case else "instance")


@pytest.mark.parametrize(
    ("backbone", "queries", "entries", "numbers"),
    [
        ("resnet50", 100, 558, 44_066_258),
        ("resnet101", 100, 813, 63_110_610),
        ("swin_tiny", 100, 482, 47_440_216),
        ("swin_large", 200, 650, 216_009_414),
    ],
)
def test_the_published_models_are_as_large(
    backbone: str, queries: int, entries: int, numbers: int
) -> None:
    shapes = shapes_of({"classes": 40, "backbone": backbone, "queries": queries})
    left_out = [41]  # weights of the loss
    if backbone in SWINS:
        size = SWINS[backbone]
        left_out += [size.window**4] * sum(size.depths)
    assert len(shapes) + len(left_out) == entries
    assert sum(np.prod(shape) for shape in shapes.values()) + sum(left_out) == numbers
    assert FAMILY.settings(shapes, {})["backbone"] == backbone


@pytest.mark.parametrize(
    ("classes", "task"), [(80, "instance"), (133, "panoptic"), (150, "semantic"), (7, "instance")]
)
def test_the_number_of_classes_tells_the_task(classes: int, task: str) -> None:
    family = converters.get("mask2former")
    shapes = shapes_of({"classes": classes, **SMALL})
    assert family.settings(shapes, {})["task"] == task
    assert len(family.class_names(classes)) == classes


def shapes_of(settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = models.build("mask2former", **settings).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}
