"""Twins-SVT (Chu et al., 2021): windows see themselves, then every cell sees a summary of all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from einops import rearrange
from torch import nn
from torch.nn import functional

from vis.backbones.levels import Backbone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

WINDOW = 7
REDUCTIONS = (8, 4, 2, 1)
FIRST_PATCH = 4
MLP_RATIO = 4
EPSILON = 1e-6  # of the blocks' and stages' norms; those inside an embedding or summary have 1e-5


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of one variant, by stage."""

    widths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]


TWINS = {
    "twins_svt_small": Size((64, 128, 256, 512), (2, 4, 8, 16), (2, 2, 10, 4)),
    "twins_svt_base": Size((96, 192, 384, 768), (3, 6, 12, 24), (2, 2, 18, 2)),
    "twins_svt_large": Size((128, 256, 512, 1024), (4, 8, 16, 32), (2, 2, 18, 2)),
}


class Twins(Backbone):
    """Parameters are named as in timm and the official files, but for a norm of every stage.

    `norms.3` is their `norm`; their detection networks have the other three too, their classifiers
    do not. Frames of other sizes than multiples of 32 lose their last rows and columns.

    Args:
        size: which variant.
    """

    multiple = 32

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.channels = size.widths
        patches = (FIRST_PATCH, 2, 2, 2)
        inputs = (3, *size.widths[:3])
        self.patch_embeds = nn.ModuleList(
            PatchEmbed(*numbers) for numbers in zip(inputs, size.widths, patches, strict=True)
        )
        stages = zip(size.widths, size.num_heads, REDUCTIONS, size.depths, strict=True)
        self.blocks = nn.ModuleList(_stage(*numbers) for numbers in stages)
        self.pos_block = nn.ModuleList(PositionConv(width) for width in size.widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=EPSILON) for width in size.widths)
        self.apply(_start)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""
        levels = []
        x = frames.permute(0, 2, 3, 1)
        stages = zip(self.patch_embeds, self.blocks, self.pos_block, self.norms, strict=True)
        for embed, blocks, position, norm in stages:
            assert isinstance(blocks, nn.ModuleList)
            x = embed(x)
            for index, block in enumerate(blocks):
                x = block(x) if index else position(block(x))
            levels.append(norm(x).permute(0, 3, 1, 2))
        return levels

    def shard_blocks(self) -> Iterator[nn.Module]:
        """The blocks."""
        for blocks in self.blocks:
            assert isinstance(blocks, nn.ModuleList)
            yield from blocks


def our_key(key: str) -> str | None:
    """The name of timm's tensor in `Twins`; None for the classifier."""
    if key.startswith("head."):
        return None
    return f"norms.3.{key.removeprefix('norm.')}" if key.startswith("norm.") else key


class PatchEmbed(nn.Module):
    """Every square of cells becomes one."""

    def __init__(self, width: int, out: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(width, out, patch, stride=patch)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h' w' D]`."""
        return self.norm(_conv(self.proj, x))  # type: ignore[no-any-return]


class PositionConv(nn.Module):
    """Tells a cell where it is, by the zeros around the map (Chu et al., 2021, section 3.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, groups=width))

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        return x + _conv(self.proj, x)


class Block(nn.Module):
    """Attention and a feed-forward part, norms before them."""

    def __init__(self, width: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=EPSILON) for _ in range(2))
        self.attn, self.mlp = attention, Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


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
    """Cells of a window see each other, and those added to fill it, as published."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        M, h, w = x.shape[:3]
        down, right = -h % WINDOW, -w % WINDOW
        windows = _windows(functional.pad(x, (0, 0, 0, right, 0, down)))
        q, k, v = (_split(part, self.num_heads) for part in self.qkv(windows).chunk(3, dim=-1))
        mixed = _join(functional.scaled_dot_product_attention(q, k, v))
        whole = _unwindowed(mixed, M, h + down, w + right)
        return self.proj(whole[:, :h, :w])  # type: ignore[no-any-return]


class SummaryAttention(nn.Module):
    """Every cell sees a coarser map; cells that fill no square of its strides are not seen."""

    def __init__(self, width: int, num_heads: int, reduction: int) -> None:
        super().__init__()
        self.num_heads, self.reduction = num_heads, reduction
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """`[M h w C]` -> `[M h w C]`."""
        summary = self.norm(_conv(self.sr, x)) if self.reduction > 1 else x
        q = _split(self.q(x).flatten(1, 2), self.num_heads)
        k, v = (_split(p, self.num_heads) for p in self.kv(summary).flatten(1, 2).chunk(2, dim=-1))
        mixed = _join(functional.scaled_dot_product_attention(q, k, v))
        return self.proj(mixed).view(x.shape)  # type: ignore[no-any-return]


def _stage(width: int, num_heads: int, reduction: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(
        Block(width, WindowAttention(width, num_heads))
        if index % 2 == 0
        else Block(width, SummaryAttention(width, num_heads, reduction))
        for index in range(depth)
    )


def _conv(conv: nn.Module, x: Tensor) -> Tensor:
    """A convolution on `[M h w C]`."""
    return conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


def _windows(x: Tensor) -> Tensor:
    """`[M h w C]` -> `[windows cells C]`; never more than four axes of any size, for export."""
    M, h, w, C = x.shape
    rows = x.reshape(M * h // WINDOW, WINDOW, w // WINDOW, WINDOW * C).transpose(1, 2)
    return rows.reshape(-1, WINDOW * WINDOW, C)


def _unwindowed(x: Tensor, M: int, h: int, w: int) -> Tensor:
    C = x.shape[-1]
    rows = x.reshape(M * h // WINDOW, w // WINDOW, WINDOW, WINDOW * C).transpose(1, 2)
    return rows.reshape(M, h, w, C)


def _split(x: Tensor, num_heads: int) -> Tensor:
    """`[M L C]` -> `[M heads L c]`."""
    return rearrange(x, "m l (heads c) -> m heads l c", heads=num_heads)


def _join(x: Tensor) -> Tensor:
    """`[M heads L c]` -> `[M L C]`."""
    return x.transpose(1, 2).flatten(2)


def _start(module: nn.Module) -> None:
    """The initial weights of the official code."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2 * module.groups / fan_out))
        assert module.bias is not None
        nn.init.zeros_(module.bias)
