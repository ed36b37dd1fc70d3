"""Heads: how sine layers start and what they compute."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from vis.layers.prediction_heads import SineLayer, mlp, siren_head


def head(**settings: object) -> nn.Sequential:
    given = {
        "hidden_dim": 128,
        "sines": 2,
        "omega_0": 1.0,
        "dropout": 0.2,
        "first_layer_init": False,
    } | settings
    return siren_head(384, 4, **given)


@pytest.mark.parametrize(
    ("settings", "bounds"),
    [
        ({}, [math.sqrt(6 / 384), math.sqrt(6 / 128)]),
        ({"omega_0": 30.0}, [math.sqrt(6 / 384) / 30, math.sqrt(6 / 128) / 30]),
        ({"omega_0": 30.0, "first_layer_init": True}, [1 / 384, math.sqrt(6 / 128) / 30]),
    ],
)
def test_sine_layers_start_uniform_within_their_bound(settings: dict, bounds: list[float]):
    sines = [layer for layer in head(**settings) if isinstance(layer, SineLayer)]
    assert len(sines) == len(bounds)
    for layer, bound in zip(sines, bounds, strict=True):
        for values in (layer.weight, layer.bias):
            assert values.abs().max() <= bound
        deviation = layer.weight.std().item()
        assert deviation == pytest.approx(bound / math.sqrt(3), rel=0.03)
        assert layer.bias.abs().max() > bound / 2


def test_the_published_bounds():
    first, second = (layer for layer in head() if isinstance(layer, SineLayer))
    assert first.weight.abs().max().item() == pytest.approx(0.125, abs=1e-4)
    assert second.weight.abs().max().item() == pytest.approx(0.2165, abs=1e-4)


def test_a_siren_head_is_its_formula():
    layers = head(omega_0=3.0).eval().double()
    x = torch.randn(5, 384, dtype=torch.float64)
    w = {k: v.detach().numpy() for k, v in layers.state_dict().items()}
    y = x.numpy()
    for i in (0, 2):
        y = np.sin(3.0 * (y @ w[f"{i}.weight"].T + w[f"{i}.bias"]))
    y = y @ w["4.weight"].T + w["4.bias"]
    y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
    y = y @ w["6.weight"].T + w["6.bias"]
    np.testing.assert_allclose(layers(x).detach().numpy(), y, atol=1e-12)


def test_widths_halve_from_layer_to_layer():
    widths = [layer.out_features for layer in head() if isinstance(layer, nn.Linear)]
    assert widths == [128, 64, 32, 4]
    widths = [layer.out_features for layer in head(sines=1) if isinstance(layer, nn.Linear)]
    assert widths == [128, 64, 4]


def test_a_head_that_ended_in_gelu_could_not_make_small_boxes():
    outputs = torch.nn.functional.gelu(torch.linspace(-9, 9, 10_001)).sigmoid()
    assert outputs.min().item() == pytest.approx(0.457, abs=1e-3)


def test_published_linear_heads(draw, normal):
    classes, boxes = nn.Linear(384, 42).double(), mlp(384, 4).double()
    prefix = "vistr."
    for name, value in classes.named_parameters():
        value.data = draw(f"{prefix}class_embed.{name}", value.shape)
    for name, value in boxes.named_parameters():
        index, kind = name.split(".")
        value.data = draw(f"{prefix}bbox_embed.layers.{int(index) // 2}.{kind}", value.shape)
    x = normal(7, 2, 10, 384)
    assert classes(x).mean().item() == pytest.approx(0.01762317, abs=1e-5)
    assert boxes(x).sigmoid().mean().item() == pytest.approx(0.47629355, abs=1e-5)
