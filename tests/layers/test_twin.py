"""The twin transformer: identity to begin with, fused as apart, a seam where it is doubled."""

import torch
from torch import nn
from torch.nn.functional import leaky_relu

from vis.layers.twin import AxialAttention, HybridTwinLayer, PureTwinLayer, TwinTransformer


def awake(layer: nn.Module) -> nn.Module:
    """The same with gates that let something through."""
    for name, parameter in layer.named_parameters():
        if "gates" in name:
            nn.init.constant_(parameter, 0.3)
    return layer


def test_with_gates_at_zero_it_is_the_identity():
    net = TwinTransformer([HybridTwinLayer(8, 2) for _ in range(2)], doubled=True)
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(net(x), x)


def test_the_branches_in_one_pass_are_the_branches_apart():
    torch.manual_seed(0)
    layer = awake(HybridTwinLayer(8, 2)).double()
    x = torch.randn(2, 8, 5, 7, dtype=torch.float64)
    column, row = layer.attention_gates
    seen = x + column * layer.attention.down(x) + row * layer.attention.across(x)
    apart = seen
    for gate, first, second in zip(layer.conv_gates, layer.first, layer.second, strict=True):
        apart = apart + gate * second(leaky_relu(first(seen), 0.01))
    torch.testing.assert_close(layer(x), apart, atol=1e-12, rtol=0)


def test_attention_along_an_axis_mixes_nothing_across_it():
    torch.manual_seed(0)
    layer = awake(HybridTwinLayer(8, 2))
    x = torch.randn(1, 8, 5, 7)
    other = x.clone()
    other[:, :, 2, 3] += 1
    down = (layer.attention.down(x) != layer.attention.down(other)).any(dim=1)[0]
    across = (layer.attention.across(x) != layer.attention.across(other)).any(dim=1)[0]
    assert down[:, 3].all() and down.sum() == 5
    assert across[2].all() and across.sum() == 7


def test_doubling_changes_what_lies_at_the_edge_most():
    torch.manual_seed(0)
    layers = [awake(HybridTwinLayer(8, 2)) for _ in range(2)]
    x = torch.randn(1, 8, 6, 20)
    once, twice = (TwinTransformer(layers, doubled=doubled)(x) for doubled in (False, True))
    change = (once - twice).abs().mean(dim=(0, 1, 2))
    assert change[0] + change[-1] > 3 * (change[9] + change[10])


def test_attention_is_the_plain_formula():
    torch.manual_seed(0)
    attention = AxialAttention(8, 2).double()
    x = torch.randn(3, 4, 8, dtype=torch.float64)
    key, value = attention.key_value(x).chunk(2, dim=-1)
    parts = []
    for head in (slice(0, 4), slice(4, 8)):
        shares = (attention.query(x)[..., head] @ key[..., head].mT / 2).softmax(dim=-1)
        parts.append(shares @ value[..., head])
    torch.testing.assert_close(attention(x), attention.out(torch.cat(parts, dim=-1)))


def test_the_pure_layer_keeps_the_shape_and_learns_everywhere():
    layer = PureTwinLayer(8, 2)
    x = torch.randn(2, 8, 5, 7)
    layer(x).square().sum().backward()
    assert layer(x).shape == x.shape
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
