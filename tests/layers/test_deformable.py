"""Deformable convolution: both ways against torchvision, and against plain convolution."""

import pytest
import torch
from torch.nn.functional import conv2d
from torchvision.ops import deform_conv2d

from vis.layers.deformable import DeformableConv, deform_by_lookup, deform_by_sampling

WAYS = [deform_by_lookup, deform_by_sampling]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("reach", [0.3, 2.0, 40.0])
def test_both_ways_are_torchvisions(reach: float, memory: torch.memory_format, way):
    x = torch.randn(3, 6, 7, 9, dtype=torch.float64).to(memory_format=memory)
    offsets = (reach * torch.randn(3, 18, 7, 9, dtype=torch.float64)).to(memory_format=memory)
    weight = torch.randn(4, 6, 3, 3, dtype=torch.float64)
    expected = deform_conv2d(x, offsets, weight, padding=1)
    torch.testing.assert_close(way(x, offsets, weight), expected)


def test_the_gradients_are_torchvisions():
    x = torch.randn(2, 6, 7, 9, dtype=torch.float64, requires_grad=True)
    offsets = (2 * torch.randn(2, 18, 7, 9, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(4, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x, offsets, weight)
    pull = torch.randn(2, 4, 7, 9, dtype=torch.float64)
    expected = torch.autograd.grad(deform_conv2d(*inputs, padding=1), inputs, pull)
    found = torch.autograd.grad(deform_by_sampling(*inputs), inputs, pull)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(4, 5), (1, 1), (1, 6)])
def test_both_ways_agree_on_the_border(way, size: tuple[int, int]):
    x = torch.randn(1, 2, *size)
    weight = torch.randn(3, 2, 3, 3)
    for shift in (-2.0, -1.0, -0.5, 1.0, 3.0, 4.0):
        offsets = torch.full((1, 18, *size), shift)
        expected = deform_conv2d(x, offsets, weight, padding=1)
        torch.testing.assert_close(way(x, offsets, weight), expected, atol=1e-5, rtol=1e-5)


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
