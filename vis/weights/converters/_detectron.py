"""What checkpoints of detectron2 share: the names of its ResNets and pyramid, and its pixels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from vis.layers.padding import DEVIATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows

SURE = 30.0
"""Its sigmoid is 1 in single precision."""
_NORM = r"(weight|bias|running_mean|running_var)"


def resnet(prefix: str) -> Rows:
    """Rows of a ResNet whose names begin with `prefix`, a pattern."""
    return (
        (rf"{prefix}stem\.conv1\.weight", r"backbone.conv1.weight"),
        (rf"{prefix}stem\.conv1\.norm\.{_NORM}", r"backbone.conv1.norm.\1"),
        *(row for stage in (2, 3, 4, 5) for row in _stage(prefix, stage)),
    )


def _stage(prefix: str, stage: int) -> Rows:
    there, here = rf"{prefix}res{stage}\.", f"backbone.layer{stage - 1}."
    return (
        (rf"{there}(\d+\.conv\d)\.weight", rf"{here}\1.weight"),
        (rf"{there}(\d+\.conv\d)\.norm\.{_NORM}", rf"{here}\1.norm.\2"),
        (rf"{there}(\d+)\.conv2_offset\.(weight|bias)", rf"{here}\1.conv2.offsets.\2"),
        (rf"{there}0\.shortcut\.weight", rf"{here}0.downsample.0.weight"),
        (rf"{there}0\.shortcut\.norm\.{_NORM}", rf"{here}0.downsample.0.norm.\1"),
    )


def pyramid(prefix: str) -> Rows:
    """Rows of a feature pyramid whose names begin with `prefix`, a pattern."""
    kinds = (("lateral", "inner_blocks"), ("output", "layer_blocks"))
    return tuple(
        (rf"{prefix}fpn_{there}{level}\.(weight|bias)", rf"pyramid.net.{here}.{level - 2}.0.\1")
        for there, here in kinds
        for level in (2, 3, 4, 5)
    )


def from_bgr(weight: Tensor) -> Tensor:
    """First convolution `[D 3 7 7]` of BGR pixels 0..255 less ImageNet's mean -> of ours.

    Ours are RGB, less the same mean, over ImageNet's deviation.
    """
    scale = 255 * torch.tensor(DEVIATION, dtype=weight.dtype, device=weight.device)
    return weight.flip(1) * scale[:, None, None]


def plain_offsets(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Offsets that change nothing, for the blocks without, where other blocks have some.

    Which blocks are deformable, a checkpoint tells by its offsets alone; with these, all of the
    last three stages can be: taps stay where they are, and count wholly.
    """
    plain = {}
    if any(".conv2.offsets." in name for name in tensors):
        for name, weight in tensors.items():
            match = re.fullmatch(r"(backbone\.layer[234]\.\d+\.conv2)\.weight", name)
            if match and f"{match[1]}.offsets.weight" not in tensors:
                taps = weight[0, 0].numel()
                bias = weight.new_zeros(3 * taps)
                bias[2 * taps :] = SURE
                channels = tensors[name.replace("conv2", "conv1")].shape[0]
                shape = (3 * taps, channels, *weight.shape[2:])
                plain[f"{match[1]}.offsets.weight"] = weight.new_zeros(shape)
                plain[f"{match[1]}.offsets.bias"] = bias
    return plain
