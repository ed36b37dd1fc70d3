"""Our Twins against timm's, on timm's own keys, and against published numbers."""

import zlib
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from vis import backbones
from vis.backbones.twins import Twins, our_key


def bare(net: Twins) -> Twins:
    """Without the norms of the stages, as timm hands out its levels."""
    net.norms = nn.ModuleList(nn.Identity() for _ in range(4))
    return net


@pytest.fixture(scope="module")
def pair() -> tuple[Twins, nn.Module]:
    """Our network and timm's with the same weights, drawn from timm's names."""
    usual = timm.create_model("twins_svt_small", pretrained=False, num_classes=0).eval()
    for key, value in usual.state_dict().items():
        stream = np.random.RandomState(zlib.crc32(key.encode()))
        drawn = stream.standard_normal(tuple(value.shape))
        if value.dim() > 1:
            drawn /= np.sqrt(np.prod(value.shape[1:]))
        else:
            drawn = 0.1 * drawn + (0 if key.endswith("bias") else 1)
        value.copy_(torch.from_numpy(drawn))
    ours = backbones.build("twins_svt_small").eval()
    assert isinstance(ours, Twins)
    renamed = {our_key(key): value for key, value in usual.state_dict().items()}
    missing, unexpected = ours.load_state_dict(renamed, strict=False)
    assert not unexpected
    assert sorted(missing) == sorted(f"norms.{i}.{k}" for i in range(3) for k in ("bias", "weight"))
    return ours, usual


def test_the_classifier_has_no_place():
    assert our_key("head.weight") is None


@pytest.mark.parametrize("size", [(64, 96), (75, 131)])
def test_stages_are_timms_at_any_size(pair: tuple[Twins, nn.Module], size: tuple[int, int]):
    ours, usual = pair
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        found = ours(x)
        expected = usual.forward_intermediates(x, intermediates_only=True)
        last = usual.forward_features(x)
    for level, other, norm in zip(found, expected, ours.norms, strict=True):
        normed = norm(other.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(level, normed, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(found[-1].flatten(2).transpose(1, 2), last, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "means"),
    [
        ((64, 96), [0.06613408, -0.15722241, -0.12098213, -0.08862827]),
        ((300, 540), [0.06417049, -0.22456769, -0.22453773, -0.00592078]),
    ],
)
def test_published_stages(pair: tuple[Twins, nn.Module], size: tuple[int, int], means: list[float]):
    norms = pair[0].norms
    x = torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, *size))).float()
    with torch.no_grad():
        found = bare(pair[0])(x)
    pair[0].norms = norms
    for level, mean in zip(found, means, strict=True):
        assert level.mean().item() == pytest.approx(mean, abs=1e-5)


def test_parameters_are_as_many_as_the_official_network_has():
    with torch.device("meta"):
        net = backbones.build("twins_svt_small")
    added = sum(p.numel() for i in range(3) for p in net.norms[i].parameters())
    assert sum(p.numel() for p in net.parameters()) - added == 23_547_776


def test_no_tensor_has_more_than_four_axes():
    """Some runtimes that networks are exported to know no more."""

    class Watch(TorchDispatchMode):
        axes = 0

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            parts = made if isinstance(made, (tuple, list)) else (made,)
            sizes = [part.dim() for part in parts if isinstance(part, torch.Tensor)]
            Watch.axes = max(Watch.axes, *sizes, 0)
            return made

    with torch.no_grad(), Watch():
        backbones.build("twins_svt_small")(torch.randn(2, 3, 64, 96))
    assert Watch.axes == 4
