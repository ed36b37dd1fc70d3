"""DAT++ (Xia et al., 2023): cells see their neighbourhood, then places that the map moves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import gelu
from torchvision.ops import StochasticDepth

from vis.backbones.levels import Backbone
from vis.layers.dat import ChannelNorm, DeformedAttention
from vis.layers.neighbourhood import NeighbourhoodAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

MLP_RATIO = 4
SIDE = 7
"""Of the neighbourhood."""
STRIDES, KERNELS = (8, 4, 2, 1), (9, 7, 5, 3)
TABLES = (56, 28, 14, 7)
"""Cells of a side of each stage's map for pictures of 224 pixels, as published."""


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of one variant."""

    width: int
    """Channels of the first stage; each later one has twice as many, and twice the heads."""
    num_heads: int
    groups: int
    """Of the first stage's deformable attention; each later stage has twice as many."""
    depths: tuple[int, int, int, int]
    drop: float
    """Chance that the last block is left out in training; it grows in a line from 0."""


DATS = {
    "dat_tiny": Size(64, 2, 1, (2, 4, 18, 2), 0.2),
    "dat_base": Size(128, 4, 2, (2, 4, 18, 2), 0.6),
}


class DAT(Backbone):
    """Every second block is deformable, of the last stage all.

    The published classifier has a norm after the last stage alone; here each stage has one.

    Args:
        size: which variant.
    """

    multiple = 32

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, stride=2, padding=1),
            ChannelNorm(width // 2),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            ChannelNorm(width),
        )
        drops = torch.linspace(0, size.drop, sum(size.depths), device="cpu").tolist()
        self.stages = nn.ModuleList(
            nn.ModuleList(
                Block(self.channels[stage], _attention(size, stage, index), drops.pop(0))
                for index in range(depth)
            )
            for stage, depth in enumerate(size.depths)
        )
        self.downs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(c, 2 * c, 3, stride=2, padding=1, bias=False), ChannelNorm(2 * c)
            )
            for c in self.channels[:3]
        )
        self.norms = nn.ModuleList(ChannelNorm(c) for c in self.channels)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""
        levels: list[Tensor] = []
        x = self.stem(frames)
        for index, (stage, norm) in enumerate(zip(self.stages, self.norms, strict=True)):
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x)
            levels.append(norm(x))
            x = self.downs[index](x) if index < len(self.downs) else x
        return levels

    def shard_blocks(self) -> Iterator[nn.Module]:
        """The blocks, and what is between two stages."""
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            yield from stage
        yield from self.downs


def our_key(key: str) -> str | None:
    """The name of a published classifier's tensor in `DAT`; None for those that have no place."""
    for pattern, replacement in _NAMES:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(replacement)
    norm = re.fullmatch(r"stages\.(\d)\.layer_norms\.(\d+)\.norm\.(\w+)", key)
    if norm:
        block, second = divmod(int(norm[2]), 2)
        return f"stages.{norm[1]}.{block}.norm{second + 1}.{norm[3]}"
    return None


_BLOCK = r"stages\.(\d)\.{}\.(\d+)\."
_ATTENTION = _BLOCK.format("attns")
_NAMES = (
    (r"patch_proj\.(\d)\.(?:norm\.)?(\w+)", r"stem.\1.\2"),
    (r"down_projs\.(\d)\.([01])\.(?:norm\.)?(\w+)", r"downs.\1.\2.\3"),
    (r"cls_norm\.norm\.(\w+)", r"norms.3.\1"),
    (_BLOCK.format("local_perception_units") + r"(\w+)", r"stages.\1.\2.local.\3"),
    (_BLOCK.format("mlps") + r"(linear\d)\.0\.(\w+)", r"stages.\1.\2.mlp.\3.\4"),
    (_BLOCK.format("mlps") + r"dwc\.(\w+)", r"stages.\1.\2.mlp.local.\3"),
    (_ATTENTION + r"(qkv|proj)\.(\w+)", r"stages.\1.\2.attention.\3.\4"),
    (_ATTENTION + r"rpb", r"stages.\1.\2.attention.rpb"),
    (_ATTENTION + r"rpe_table", r"stages.\1.\2.attention.table"),
    (_ATTENTION + r"conv_offset\.(\d)\.(?:norm\.)?(\w+)", r"stages.\1.\2.attention.offsets.\3.\4"),
    (_ATTENTION + r"proj_q\.(\w+)", r"stages.\1.\2.attention.query.\3"),
    (_ATTENTION + r"proj_k\.(\w+)", r"stages.\1.\2.attention.key.\3"),
    (_ATTENTION + r"proj_v\.(\w+)", r"stages.\1.\2.attention.value.\3"),
    (_ATTENTION + r"proj_out\.(\w+)", r"stages.\1.\2.attention.out.\3"),
)


class Block(nn.Module):
    """A look at the cells next to each, attention, and a feed-forward part that looks too."""

    def __init__(self, width: int, attention: nn.Module, drop: float) -> None:
        super().__init__()
        self.local = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.attention, self.mlp = attention, LocalMlp(width)
        self.drop = StochasticDepth(drop, "row")

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        x = x + self.local(x)
        attended = self.attention(self.norm1(x).movedim(1, -1)).movedim(-1, 1)
        x = x + self.drop(attended)
        return x + self.drop(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]


class LocalMlp(nn.Module):
    """Two linear layers; between them each channel looks at the cells next to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = MLP_RATIO * width
        self.linear1, self.linear2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)
        self.local = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        x = self.linear1(x)
        return self.linear2(gelu(x + self.local(x)))  # type: ignore[no-any-return]


def _attention(size: Size, stage: int, index: int) -> nn.Module:
    width, num_heads = size.width << stage, size.num_heads << stage
    if index % 2 == 0 and stage < 3:
        return NeighbourhoodAttention(width, num_heads, side=SIDE)
    return DeformedAttention(
        width,
        num_heads,
        groups=size.groups << stage,
        stride=STRIDES[stage],
        kernel=KERNELS[stage],
        table=(TABLES[stage], TABLES[stage]),
    )
