"""Published Deformable DETR files: names of every kind become ours, and the model says the same."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vis import models, weights
from vis.errors import DataError
from vis.models import Model
from vis.records import Clip

SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "d_model": 32,
    "queries": 6,
    "num_heads": 8,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "ffn_dim": 16,
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "of one level": {"levels": 1},
    "refined": {"refine": True},
    "in two stages": {"refine": True, "two_stage": True},
}
NAMES = (
    (r"backbone\.conv1\.weight", r"backbone.0.body.conv1.weight"),
    (r"backbone\.conv1\.norm\.(.+)", r"backbone.0.body.bn1.\1"),
    (r"backbone\.(.+)\.downsample\.0\.norm\.(.+)", r"backbone.0.body.\1.downsample.1.\2"),
    (r"backbone\.(.+)\.conv(\d)\.norm\.(.+)", r"backbone.0.body.\1.bn\2.\3"),
    (r"backbone\.(.+)", r"backbone.0.body.\1"),
    (r"entry\.convs\.(.+)", r"input_proj.\1"),
    (r"encoder\.level_embed", r"transformer.level_embed"),
    (r"queries\.embedding\.weight", r"query_embed.weight"),
    (r"queries\.reference\.(.+)", r"transformer.reference_points.\1"),
    (r"queries\.enter\.(.+)", r"transformer.enc_output.\1"),
    (r"queries\.enter_norm\.(.+)", r"transformer.enc_output_norm.\1"),
    (r"queries\.lift\.(.+)", r"transformer.pos_trans.\1"),
    (r"queries\.lift_norm\.(.+)", r"transformer.pos_trans_norm.\1"),
    (r"queries\.(class|box)_head\.(.+)", r"\1_heads.2.\2"),
    (r"(encoder)\.layers\.(\d)\.attention\.(.+)", r"transformer.\1.layers.\2.self_attn.\3"),
    (r"(encoder)\.layers\.(\d)\.(.+)", r"transformer.\1.layers.\2.\3"),
    (r"(decoder)\.(\d)\.self_attention\.(.+)", r"transformer.\1.layers.\2.self_attn.\3"),
    (r"(decoder)\.(\d)\.cross_attention\.(.+)", r"transformer.\1.layers.\2.cross_attn.\3"),
    (r"(decoder)\.(\d)\.norm1\.(.+)", r"transformer.\1.layers.\2.norm2.\3"),
    (r"(decoder)\.(\d)\.norm2\.(.+)", r"transformer.\1.layers.\2.norm1.\3"),
    (r"(decoder)\.(\d)\.(.+)", r"transformer.\1.layers.\2.\3"),
)


@pytest.fixture(params=sorted(KINDS))
def made(request: pytest.FixtureRequest) -> Model[Any]:
    """A small model of each kind, none of whose numbers is the other's."""
    torch.manual_seed(0)
    model = models.build("deformable_detr", classes=5, **(SMALL | KINDS[request.param])).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def published(model: Model[Any]) -> dict[str, Tensor]:
    """Its tensors as the published code would save them, copies included."""
    tensors: dict[str, Tensor] = {}
    for ours, tensor in model.state_dict().items():
        name = ours
        for pattern, replacement in NAMES:
            if match := re.fullmatch(pattern, ours):
                name = match.expand(replacement)
                break
        name = name.replace("feedforward.", "")
        head = re.fullmatch(r"(class|box)_heads\.(\d)\.(.+)", name)
        numbers = [name] if head is None else _heads(head, refine=model.config.refine)
        tensors |= {number: tensor.clone() for number in numbers}
    return tensors


def _heads(head: re.Match[str], *, refine: bool) -> list[str]:
    kind, number, rest = head.groups()
    if kind == "box":
        place, word = rest.split(".")
        rest = f"layers.{int(place) // 2}.{word}"
    stem = {"class": "class_embed", "box": "bbox_embed"}[kind]
    if not refine:
        return [f"{stem}.{i}.{rest}" for i in range(SMALL["decoder_layers"])]
    return [f"{stem}.{number}.{rest}", f"transformer.decoder.{stem}.{number}.{rest}"]


def test_every_kind_is_converted_and_says_the_same(made: Model[Any], tmp_path: Path):
    torch.save({"model": published(made)}, tmp_path / "theirs.pth")
    stated = {"queries": SMALL["queries"]} if made.config.two_stage else {}
    weights.convert(
        "deformable_detr", tmp_path / "theirs.pth", tmp_path / "ours.safetensors", **stated
    )
    again = weights.load(tmp_path / "ours.safetensors")
    assert again.config == made.config
    clip = Clip(torch.rand(1, 1, 3, 64, 96), torch.tensor([[50, 80]]))
    with torch.inference_mode():
        found, expected = again(clip).layers[-1], made(clip).layers[-1]
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.boxes, expected.boxes)


def test_a_name_too_many_is_refused(made: Model[Any], tmp_path: Path):
    tensors = published(made) | {"transformer.decoder.norm.weight": torch.ones(32)}
    torch.save({"model": tensors}, tmp_path / "theirs.pth")
    with pytest.raises(DataError, match=r"decoder\.norm"):
        weights.convert("deformable_detr", tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
