"""DINOv2 (Oquab et al., 2024) for any frame size, whole or with attention inside windows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vis.layers.deformable_queries import at_least_single
from vis.layers.padding import same_size

if TYPE_CHECKING:
    from collections.abc import Iterator

EPS = 1e-6
"""Of all norms."""


class WindowedDINOv2(nn.Module):
    """RF-DETR's trunk: each window has tokens and a class token of its own (2025, section 3).

    After every stage of `depth / 4` blocks a map is given out, and the block after it is the only
    one of its stage that sees all windows at once.

    Args:
        grid: side in patches of the square that the position table is for.
        patch: side of a token in pixels.
        windows: on each side of a frame; 1 for attention over the whole frame in every block.
        width: channels.
        depth: blocks, a multiple of 4.
        num_heads: of each block.
    """

    def __init__(
        self, grid: int, *, patch: int, windows: int, width: int, depth: int, num_heads: int
    ) -> None:
        super().__init__()
        self.windows, self.every = windows, depth // 4
        self.patch = nn.Conv2d(3, width, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 1 + grid**2, width))
        self.blocks = nn.ModuleList(block(width, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPS)
        for parameter in (self.cls_token, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised, whole patches in whole windows -> four maps `[M C h w]`."""
        cells = self.patch(frames)
        grid = (cells.shape[2], cells.shape[3])
        positions = resized_positions(self.positions, grid, first=1).to(cells.dtype)
        tokens = rearrange(cells, "m c h w -> m (h w) c") + positions[:, 1:]
        tokens = self._cut(tokens, grid)
        # Every window has its own copy of the class token, and the copies drift apart.
        first = (self.cls_token.to(tokens.dtype) + positions[:, :1]).expand(len(tokens), -1, -1)
        tokens = torch.cat((first, tokens), dim=1)
        maps = []
        for index, layer in enumerate(self.blocks):
            # Upstream numbers maps from 1 and blocks from 0; the weights were trained like that.
            whole = index > 0 and index % self.every == 0
            tokens = self._whole(layer, tokens) if whole else layer(tokens)
            if (index + 1) % self.every == 0:
                maps.append(self._map(self.norm(tokens)[:, 1:], grid))
        return maps

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: the blocks."""
        yield from self.blocks

    def _cut(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """`[M h*w C]` -> `[M*windows^2 n C]`, window after window, row by row."""
        return rearrange(
            tokens,
            "m (down h across w) c -> (m down across) (h w) c",
            down=self.windows,
            across=self.windows,
            h=grid[0] // self.windows,
        )

    def _whole(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        """All windows of a frame as one sequence, class tokens included, and cut again."""
        together = rearrange(tokens, "(m w) n c -> m (w n) c", w=self.windows**2)
        together = layer(together)
        return rearrange(together, "m (w n) c -> (m w) n c", w=self.windows**2)  # type: ignore[no-any-return]

    def _map(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """The inverse of `_cut`, as a map."""
        return rearrange(
            tokens,
            "(m down across) (h w) c -> m c (down h) (across w)",
            down=self.windows,
            across=self.windows,
            h=grid[0] // self.windows,
        )


def block(width: int, num_heads: int) -> Block:
    """One layer: normed attention, normed perceptron, each scaled by channel, then added."""
    return Block(
        width,
        num_heads,
        qkv_bias=True,
        # 1, where DINOv2's own training starts from 1e-5: what starts here is to learn at once.
        init_values=1.0,
        norm_layer=partial(nn.LayerNorm, eps=EPS),  # type: ignore[arg-type]
    )


def resized_positions(table: Tensor, grid: tuple[int, int], *, first: int = 0) -> Tensor:
    """Positions `[1 first + s s C]` of a square grid -> `[1 first + h w C]` of another.

    Args:
        table: its first rows are those of tokens that have no place in the frame.
        grid: rows and columns of patches.
        first: rows that stay as they are.
    """
    side = round((table.shape[1] - first) ** 0.5)
    # An equal count of another shape is another grid too.
    if same_size(grid, (side, side)):
        return table
    # Single precision as published: bicubic weights in half are off by more than a step.
    square = at_least_single(rearrange(table[:, first:], "one (h w) c -> one c h w", h=side))
    cells = interpolate(square, grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat((table[:, :first], rearrange(cells, "one c h w -> one (h w) c")), dim=1)
