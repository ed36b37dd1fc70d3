"""SOTR's order of sums rounds no more than the published order of operations."""

from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu

from vis import models
from vis.layers.frozen import FrozenNormConv
from vis.layers.twin import AxialAttention, HybridTwinLayer
from vis.models.sotr import SOTR
from vis.records import Clip

LEVELS, OUTPUTS = 1.3, 2.0
"""How much further: both round by chance, most at the end. Of levels measured 0.95 to 1, and 1.4
where channels lay together; of outputs 0.5 to 1.1."""


def published_conv(conv: FrozenNormConv, x: Tensor) -> Tensor:
    """Convolution, then the norm as scale and shift, channels apart."""
    scale, shift = conv.norm.affine()
    x = conv2d(x.contiguous(), conv.weight, None, conv.stride, conv.padding)
    return x * scale[:, None, None] + shift[:, None, None]


def published_attention(attention: AxialAttention, x: Tensor) -> Tensor:
    """Heads as a batch, products by einsum, scaled after."""
    lines, length, _ = x.shape
    query, key, value = (
        part.view(lines, length, attention.num_heads, -1).transpose(1, 2).flatten(0, 1)
        for part in (attention.query(x), *attention.key_value(x).chunk(2, dim=-1))
    )
    dots = torch.einsum("bie,bje->bij", query, key) * query.shape[-1] ** -0.5
    mixed = torch.einsum("bij,bje->bie", dots.softmax(dim=-1), value)
    mixed = mixed.view(lines, attention.num_heads, length, -1).transpose(1, 2)
    return attention.out(mixed.reshape(lines, length, -1))


def published_layer(layer: HybridTwinLayer, x: Tensor) -> Tensor:
    """Every branch apart, its gate after it."""
    column, row = layer.attention_gates
    x = x + column * layer.attention.down(x) + row * layer.attention.across(x)
    branches = [
        gate * second(leaky_relu(first(x), 0.01))
        for gate, first, second in zip(layer.conv_gates, layer.first, layer.second, strict=True)
    ]
    return x + branches[0] + branches[1]


def made() -> SOTR:
    """Fresh weights of published width, with gates that let something through."""
    torch.manual_seed(0)
    model = models.build(
        "sotr", classes=3, backbone="resnet50_msra", depth=3, grids=(6, 5, 4, 3, 2)
    ).eval()
    assert isinstance(model, SOTR)
    for name, parameter in model.named_parameters():
        if "gates" in name:
            torch.nn.init.constant_(parameter, 0.3)
    return model


@torch.inference_mode()
def numbers(model: SOTR, frames: Tensor) -> list[Tensor]:
    """Four levels of the pyramid, the finest grid's mask embeddings, the mask features."""
    levels: list[Tensor] = []
    hook = model.pyramid.register_forward_hook(lambda _, __, found: levels.extend(found[:4]))
    grids = model(Clip(frames, torch.tensor([frames.shape[-2:]]))).grids
    hook.remove()
    return [*levels, grids.mask_embeddings[0], grids.mask_features]


def distances(model: SOTR, exact: list[Tensor], frames: Tensor) -> list[float]:
    """From float64, as the root of the mean square."""
    found = numbers(model, frames)
    return [(a - b).square().mean().sqrt().item() for a, b in zip(found, exact, strict=True)]


def test_sotr_is_as_close_to_float64_as_the_published_order(monkeypatch: pytest.MonkeyPatch):
    model, frames = made(), torch.rand(1, 1, 3, 96, 128)
    exact = numbers(deepcopy(model).double(), frames.double())
    ours = distances(model, exact, frames)
    monkeypatch.setattr(FrozenNormConv, "forward", published_conv)
    monkeypatch.setattr(AxialAttention, "forward", published_attention)
    monkeypatch.setattr(HybridTwinLayer, "forward", published_layer)
    published = distances(model, exact, frames)
    margins = [LEVELS] * 4 + [OUTPUTS] * 2
    rows = list(zip(ours, published, margins, strict=True))
    assert all(a <= margin * b for a, b, margin in rows), rows


@pytest.mark.parametrize("case", ["istr", "mask2former", "sotr"])
def test_channels_are_apart_where_together_they_round_more(small: SimpleNamespace, case: str):
    model, inputs = small.make(case), []
    model.backbone.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    with torch.no_grad():
        model(small.clip(model))
    assert inputs and all(x.is_contiguous() for x in inputs)
