"""RF-DETR's projector: the maps of a trunk through one C2f stage (as in YOLOv8) to one map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vis.layers.dat import ChannelNorm

if TYPE_CHECKING:
    from collections.abc import Sequence

EPS = 1e-6
"""Of the last norm, and of those inside where nothing else is stated."""


class NormedConv(nn.Module):
    """Convolution without bias, norm over the channels, SiLU.

    Args:
        channels: in.
        out: channels.
        kernel: side in cells.
        eps: of the norm.
    """

    def __init__(self, channels: int, out: int, *, kernel: int, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.norm = ChannelNorm(out, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C h w]` -> `[B D h w]`."""
        return nn.functional.silu(self.norm(self.conv(x)))


class C2f(nn.Module):
    """Half of the channels through bottlenecks one after the other; all that came about is mixed.

    Args:
        channels: of all maps together.
        out: channels, even.
        depth: bottlenecks.
        eps: of the norms inside.
    """

    def __init__(self, channels: int, out: int, *, depth: int, eps: float = EPS) -> None:
        super().__init__()
        half = out // 2
        self.enter = NormedConv(channels, out, kernel=1, eps=eps)
        # Without a shortcut, unlike YOLOv8's in its trunk.
        self.bottlenecks = nn.ModuleList(
            nn.Sequential(*(NormedConv(half, half, kernel=3, eps=eps) for _ in range(2)))
            for _ in range(depth)
        )
        self.mix = NormedConv((2 + depth) * half, out, kernel=1, eps=eps)
        self.norm = ChannelNorm(out, eps=EPS)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps `[B C h w]` of one size -> `[B D h w]`."""
        parts = list(self.enter(torch.cat(list(maps), dim=1)).chunk(2, dim=1))
        for bottleneck in self.bottlenecks:
            parts.append(bottleneck(parts[-1]))
        return self.norm(self.mix(torch.cat(parts, dim=1)))  # type: ignore[no-any-return]
