"""RF-DETR's mask head: a refined map, and a query's factor of it; their product is a mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

STRIDE = 4
"""Pixels of a cell of a mask."""
EPS = 1e-6
"""Of the blocks' norms."""


class MaskBlock(nn.Module):
    """A convolution of each channel alone, then a mixture of channels, added (cf. ConvNeXt).

    Args:
        d_model: channels.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(d_model, d_model, 3, padding=1, groups=d_model)
        self.norm = nn.LayerNorm(d_model, eps=EPS)
        self.mix = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C h w]` -> the same."""
        inner = self.conv(x).permute(0, 2, 3, 1)
        return x + gelu(self.mix(self.norm(inner))).permute(0, 3, 1, 2)


class QueryLift(nn.Module):
    """A normed perceptron, added to the state of a query.

    Args:
        d_model: channels; four times as many inside.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.linear1, self.linear2 = (
            nn.Linear(d_model, 4 * d_model),
            nn.Linear(4 * d_model, d_model),
        )

    def forward(self, state: Tensor) -> Tensor:
        """`[B N C]` -> the same."""
        return state + self.linear2(gelu(self.linear1(self.norm(state))))  # type: ignore[no-any-return]


class MaskBlocks(nn.Module):
    """As many blocks as the decoder has layers: masks of layer l are of the map after block l.

    Args:
        d_model: channels.
        depth: blocks.
    """

    def __init__(self, d_model: int, *, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MaskBlock(d_model) for _ in range(depth))
        self.cells = nn.Conv2d(d_model, d_model, 1)
        self.lift = QueryLift(d_model)
        self.queries = nn.Linear(d_model, d_model)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """`[B C h w]` -> the enlarged map, then that after each block; in use, the last alone.

        All are `[B C H/4 W/4]`.

        Args:
            x: of the projector.
            size: pixels of the input, height and width.
        """
        cells = (size[0] // STRIDE, size[1] // STRIDE)
        maps = [interpolate(x, cells, mode="bilinear", align_corners=False)]
        for block in self.blocks:
            # Nobody asks for the others in use, and they would be the peak of memory.
            maps = [*(maps if self.training else ()), block(maps[-1])]
        return maps

    def mask_queries(self, state: Tensor) -> Tensor:
        """`[B N C]` of a layer, normed -> the factors of its masks."""
        return self.queries(self.lift(state))  # type: ignore[no-any-return]
