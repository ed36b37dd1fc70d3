"""ResNets of torchvision with frozen batch norm, as the DETR family uses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torchvision
from torch import nn

from vis.backbones.levels import Backbone
from vis.layers.frozen import FrozenNorm, FrozenNormConv, FrozenNormDeformableConv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torchvision.models import ResNet as ResNetOfTorchvision

WIDE = (256, 512, 1024, 2048)
NARROW = (64, 128, 256, 512)
RESNETS = {
    "resnet18": NARROW,
    "resnet34": NARROW,
    "resnet50": WIDE,
    "resnet101": WIDE,
    "resnet152": WIDE,
    "resnext50_32x4d": WIDE,
    "resnext101_32x8d": WIDE,
    "resnext101_64x4d": WIDE,
    "wide_resnet50_2": WIDE,
    "wide_resnet101_2": WIDE,
    "resnet50_dc5": WIDE,
    "resnet101_dc5": WIDE,
    "resnet50_msra": WIDE,
    "resnet101_msra": WIDE,
    "resnet50_msra_dcn": WIDE,
    "resnet101_msra_dcn": WIDE,
}
"""Channels of the four levels of each network."""
DILATED = "_dc5"
"""The last stage sees as far by wider kernels instead of a stride: its level has stride 16."""

MSRA = "_msra"
"""The first convolution of a stage halves the map, not the second, as in the first weights (2015)
that detectron2 carries on; the tensors are the same, what they mean is not."""

DEFORMABLE = "_dcn"
"""In all blocks of the last three stages, the second convolution is deformable (version 2)."""


class ResNet(Backbone):
    """Stem and first stage do not train; no norm does (DETR, appendix A.4).

    Parameters are named as in torchvision, but each norm belongs to its convolution: see `our_key`.

    Args:
        name: a key of `RESNETS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.channels = RESNETS[name]
        net = torchvision.models.get_model(
            plain_name(name),
            weights=None,
            norm_layer=FrozenNorm,
            replace_stride_with_dilation=[False, False, name.endswith(DILATED)],
        )
        if MSRA in name:
            _halve_first(net)
        deformable = (net.layer2, net.layer3, net.layer4) if name.endswith(DEFORMABLE) else ()
        for stage in deformable:
            for block in stage:
                block.conv2 = FrozenNormDeformableConv(block.conv2, block.bn2)
                block.bn2 = nn.Identity()
        _fold(net)
        self.conv1, self.relu, self.maxpool = net.conv1, net.relu, net.maxpool
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        for part in (self.conv1, self.layer1):
            part.requires_grad_(False)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""
        x = self.maxpool(self.relu(self.conv1(frames)))
        levels = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            levels.append(x)
        return levels

    def shard_blocks(self) -> Iterator[nn.Module]:
        """The residual blocks."""
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            yield from stage


def plain_name(name: str) -> str:
    """What torchvision calls the network with the same weights, offsets aside."""
    return name.removesuffix(DEFORMABLE).removesuffix(DILATED).removesuffix(MSRA)


def our_key(key: str) -> str | None:
    """The name of torchvision's tensor in `ResNet`; None for those that have no place in it."""
    if key.startswith("fc.") or key.endswith("num_batches_tracked"):
        return None
    key = re.sub(r"\bbn(\d)\.", r"conv\1.norm.", key)
    return re.sub(r"\bdownsample\.1\.", "downsample.0.norm.", key)


def _halve_first(net: ResNetOfTorchvision) -> None:
    for stage in (net.layer2, net.layer3, net.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)


def _fold(module: nn.Module) -> None:
    """Give each convolution the norm that follows it, through the whole tree."""
    for child in list(module.children()):
        _fold(child)
    pairs = [(f"conv{i}", f"bn{i}") for i in (1, 2, 3)]
    if isinstance(module, nn.Sequential):
        pairs = [("0", "1")]
    for conv_name, norm_name in pairs:
        conv, norm = getattr(module, conv_name, None), getattr(module, norm_name, None)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenNorm):
            setattr(module, conv_name, FrozenNormConv(conv, norm))
            setattr(module, norm_name, nn.Identity())
