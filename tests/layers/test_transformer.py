"""The transformer against the framework's attention and against published numbers."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from vis.layers.masks import AttentionMaps
from vis.layers.transformer import Attention, Transformer


def published(key: str) -> str:
    """Our parameter's name in the published code."""
    key = re.sub(r"^(en|de)coder\.(\d)", r"\1coder.layers.\2", key)
    key = key.replace("self_attention", "self_attn").replace("cross_attention", "multihead_attn")
    key = key.replace("feedforward.", "")
    return re.sub(r"^norm\.", "decoder.norm.", key)


def test_attention_is_the_frameworks():
    ours, usual = Attention(32, 4, 0.0), nn.MultiheadAttention(32, 4, batch_first=True)
    usual.load_state_dict(ours.state_dict())
    q, k, v = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.randn(2, 7, 32)
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 4:] = True
    expected, _ = usual(q, k, v, key_padding_mask=padding)
    found = ours(q, k, v, ~padding[:, None, None])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_published_widths_of_vistr(draw, normal):
    model = Transformer(
        384,
        num_heads=8,
        encoder_layers=6,
        decoder_layers=6,
        ffn_dim=2048,
        dropout=0.1,
        activation=functional.relu,
    )
    model = model.eval().double()
    for name, value in model.named_parameters():
        value.data = draw(f"vistr.transformer.{published(name)}", value.shape)
    queries = draw("vistr.query_embed.weight", (20, 384))
    tokens = normal(8, 1, 384, 2, 6).flatten(2).transpose(1, 2)
    positions = normal(9, 1, 384, 2, 6).flatten(2).transpose(1, 2)
    allowed = torch.ones(1, 2, 6, dtype=torch.bool)
    allowed[0, 1, 4:] = False
    with torch.no_grad():
        states, memory = model(tokens, positions, queries, allowed.flatten(1)[:, None, None])
    assert states[5][0, 3, 7].item() == pytest.approx(-1.6759627, abs=1e-5)
    assert states[0][0, 19, 383].item() == pytest.approx(0.5109054, abs=1e-5)
    assert memory[0, 11, 10].item() == pytest.approx(-0.7080617, abs=1e-5)


def test_published_transformer_and_attention_maps_of_detr(shared):
    numbers = np.load(shared / "golden" / "parts" / "detr_transformer_segm.npz")
    values = {key: torch.from_numpy(numbers[key]) for key in numbers.files}
    model = Transformer(
        32,
        num_heads=8,
        encoder_layers=2,
        decoder_layers=2,
        ffn_dim=48,
        dropout=0.1,
        activation=functional.relu,
    ).eval()
    for name, value in model.named_parameters():
        value.data = values[f"w.tr.{published(name)}"]
    allowed = ~values["in.mask"].flatten(1)
    tokens, positions = (values[f"in.{k}"].flatten(2).transpose(1, 2) for k in ("src", "pos"))
    states, memory = model(tokens, positions, values["in.query_embed"], allowed[:, None, None])
    for found, expected in zip(states, values["out.hs"], strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    memory = memory.transpose(1, 2).view_as(values["out.memory"])
    torch.testing.assert_close(memory, values["out.memory"], atol=1e-5, rtol=0)

    maps = AttentionMaps(32, 8)
    for name, value in maps.named_parameters():
        part, kind = name.split(".")
        value.data = values[f"w.attn.{part[0]}_linear.{kind}"]
    rows = torch.arange(2).repeat_interleave(5)
    found = maps(states[-1].flatten(0, 1), maps.keys(memory)[rows], ~allowed[rows])
    expected = values["out.bbox_mask"].flatten(0, 1).flatten(2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
