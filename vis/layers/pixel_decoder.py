"""From a backbone's four maps to one fine mask feature and three levels that know each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from vis.layers.deformable_attention import DeformableAttention
from vis.layers.positions import SinePositions2D
from vis.layers.transformer import FeedForward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.layers.deformable_attention import Size

LEVELS = 3
"""Of strides 32, 16 and 8; the map of stride 4 is too large to be attended to."""
GROUPS = 32


class DeformableLayer(nn.Module):
    """Every cell looks at some places of all levels (Zhu et al., 2021, figure 2, left).

    Args:
        d_model: channels.
        num_heads: of the attention.
        levels: of the pyramid.
        points: that each head looks at in each level.
        ffn_dim: width of the feed-forward part.
        dropout: in training.
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_heads: int,
        levels: int,
        points: int,
        ffn_dim: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention = DeformableAttention(
            d_model, num_heads=num_heads, levels=levels, points=points
        )
        self.feedforward = FeedForward(d_model, ffn_dim, dropout, relu)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        for linear in (self.feedforward.linear1, self.feedforward.linear2):
            nn.init.xavier_uniform_(linear.weight)

    def forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        reference_points: Tensor,
        sizes: Sequence[Size],
        padding: Tensor | None = None,
    ) -> Tensor:
        """`[B S C]` cells of all levels -> the same; see `DeformableAttention`."""
        attended = self.attention(tokens + positions, reference_points, tokens, sizes, padding)
        tokens = self.norm1(tokens + self.dropout(attended))
        return self.norm2(tokens + self.feedforward(tokens))  # type: ignore[no-any-return]


class PixelDecoder(nn.Module):
    """Mask2Former's (Cheng et al., 2022, section 3.2.3 and appendix); each frame for itself.

    Padding is taken for content, as published.

    Args:
        channels: of the four maps, the largest first.
        d_model: channels of the levels.
        out: channels of the mask features.
        depth: layers.
        num_heads: of the attention.
        points: of the attention.
        ffn_dim: width of the feed-forward parts.
    """

    def __init__(
        self,
        channels: Sequence[int],
        d_model: int,
        *,
        out: int,
        depth: int,
        num_heads: int,
        points: int = 4,
        ffn_dim: int = 1024,
    ) -> None:
        super().__init__()
        fine, *coarse = channels
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, d_model, 1), _norm(d_model))
            for count in reversed(coarse)
        )
        self.level_embed = nn.Parameter(torch.randn(LEVELS, d_model))
        self.positions = SinePositions2D(d_model)
        self.layers = nn.ModuleList(
            DeformableLayer(
                d_model, num_heads=num_heads, levels=LEVELS, points=points, ffn_dim=ffn_dim
            )
            for _ in range(depth)
        )
        self.lateral = nn.Sequential(nn.Conv2d(fine, d_model, 1, bias=False), _norm(d_model))
        self.fuse = nn.Sequential(
            nn.Conv2d(d_model, d_model, 3, padding=1, bias=False), _norm(d_model), nn.ReLU()
        )
        self.mask_feature = nn.Conv2d(d_model, out, 1)
        self._start()

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Maps `[M C h w]`, the largest first -> feature `[M D h w]` of stride 4, levels.

        The levels `[M C h w]` are of strides 32, 16 and 8, in this order.
        """
        fine, *coarse = maps
        entered = [enter(x) for enter, x in zip(self.inputs, reversed(coarse), strict=True)]
        sizes = [(x.shape[2], x.shape[3]) for x in entered]
        tokens = torch.cat([rearrange(x, "m c h w -> m (h w) c") for x in entered], dim=1)
        positions, reference_points = self._positions(entered, sizes), cell_centres(sizes, tokens)
        # Of every picture the same: padding counts as content here.
        reference_points = reference_points.expand(len(tokens), -1, -1, -1)
        for layer in self.layers:
            tokens = layer(tokens, positions, reference_points, sizes)
        parts = torch.split(tokens, [height * width for height, width in sizes], dim=1)
        levels = [
            rearrange(part, "m (h w) c -> m c h w", h=height)
            for part, (height, _) in zip(parts, sizes, strict=True)
        ]
        # Bilinear: a comment in the published code says nearest, the code itself does not.
        enlarged = interpolate(levels[-1], fine.shape[2:], mode="bilinear", align_corners=False)
        return self.mask_feature(self.fuse(self.lateral(fine) + enlarged)), levels

    def _positions(self, entered: list[Tensor], sizes: Sequence[Size]) -> Tensor:
        """`[1 S C]`: the code of the cell and that of its level."""
        codes = []
        for x, size, level in zip(entered, sizes, self.level_embed, strict=True):
            whole = torch.zeros((1, 1, *size), dtype=torch.bool, device=x.device)
            codes.append(self.positions(whole).to(x.dtype).flatten(1, 3) + level)
        return torch.cat(codes, dim=1)

    def _start(self) -> None:
        for part in (self.inputs, self.lateral, self.fuse, self.mask_feature):
            for conv in part.modules():
                if not isinstance(conv, nn.Conv2d):
                    continue
                # Published: Xavier where maps enter the attention, He (a=1) in the pyramid's steps.
                if part is self.inputs:
                    nn.init.xavier_uniform_(conv.weight)
                else:
                    nn.init.kaiming_uniform_(conv.weight, a=1)
                if conv.bias is not None:
                    nn.init.zeros_(conv.bias)


def cell_centres(sizes: Sequence[Size], like: Tensor) -> Tensor:
    """`[1 S L 2]` x, y: the middle of every cell of all levels, the same in each level."""
    centres = []
    for height, width in sizes:
        rows, columns = (
            (torch.arange(count, device=like.device, dtype=torch.float32) + 0.5) / count
            for count in (height, width)
        )
        x, y = torch.meshgrid(columns, rows, indexing="xy")
        centres.append(torch.stack((x, y), dim=-1).flatten(0, 1))
    whole = torch.cat(centres).to(torch.promote_types(like.dtype, torch.float32))
    return whole[None, :, None].expand(-1, -1, len(sizes), -1)


def _norm(width: int) -> nn.GroupNorm:
    """At least two channels a group: one alone has nothing to norm in a map of one cell."""
    return nn.GroupNorm(min(GROUPS, width // 2), width)
