"""MobileNetV2 (Sandler et al., 2018) as TensorFlow's detectors use it, its norms folded in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from vis.layers.same_conv import SameConv

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
          (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
"""Expansion, channels, repeats and stride of the first: table 2 of the paper."""
STEM, LAST = 32, 1280
CHANNELS = (16, 24, 32, 96, 320)
"""Of the maps of strides 2, 4, 8, 16 and 32."""
ENDS = (0, 2, 5, 12, 16)
"""Number of the block that each of these maps comes out of: the last of its stride."""
MIDDLE = slice(3, 13)
"""The blocks of strides 8 and 16."""
EXPANDED, EXPANDED_CHANNELS = 13, 576
"""The block whose widened input, of stride 16, SSD's first predictor reads."""


class Maps(NamedTuple):
    """What a picture looks like at each stride."""

    levels: list[Tensor]
    """`[M C h w]` of strides 2, 4, 8, 16 and 32, with `CHANNELS`."""
    expanded: Tensor
    """`[M 576 h w]` of stride 16."""
    last: Tensor
    """`[M 1280 h w]` of stride 32."""


class InvertedResidual(nn.Module):
    """Widen, look at each channel alone, narrow linearly (section 3.3).

    Args:
        channels: in.
        out: channels.
        expansion: how many times wider it is inside; 1 for not at all.
        stride: of the depthwise convolution.
    """

    def __init__(self, channels: int, out: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = SameConv(channels, wide) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(wide, wide, 3, stride=stride, depthwise=True)
        self.project = SameConv(wide, out, active=False)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[M C h w]` -> the same at the block's stride, and its widened input."""
        wide = self.expand(x)
        out = self.project(self.depthwise(wide))
        return (x + out if self.residual else out), wide


class MobileNetV2(nn.Module):
    """The trunk, with convolutions that carry the scale and shift of their norms.

    timm's has the same layers, but norms of their own, each another pass over its map; those of the
    published weights are frozen anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, stride=2)
        self.blocks = nn.ModuleList(_blocks())
        self.last = SameConv(CHANNELS[-1], LAST)

    def forward(self, frames: Tensor) -> Maps:
        """`[M 3 H W]` within -1..1 -> maps."""
        x = self.stem(frames)
        levels: list[Tensor] = []
        expanded = x
        for number, block in enumerate(self.blocks):
            x, wide = block(x)
            if number == EXPANDED:
                expanded = wide
            if number in ENDS:
                levels.append(x)
        return Maps(levels, expanded, self.last(x))

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: the inverted residuals and the last layer."""
        yield from self.blocks
        yield self.last


class MiddleBlocks(nn.ModuleList):
    """Blocks like those of strides 8 and 16, for another task than the trunk's own."""

    def __init__(self) -> None:
        super().__init__([*_blocks()][MIDDLE])

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[M 24 h w]` of stride 4 -> maps of strides 8 and 16."""
        levels: list[Tensor] = []
        for number, block in enumerate(self, MIDDLE.start):
            x, _ = block(x)
            if number in ENDS:
                levels.append(x)
        return levels


def _blocks() -> Iterator[InvertedResidual]:
    channels = STEM
    for expansion, out, repeats, stride in BLOCKS:
        for repeat in range(repeats):
            yield InvertedResidual(
                channels, out, expansion=expansion, stride=1 if repeat else stride
            )
            channels = out
