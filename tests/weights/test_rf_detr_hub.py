"""RF-DETR as a folder of transformers: what its config.json says counts, or is refused by name."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import vis
from tests.weights.test_rf_detr import SMALL, modules, original, said
from vis import models
from vis.errors import DataError
from vis.models import Model

OTHER: dict[str, Any] = SMALL | {
    "input_width": 96,
    "grid": 8,
    "windows": 4,
    "backbone_heads": 4,
    "num_heads": 2,
    "cross_heads": 4,
    "points": 4,
    "projector_eps": 1e-3,
}
"""Nothing as published, and half of it in no shape of a tensor."""
TRUNK = {
    "model_type": "rf_detr_dinov2",
    "image_size": 96,
    "patch_size": [12, 12],
    "num_windows": 4,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
    "out_indices": [1, 2, 3, 4],
    "window_block_indexes": [0],
    "num_register_tokens": 0,
}
CONFIG = {
    "model_type": "rf_detr",
    "d_model": 32,
    "intermediate_size": 128,
    "decoder_layers": 2,
    "decoder_ffn_dim": 16,
    "decoder_n_points": 4,
    "decoder_self_attention_heads": 2,
    "decoder_cross_attention_heads": 4,
    "num_queries": 3,
    "group_detr": 2,
    "layer_norm_eps": 1e-3,
}


@pytest.fixture
def made() -> Model[Any]:
    torch.manual_seed(0)
    model = models.build("rf_detr", classes=5, **OTHER).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def folder(path: Path, model: Model[Any], *, trunk: Any = None, named: bool = True, **changes: Any):
    nested = {key: value for key, value in (TRUNK | (trunk or {})).items() if value is not None}
    config = CONFIG | {"backbone_config": nested} | changes
    (path / "config.json").write_text(json.dumps(config))
    size = {"size": {"height": 48, "width": 96}}
    (path / "preprocessor_config.json").write_text(json.dumps(size))
    tensors = original(model)
    save_file(modules(tensors) if named else tensors, path / "model.safetensors")
    return path


@pytest.mark.parametrize("named", [True, False], ids=["modules", "published names"])
def test_a_config_of_other_values_gives_other_settings(
    tmp_path: Path, made: Model[Any], named: bool
):
    model = vis.load(folder(tmp_path, made, named=named))
    assert model.config == dataclasses.replace(made.config)
    for ours, expected in zip(said(model), said(made), strict=True):
        assert torch.equal(ours, expected)


def test_what_tensors_do_not_tell_is_as_it_is_stated(tmp_path: Path, made: Model[Any]):
    """And transformers' default where it is not."""
    changes = {"decoder_self_attention_heads": 4, "layer_norm_eps": 2e-3}
    model = vis.load(folder(tmp_path, made, trunk={"num_windows": 2}, **changes))
    assert (model.config.windows, model.config.num_heads) == (2, 4)
    assert model.config.projector_eps == 2e-3
    usual = vis.load(folder(tmp_path, made, trunk={"num_windows": None}))
    assert usual.config.windows == 4


@pytest.mark.parametrize(
    ("trunk", "changes", "name"),
    [
        ({}, {"mask_downsample_ratio": 8}, "mask_downsample_ratio"),
        ({}, {"c2f_num_blocks": 2}, "c2f_num_blocks"),
        ({}, {"num_feature_levels": 2}, "num_feature_levels"),
        ({}, {"decoder_activation_function": "gelu"}, "decoder_activation_function"),
        ({}, {"intermediate_size": 64}, "intermediate_size"),
        ({}, {"layer_norm_eps": "small"}, "layer_norm_eps"),
        ({}, {"num_queries": 4}, "num_queries is 4, but the tensors are of queries 3"),
        ({}, {"group_detr": 3}, "group_detr"),
        ({}, {"decoder_n_points": 2}, "decoder_n_points"),
        ({}, {"backbone_config": None}, "backbone_config is None"),
        ({}, {"model_type": "lw_detr"}, "model_type is 'lw_detr'"),
        ({"model_type": "dinov2"}, {}, r"backbone_config\.model_type"),
        ({"layer_norm_eps": 1e-5}, {}, r"backbone_config\.layer_norm_eps"),
        ({"num_register_tokens": 4}, {}, "num_register_tokens"),
        ({"image_size": [96, 48]}, {}, r"backbone_config\.image_size is \[96, 48\]"),
        ({"image_size": 48}, {}, "image_size is 48, but the tensors are of grid 8"),
        ({"patch_size": 14}, {}, "patch_size"),
        ({"hidden_size": 32}, {}, "hidden_size"),
        ({"out_indices": [1, 2, 3]}, {}, "out_indices"),
        ({"window_block_indexes": [0, 2]}, {}, "window_block_indexes"),
        ({"out_indices": None, "out_features": None}, {}, "out_indices is missing"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_refused_by_name(
    tmp_path: Path, made: Model[Any], trunk: Any, changes: Any, name: str
):
    with pytest.raises(DataError, match=name):
        vis.load(folder(tmp_path, made, trunk=trunk, **changes))
