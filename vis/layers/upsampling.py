"""One mask feature from several levels of a pyramid: each convolved, enlarged and added."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu
from torchvision.ops import FeaturePyramidNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = 32


class FeaturePyramid(nn.Module):
    """Feature pyramid (Lin et al., 2017) of torchvision, with a level of stride 64 by dropping.

    Args:
        channels: of the levels, the largest first.
        width: of all levels that come out.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.net = FeaturePyramidNetwork(list(channels), width)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Maps `[M C h w]`, the largest first -> as many of `width` channels, and one more."""
        maps = list(self.net(OrderedDict((str(i), x) for i, x in enumerate(levels))).values())
        # Every second cell, as detectron2's last level pool: a max over one cell.
        return [*maps, maps[-1][:, :, ::2, ::2]]


class NormedConv(nn.Module):
    """Convolution without bias, group norm, ReLU.

    Args:
        channels: in.
        out: channels.
        kernel: side in cells.
    """

    def __init__(self, channels: int, out: int, *, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.GroupNorm(min(GROUPS, out), out)
        nn.init.normal_(self.conv.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M D h w]`."""
        x = self.conv(x)
        # A CPU's group norm takes ten times as long where channels lie together.
        return relu(self.norm(x.contiguous() if x.device.type == "cpu" else x))


class MultiLevelUpsampling(nn.Module):
    """SOTR's mask feature (Guo et al., 2021, 3.3): level i doubled i times, all added, mixed.

    Args:
        width: channels of the levels.
        mid_channels: channels on the way.
        out: channels of the result.
        levels: how many there are.
    """

    def __init__(self, width: int, *, mid_channels: int, out: int, levels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.ModuleList(
                NormedConv(mid_channels if step else width, mid_channels, kernel=3)
                for step in range(max(i, 1))
            )
            for i in range(levels)
        )
        self.mix = NormedConv(mid_channels, out, kernel=1)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Maps `[M C h w]`, each half as large as the one before -> `[M D h w]` of the first."""
        total = torch.zeros((), device=levels[0].device)
        # No coordinates are added: the released configuration names them, its code does not.
        for i, x in enumerate(levels):
            for step in self.levels[i]:  # type: ignore[attr-defined]
                x = step(x)
                # Level 0 is convolved, never enlarged: it sets the size.
                x = interpolate(x, scale_factor=2.0, mode="bilinear") if i else x
            total = total + x
        return self.mix(total)  # type: ignore[no-any-return]
