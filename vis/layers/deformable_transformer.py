"""Deformable DETR's transformer: levels of a picture, and queries that look at a few places."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import relu

from vis.layers.deformable_attention import DeformableAttention
from vis.layers.padding import downsample_padding
from vis.layers.pixel_decoder import GROUPS, DeformableLayer, cell_centres
from vis.layers.positions import SinePositions2D
from vis.layers.transformer import Attention, FeedForward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.layers.deformable_attention import Size


class Memory(NamedTuple):
    """The cells of all levels of a batch of pictures, end to end, and what of them is content."""

    tokens: Tensor
    """`[B S C]`."""
    sizes: list[Size]
    """Of the levels, the finest first."""
    padding: Tensor | None
    """`[B S]` bool, None for none."""
    valid_ratios: Tensor
    """`[B L 2]` x, y: the share of each level that is content."""

    @classmethod
    def of_map(cls, features: Tensor) -> Memory:
        """A map `[B C h w]` as the only level, all of it content."""
        size = (features.shape[2], features.shape[3])
        tokens = rearrange(features, "b c h w -> b (h w) c")
        return cls(tokens, [size], None, features.new_ones(len(features), 1, 2))

    def content_points(self) -> Tensor:
        """`[B S 2]` x, y: each cell's middle as fractions of the content, above 1 beyond it."""
        counts = [height * width for height, width in self.sizes]
        own = self.valid_ratios.repeat_interleave(
            torch.tensor(counts, device=self.valid_ratios.device), dim=1, output_size=sum(counts)
        )
        return cell_centres(self.sizes, self.valid_ratios)[:, :, 0] / own

    def level_points(self, points: Tensor) -> Tensor:
        """Fractions of the content, points `[B Q 2]` or boxes `[B Q 4]`, -> of each level.

        Returns:
            `[B Q L 2]` or `[B Q L 4]`.
        """
        valid_ratios = self.valid_ratios.repeat(1, 1, points.shape[-1] // 2)
        return points[:, :, None] * valid_ratios[:, None]


class LevelEntry(nn.Module):
    """A backbone's last maps as levels of one width; further levels are made of the last map.

    Args:
        channels: of the maps, the finest first.
        d_model: channels of the levels.
        levels: how many, at least as many as maps.
    """

    def __init__(self, channels: Sequence[int], d_model: int, *, levels: int) -> None:
        super().__init__()
        further = [channels[-1], *[d_model] * (levels - len(channels) - 1)]
        self.convs = nn.ModuleList(_entry(count, d_model, 1) for count in channels)
        self.convs.extend(_entry(count, d_model, 3) for count in further[: levels - len(channels)])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps `[B C h w]` -> levels `[B D h w]`, the finest first."""
        levels = [conv(x) for conv, x in zip(self.convs, maps, strict=False)]
        x = maps[-1]
        # The first further level is made of the backbone's map, the others of the level before.
        for conv in list(self.convs)[len(maps) :]:
            x = conv(x)
            levels.append(x)
        return levels


class DeformableEncoder(nn.Module):
    """Every cell looks at some places of all levels (Zhu et al., 2021, section 4.1).

    Args:
        d_model: channels.
        num_heads: of every attention.
        levels: of the pyramid.
        points: that each head looks at in each level.
        depth: layers.
        ffn_dim: width of the feed-forward parts.
        dropout: in training.
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_heads: int,
        levels: int,
        points: int,
        depth: int,
        ffn_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        # Half a cell back, as in the published code since December 2020: middles, not ends.
        self.positions = SinePositions2D(d_model, back=0.5)
        # Tells levels apart: cells of two levels may have the same place (section 4.1).
        self.level_embed = nn.Parameter(torch.randn(levels, d_model))
        self.layers = nn.ModuleList(
            DeformableLayer(
                d_model,
                num_heads=num_heads,
                levels=levels,
                points=points,
                ffn_dim=ffn_dim,
                dropout=dropout,
            )
            for _ in range(depth)
        )

    def forward(self, levels: list[Tensor], padding: Tensor | None) -> Memory:
        """Levels `[B C h w]`, padding of the frames `[B H W]` bool, None for none."""
        codes, outside, valid_ratios = [], [], []
        for x, embed in zip(levels, self.level_embed, strict=True):
            beyond = _padding(x, padding)
            codes.append(self.positions(beyond[:, None]).to(x.dtype).flatten(1, 3) + embed)
            outside.append(beyond.flatten(1))
            valid_ratios.append(_valid_ratio(beyond))
        tokens = torch.cat([rearrange(x, "b c h w -> b (h w) c") for x in levels], dim=1)
        memory = Memory(
            tokens,
            [(x.shape[2], x.shape[3]) for x in levels],
            None if padding is None else torch.cat(outside, dim=1),
            torch.stack(valid_ratios, dim=1),
        )
        positions, reference_points = (
            torch.cat(codes, dim=1),
            memory.level_points(memory.content_points()),
        )
        for layer in self.layers:
            tokens = layer(tokens, positions, reference_points, memory.sizes, memory.padding)
        return memory._replace(tokens=tokens)


class DeformableDecoderLayer(nn.Module):
    """The queries look at each other, then at some places around their references.

    Args:
        d_model: channels.
        num_heads: of both attentions.
        levels: of the pyramid.
        points: that each head looks at in each level.
        ffn_dim: width of the feed-forward part.
        dropout: in training.
        cross_heads: of the attention to the levels, where they are others.
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_heads: int,
        levels: int,
        points: int,
        ffn_dim: int,
        dropout: float,
        cross_heads: int | None = None,
    ) -> None:
        super().__init__()
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.cross_attention = DeformableAttention(
            d_model, num_heads=cross_heads or num_heads, levels=levels, points=points
        )
        self.feedforward = FeedForward(d_model, ffn_dim, dropout, relu)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        for linear in (
            self.self_attention.out_proj,
            self.feedforward.linear1,
            self.feedforward.linear2,
        ):
            nn.init.xavier_uniform_(linear.weight)

    def forward(
        self,
        state: Tensor,
        positions: Tensor,
        references: Tensor,
        memory: Memory,
        *,
        groups: int = 1,
    ) -> Tensor:
        """`[B Q C]`, `[B Q C]` -> `[B Q C]`.

        Args:
            state: of the queries.
            positions: of the queries.
            references: points `[B Q 2]` or boxes `[B Q 4]` cxcywh as fractions of the content.
            memory: of the encoder.
            groups: of as many queries, one after the other; they do not look at each other.
        """
        placed, apart = (
            rearrange(x, "b (groups q) c -> (b groups) q c", groups=groups)
            for x in (state + positions, state)
        )
        attended = self.self_attention(placed, placed, apart, None)
        attended = rearrange(attended, "(b groups) q c -> b (groups q) c", groups=groups)
        state = self.norm1(state + self.dropout(attended))
        attended = self.cross_attention(
            state + positions,
            memory.level_points(references),
            memory.tokens,
            memory.sizes,
            memory.padding,
        )
        state = self.norm2(state + self.dropout(attended))
        return self.norm3(state + self.feedforward(state))  # type: ignore[no-any-return]


def _entry(count: int, d_model: int, kernel: int) -> nn.Sequential:
    """A 1 x 1 convolution, or one of 3 x 3 that halves the map; then a norm."""
    conv = nn.Conv2d(count, d_model, kernel, stride=(kernel + 1) // 2, padding=kernel // 2)
    nn.init.xavier_uniform_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, nn.GroupNorm(min(GROUPS, d_model // 2), d_model))


def _padding(level: Tensor, padding: Tensor | None) -> Tensor:
    """`[B h w]` bool."""
    size = level.shape[2:]
    if padding is None:
        return torch.zeros((len(level), *size), dtype=torch.bool, device=level.device)
    return downsample_padding(padding, size)


def _valid_ratio(padding: Tensor) -> Tensor:
    """`[B h w]` bool -> `[B 2]` x, y: the share of columns and rows that are content."""
    inside = ~padding
    # Padding lies right and below, so the first row and column show all of it.
    columns, rows = inside[:, 0].float().mean(dim=1), inside[:, :, 0].float().mean(dim=1)
    return torch.stack((columns, rows), dim=1)
