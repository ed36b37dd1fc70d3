"""Swin (Liu et al., 2021) for frames of any size, as detection networks run it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from vis.backbones.levels import Backbone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATCH = 4
MLP_RATIO = 4
DROP_PATH = 0.3
"""Of the last block in training; it grows in a line from 0 at the first."""
APART = -100.0
"""Added where two cells of a shifted window do not touch; published, not minus infinity."""


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of one variant."""

    width: int
    """Channels of the first stage; each later one has twice as many."""
    depths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    window: int


SWINS = {
    "swin_tiny": Size(96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "swin_small": Size(96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "swin_base": Size(128, (2, 2, 18, 2), (4, 8, 16, 32), 12),
    "swin_large": Size(192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
}
"""As Mask2Former uses them; timm's and torchvision's differ where windows do not fit the map."""


class Swin(Backbone):
    """Parameters are named as in the official detection code.

    Args:
        size: which variant.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.patch_embed = PatchEmbed(width)
        drops = torch.linspace(0, DROP_PATH, sum(size.depths), device="cpu").tolist()
        self.layers = nn.ModuleList()
        for stage, depth in enumerate(size.depths):
            self.layers.append(
                Stage(
                    self.channels[stage],
                    num_heads=size.num_heads[stage],
                    window=size.window,
                    drops=[drops.pop(0) for _ in range(depth)],
                    last=stage == len(size.depths) - 1,
                )
            )
        self.norm0, self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(c) for c in self.channels)
        self.apply(_start)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""
        levels = []
        x = self.patch_embed(frames)
        norms = (self.norm0, self.norm1, self.norm2, self.norm3)
        for stage, norm in zip(self.layers, norms, strict=True):
            level, x = stage(x)
            levels.append(norm(level).permute(0, 3, 1, 2))
        return levels

    def shard_blocks(self) -> Iterator[nn.Module]:
        """The blocks, and what is between two stages."""
        for stage in self.layers:
            assert isinstance(stage, Stage)
            yield from stage.blocks
            if stage.downsample is not None:
                yield stage.downsample


def our_key(key: str) -> str | None:
    """The name of timm's tensor in `Swin`; None for the classifier and its norm.

    timm counts what is between two stages to the second one. The norms of the stages are of
    detection networks alone.
    """
    if key.startswith(("head.", "norm.")) or key.endswith("relative_position_index"):
        return None
    match = re.fullmatch(r"layers\.(\d)\.downsample\.(.+)", key)
    return f"layers.{int(match[1]) - 1}.downsample.{match[2]}" if match else key


class PatchEmbed(nn.Module):
    """Every square of pixels becomes a cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, frames: Tensor) -> Tensor:
        """`[M 3 H W]` -> `[M h w C]`."""
        height, width = frames.shape[2:]
        filled = functional.pad(frames, (0, -width % PATCH, 0, -height % PATCH))
        return self.norm(self.proj(filled).permute(0, 2, 3, 1))  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Blocks of one width, every second one with shifted windows."""

    def __init__(
        self, width: int, *, num_heads: int, window: int, drops: Sequence[float], last: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(width, num_heads, window=window, shift=index % 2 * (window // 2), drop=drop)
            for index, drop in enumerate(drops)
        )
        self.downsample = None if last else PatchMerging(width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[M h w C]` -> the same, and what the next stage begins with."""
        for block in self.blocks:
            x = block(x)
        return x, x if self.downsample is None else self.downsample(x)


class PatchMerging(nn.Module):
    """Four cells become one of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h/2 w/2 2C]`, rounded up."""
        height, width = x.shape[1:3]
        x = functional.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        x = rearrange(x, "m (h down) (w right) c -> m h w (right down c)", down=2, right=2)
        return self.reduction(self.norm(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention within windows and a feed-forward part, norms before them."""

    def __init__(self, width: int, num_heads: int, *, window: int, shift: int, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = WindowAttention(width, num_heads, window=window, shift=shift)
        self.mlp = Mlp(width)
        self.drop = StochasticDepth(drop, "row")

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        x = x + self.drop(self.attn(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    """Two linear layers, each cell for itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[... C]` -> `[... C]`."""
        return self.fc2(functional.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class WindowAttention(nn.Module):
    """Cells of a window see each other, and the zeros that fill it; the map is rolled by `shift`.

    A map smaller than the window is shifted too, as published.
    """

    def __init__(self, width: int, num_heads: int, *, window: int, shift: int) -> None:
        super().__init__()
        self.num_heads, self.window, self.shift = num_heads, window, shift
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window - 1) ** 2, num_heads)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        M, height, width = x.shape[:3]
        filled = functional.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        rolled = filled.roll((-self.shift, -self.shift), (1, 2))
        windows = rearrange(
            rolled, "m (h y) (w x) c -> (m h w) (y x) c", y=self.window, x=self.window
        )
        q, k, v = rearrange(
            self.qkv(windows),
            "n s (three heads c) -> three n heads s c",
            three=3,
            heads=self.num_heads,
        )
        bias = self._bias(filled.shape[1:3]).to(q.dtype)
        bias = bias.repeat(M, 1, 1, 1) if len(bias) > 1 else bias
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        whole = rearrange(
            mixed,
            "(m h w) heads (y x) c -> m (h y) (w x) (heads c)",
            m=M,
            h=filled.shape[1] // self.window,
            y=self.window,
        )
        back = whole.roll((self.shift, self.shift), (1, 2))[:, :height, :width]
        return self.proj(back)  # type: ignore[no-any-return]

    def _bias(self, size: torch.Size) -> Tensor:
        """`[windows heads s s]`, or `[1 heads s s]` where all windows are alike."""
        table = self.relative_position_bias_table
        side = torch.arange(self.window, device=table.device)
        apart = side[:, None] - side + self.window - 1
        index = apart[:, None, :, None] * (2 * self.window - 1) + apart[None, :, None]
        bias = rearrange(table[index.flatten()], "(q k) heads -> 1 heads q k", k=self.window**2)
        if not self.shift:
            return bias
        return bias + self._apart(size, table.device).to(bias.dtype)[:, None]

    def _apart(self, size: torch.Size, device: torch.device) -> Tensor:
        """`[windows s s]`: `APART` between cells that only the rolling brought together."""
        rows, columns = (
            torch.arange(count, device=device).ge(count - self.window).long()
            + torch.arange(count, device=device).ge(count - self.shift)
            for count in size
        )
        region = 3 * rows[:, None] + columns
        windows = rearrange(region, "(h y) (w x) -> (h w) (y x)", y=self.window, x=self.window)
        return APART * (windows[:, :, None] != windows[:, None])


def _start(module: nn.Module) -> None:
    """The initial weights of the official code."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
