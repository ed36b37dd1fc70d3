"""Section B of the golden numbers: ResNets and ResNeXt with their pyramid."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from parity_numbers import against, drawn, normal
from torch import nn

from vis import backbones
from vis.layers.upsampling import FeaturePyramid
from vis.weights import converters
from vis.weights.rename import rename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity import Row

TOLERANCE = 1e-6
NETS = {
    "R50 stride in 1x1 (SOTR)": "resnet50_msra",
    "R50 stride in 3x3 (ISTR)": "resnet50",
    "R101 stride in 1x1": "resnet101_msra",
    "ResNeXt-101-32x8d": "resnext101_32x8d",
}


def rows(text: str, keys: Path) -> Iterator[Row]:
    """Every level of every network."""
    del keys
    x = normal(0, 1, 3, 64, 96)
    for published, name in NETS.items():
        net = backbones.build(name)
        part = nn.ModuleDict({"backbone": net, "pyramid": FeaturePyramid(net.channels, 256)})
        shapes = {_published(key): tuple(v.shape) for key, v in part.state_dict().items()}
        tensors = {key: torch.from_numpy(value) for key, value in drawn(shapes).items()}
        # The input is no picture: what turns colours is left out.
        part.load_state_dict(rename(tensors, replace(converters.get("sotr"), adapt=dict))[0])
        part.double().eval()
        levels = part["pyramid"](part["backbone"](x))
        for i, level in enumerate(levels, 2):
            difference = against(text, f"B {published} p{i} ", level)
            yield f"B {name} p{i}", difference, TOLERANCE


def _published(key: str) -> str:
    for ours, theirs in (("inner_blocks", "lateral"), ("layer_blocks", "output")):
        key = re.sub(
            rf"^pyramid\.net\.{ours}\.(\d)\.0",
            lambda m, t=theirs: f"backbone.fpn_{t}{int(m[1]) + 2}",
            key,
        )
    key = re.sub(r"^backbone\.layer(\d)", lambda m: f"backbone.bottom_up.res{int(m[1]) + 1}", key)
    key = re.sub(r"^backbone\.conv1", "backbone.bottom_up.stem.conv1", key)
    return key.replace("downsample.0", "shortcut")
