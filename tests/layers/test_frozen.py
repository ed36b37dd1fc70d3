"""The frozen norm and the convolution that it is folded into."""

import torch
from torch import nn

from vis.layers.frozen import FrozenNorm, FrozenNormConv


def shaken(channels: int) -> FrozenNorm:
    norm = FrozenNorm(channels)
    for name, buffer in norm.named_buffers():
        buffer.copy_(torch.rand(channels) + (0.5 if name == "running_var" else 0.0))
    return norm


def test_it_is_a_batch_norm_in_use():
    norm = shaken(4)
    usual = nn.BatchNorm2d(4).eval()
    usual.load_state_dict(norm.state_dict(), strict=False)
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(norm(x), usual(x))
    torch.testing.assert_close(norm.train()(x), usual(x))


def test_folded_is_one_after_the_other():
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False, groups=2)
    norm = shaken(6)
    x = torch.randn(2, 4, 9, 8)
    torch.testing.assert_close(FrozenNormConv(conv, norm)(x), norm(conv(x)))


def test_a_step_of_training_leaves_it_alone():
    folded = FrozenNormConv(nn.Conv2d(3, 4, 3, bias=False), shaken(4)).train()
    before = {name: buffer.clone() for name, buffer in folded.named_buffers()}
    start = folded.weight.detach().clone()
    assert [name for name, _ in folded.named_parameters()] == ["weight"]
    optimiser = torch.optim.SGD(folded.parameters(), lr=1.0)
    folded(torch.randn(2, 3, 8, 8)).square().mean().backward()
    optimiser.step()
    assert not torch.equal(folded.weight, start)
    for name, buffer in folded.named_buffers():
        assert torch.equal(buffer, before[name]), name
