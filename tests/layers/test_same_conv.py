"""Padding as TensorFlow has it, beside a slow and obvious reference."""

import math

import pytest
import torch
from torch import Tensor

from vis.layers.same_conv import SameConv


def reference(x: Tensor, conv: SameConv) -> Tensor:
    """Window by window: `total` rows of zeros are added, the smaller half of them above."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    height, width = x.shape[-2:]
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    above, before = (
        max((count - 1) * stride + kernel - side, 0) // 2
        for count, side in ((rows, height), (columns, width))
    )
    whole = x.new_zeros(*x.shape[:2], height + 4 * kernel, width + 4 * kernel)
    whole[..., above : above + height, before : before + width] = x
    found = x.new_zeros(len(x), conv.out_channels, rows, columns)
    for row in range(rows):
        for column in range(columns):
            y, z = row * stride, column * stride
            window = whole[..., y : y + kernel, z : z + kernel]
            if conv.groups == 1:
                value = torch.einsum("mcyx,dcyx->md", window, conv.weight)
            else:
                value = torch.einsum("mcyx,cyx->mc", window, conv.weight[:, 0])
            found[..., row, column] = value + conv.bias
    return found


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "depthwise"), [(1, False), (3, False), (3, True), (5, True)])
def test_it_is_the_reference_on_even_and_odd_sides(kernel: int, stride: int, depthwise: bool):
    torch.manual_seed(0)
    out = 4 if depthwise else 6
    conv = SameConv(4, out, kernel, stride=stride, depthwise=depthwise, active=False).double()
    torch.nn.init.normal_(conv.bias)
    for height, width in ((6, 6), (7, 7), (6, 7), (7, 6), (2, 1), (1, 1), (9, 2)):
        x = torch.randn(2, 4, height, width, dtype=torch.float64)
        with torch.no_grad():
            found = conv(x)
            assert found.shape[-2:] == (math.ceil(height / stride), math.ceil(width / stride))
            torch.testing.assert_close(found, reference(x, conv))


def test_it_ends_with_relu6():
    conv = SameConv(1, 1)
    with torch.no_grad():
        conv.weight.fill_(1)
        found = conv(torch.tensor([-3.0, 0.5, 5.0, 100.0]).reshape(1, 1, 1, 4))
        conv.active = False
        assert conv(torch.full((1, 1, 1, 1), -3.0)).item() == -3
    assert found.flatten().tolist() == [0, 0.5, 5, 6]


def test_what_comes_in_is_left_alone():
    x = torch.randn(1, 2, 5, 5)
    before = x.clone()
    SameConv(2, 2, 3, stride=2)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("active", "expected"), [(True, 2), (False, 1)])
def test_fresh_weights_keep_the_mean_square(depthwise: bool, active: bool, expected: float):
    """Before ReLU6 it is twice as much, as half of that will be left."""
    torch.manual_seed(0)
    conv = SameConv(64, 64, 3, depthwise=depthwise, active=active)
    conv.active = False
    x = torch.randn(4, 64, 16, 16).relu() * 2**0.5
    assert 0.6 < conv(x).square().mean().item() / expected < 1.6
