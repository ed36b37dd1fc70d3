"""Heads of queries that live among the patches of a vision transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from vis.layers.dat import ChannelNorm

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 2
"""Doublings: patches of 16 pixels come to stride 4."""
EPS = 1e-6
"""Of the norms, as in the transformer."""


class Doubling(nn.Module):
    """A map twice as large: transposed convolution, GELU, one filter a channel, norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.smooth = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = ChannelNorm(width, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C 2h 2w]`."""
        return self.norm(self.smooth(nn.functional.gelu(self.enlarge(x))))  # type: ignore[no-any-return]


def upscale(width: int) -> nn.Sequential:
    """Patches `[M C h w]` -> mask features `[M C 4h 4w]`."""
    return nn.Sequential(*(Doubling(width) for _ in range(STEPS)))


def mask_head(width: int) -> nn.Sequential:
    """Normed queries to mask embeddings, with GELU."""
    linear = [nn.Linear(width, width) for _ in range(3)]
    return nn.Sequential(linear[0], nn.GELU(), linear[1], nn.GELU(), linear[2])
