"""Deformable convolution: the lookup against torchvision, and both against plain convolution."""

import pytest
import torch
from torch.nn.functional import conv2d
from torchvision.ops import deform_conv2d

from vis.layers.deformable import DeformableConv, deform_by_lookup


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("reach", [0.3, 2.0, 40.0])
def test_the_lookup_is_torchvisions(reach: float, memory: torch.memory_format):
    x = torch.randn(3, 6, 7, 9, dtype=torch.float64).to(memory_format=memory)
    offsets = (reach * torch.randn(3, 18, 7, 9, dtype=torch.float64)).to(memory_format=memory)
    weight = torch.randn(4, 6, 3, 3, dtype=torch.float64)
    expected = deform_conv2d(x, offsets, weight, padding=1)
    torch.testing.assert_close(deform_by_lookup(x, offsets, weight), expected)


def test_the_lookup_agrees_on_the_border():
    x = torch.randn(1, 2, 4, 5)
    weight = torch.randn(3, 2, 3, 3)
    for shift in (-2.0, -1.0, -0.5, 1.0, 3.0, 4.0):
        offsets = torch.full((1, 18, 4, 5), shift)
        expected = deform_conv2d(x, offsets, weight, padding=1)
        torch.testing.assert_close(deform_by_lookup(x, offsets, weight), expected)


@pytest.mark.parametrize("grad", [False, True])
def test_without_offsets_it_is_a_convolution(grad: bool):
    module = DeformableConv(6, 4)
    x, offsets = torch.randn(2, 6, 5, 8), torch.zeros(2, 18, 5, 8)
    with torch.set_grad_enabled(grad):
        found = module(x, offsets)
    torch.testing.assert_close(found, conv2d(x, module.weight, padding=1), atol=1e-5, rtol=1e-5)


def test_both_ways_agree_and_the_trained_one_has_gradients():
    module = DeformableConv(6, 4)
    x, offsets = torch.randn(2, 6, 5, 8), torch.randn(2, 18, 5, 8, requires_grad=True)
    trained = module(x, offsets)
    trained.sum().backward()
    assert offsets.grad is not None and offsets.grad.abs().sum() > 0
    with torch.no_grad():
        torch.testing.assert_close(module(x, offsets), trained, atol=1e-5, rtol=1e-5)
