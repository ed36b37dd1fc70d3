"""DINOv2 with register tokens (Darcet et al., 2024), in two halves: queries join the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

from vis.backbones.dinov2 import EPS, block, resized_positions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGISTERS = 4
"""Tokens beside the class token, of every published network."""
FIRST = 1 + REGISTERS
"""Tokens that have no place in the frame; they come before the patches."""


class RegisterDINOv2(nn.Module):
    """Positions are added to patches alone, and resized in single precision to any grid.

    Args:
        grid: side in patches of the square that the position table is for.
        patch: side of a token in pixels.
        width: channels.
        depth: blocks.
        num_heads: of each block.
        late: blocks of the second half, which see queries too.
    """

    def __init__(
        self, grid: int, *, patch: int, width: int, depth: int, num_heads: int, late: int
    ) -> None:
        super().__init__()
        self.late = late
        self.patch = nn.Conv2d(3, width, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.registers = nn.Parameter(torch.empty(1, REGISTERS, width))
        self.positions = nn.Parameter(torch.empty(1, grid**2, width))
        self.blocks = nn.ModuleList(block(width, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPS)
        for parameter in (self.cls_token, self.registers, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, frames: Tensor) -> Tensor:
        """`[M 3 H W]` normalised, whole patches -> tokens `[M 5 + h*w C]` before the late blocks.

        Frame by frame alike, so any number of frames may go through at once.
        """
        cells = self.patch(frames)
        grid = (cells.shape[2], cells.shape[3])
        positions = resized_positions(self.positions, grid).to(cells.dtype)
        patches = rearrange(cells, "m c h w -> m (h w) c") + positions
        first = torch.cat((self.cls_token, self.registers), dim=1).to(cells.dtype)
        tokens = torch.cat((first.expand(len(patches), -1, -1), patches), dim=1)
        for layer in self.blocks[: len(self.blocks) - self.late]:
            tokens = layer(tokens)
        return tokens

    def late_blocks(self) -> Iterator[nn.Module]:
        """Those of the second half."""
        yield from self.blocks[len(self.blocks) - self.late :]

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: the blocks."""
        yield from self.blocks


def adapted(published: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """DINOv2 of timm, with registers, under the names, and at the patch and grid, of ours.

    Args:
        published: of timm's network, or DINOv2's own.
        state: of a `RegisterDINOv2`.
    """
    from timm.layers.patch_embed import resample_patch_embed

    rules = {"patch_embed.proj.": "patch.", "reg_token": "registers", "pos_embed": "positions"}
    ours: dict[str, Tensor] = {}
    for name, tensor in published.items():
        for theirs, here in rules.items():
            name = name.replace(theirs, here)
        if name in state:
            ours[name] = tensor
    if "patch.weight" in ours:
        side = list(state["patch.weight"].shape[-2:])
        # by the pseudo-inverse (FlexiViT, 3.4): an enlarged patch gives the token that it gave
        ours["patch.weight"] = resample_patch_embed(ours["patch.weight"], side)
    if "positions" in ours:
        grid = round(state["positions"].shape[1] ** 0.5)
        ours["positions"] = resized_positions(ours["positions"], (grid, grid))
    return ours
