"""Queries that look only where their own mask of the layer before says that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from vis.layers.prediction_heads import mlp
from vis.layers.transformer import Attention, FeedForward

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVELS = 3
"""Layer i looks at level i mod 3."""


class Level(NamedTuple):
    """One level of a batch of clips, all frames together."""

    tokens: Tensor
    """`[B T*h*w C]`."""
    keys: Tensor
    """The same with their positions."""
    mask_features: Tensor
    """`[B D T*h*w]` mask features at the level's size."""


class MaskedLayer(nn.Module):
    """The queries look at the level, then at each other (Cheng et al., 2022, figure 2)."""

    def __init__(self, d_model: int, *, num_heads: int, ffn_dim: int) -> None:
        super().__init__()
        self.cross_attention = Attention(d_model, num_heads, 0.0)
        self.self_attention = Attention(d_model, num_heads, 0.0)
        self.feedforward = FeedForward(d_model, ffn_dim, 0.0, relu)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, state: Tensor, queries: Tensor, tokens: Tensor, keys: Tensor, allowed: Tensor
    ) -> Tensor:
        """`state [B Q C]`, `queries [Q C]`, `[B S C]`, `[B S C]`, `[B Q S]` bool -> `[B Q C]`.

        All heads share one mask.
        """
        # Cross-attention first: before it, the queries know nothing of the picture (3.2.2).
        attended = self.cross_attention(state + queries, keys, tokens, allowed[:, None])
        state = self.norm1(state + attended)
        placed = state + queries
        state = self.norm2(state + self.self_attention(placed, placed, state, None))
        return self.norm3(state + self.feedforward(state))  # type: ignore[no-any-return]


class MaskedDecoder(nn.Module):
    """Learned queries, a mask embedding of each after every layer.

    Args:
        d_model: channels of levels and queries.
        out: channels of the mask features.
        queries: number of them.
        depth: layers.
        num_heads: of every attention.
        ffn_dim: width of the feed-forward parts.
        positions: padding of a level to codes, of a frame or with time added.
    """

    def __init__(
        self,
        d_model: int,
        *,
        out: int,
        queries: int,
        depth: int,
        num_heads: int,
        ffn_dim: int,
        positions: nn.Module,
    ) -> None:
        super().__init__()
        self.positions = positions
        self.content, self.query_positions = (nn.Embedding(queries, d_model) for _ in range(2))
        self.level_embed = nn.Embedding(LEVELS, d_model)
        self.layers = nn.ModuleList(
            MaskedLayer(d_model, num_heads=num_heads, ffn_dim=ffn_dim) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(d_model)
        self.mask_head = mlp(d_model, out)

    def forward(
        self, levels: list[Tensor], mask_features: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Normed states `[B Q C]` and mask embeddings `[B Q D]`: before and after each layer.

        Args:
            levels: `[B*T C h w]` of strides 32, 16 and 8, in this order.
            mask_features: `[B T D h w]` of stride 4.
        """
        memories = [
            self._memory(level, embed, mask_features)
            for level, embed in zip(levels, self.level_embed.weight, strict=True)
        ]
        queries = self.query_positions.weight
        # Unlike DETR's, queries start with content: the first masks come of it.
        state = self.content.weight.expand(len(mask_features), -1, -1)
        states = [self.norm(state)]
        mask_embeddings = [self.mask_head(states[0])]
        for index, layer in enumerate(self.layers):
            level = memories[index % LEVELS]
            # The mask of the layer before, at the size of the level that comes next.
            allowed = allowed_cells(mask_embeddings[-1], level.mask_features)
            state = layer(state, queries, level.tokens, level.keys, allowed)
            states.append(self.norm(state))
            mask_embeddings.append(self.mask_head(states[-1]))
        return states, mask_embeddings

    def _memory(self, level: Tensor, embed: Tensor, mask_features: Tensor) -> Level:
        B, T = mask_features.shape[:2]
        size = level.shape[2:]
        # The level's embedding is part of keys and values; the position is of keys alone.
        tokens = rearrange(level, "(b t) c h w -> b (t h w) c", b=B) + embed
        whole = torch.zeros((1, T, *size), dtype=torch.bool, device=level.device)
        positions = self.positions(whole).to(tokens.dtype).flatten(1, 3)
        return Level(tokens, tokens + positions, downsample_features(mask_features, size))


@torch.no_grad()
def downsample_features(mask_features: Tensor, size: Sequence[int]) -> Tensor:
    """`[B T D h w]` -> `[B D T*h'*w']`, bilinear, at least single precision.

    Resizing and the product with a mask embedding are both linear: masks of this are the resized
    masks.
    """
    frames = mask_features.flatten(0, 1)
    frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
    small = interpolate(frames, list(size), mode="bilinear", align_corners=False)
    return rearrange(small, "(b t) d h w -> b d (t h w)", b=len(mask_features))


@torch.no_grad()
def allowed_cells(mask_embeddings: Tensor, mask_features: Tensor) -> Tensor:
    """`[B Q D]`, `[B D S]` -> `[B Q S]` bool: the cells in each query's mask, all if it is empty.

    The published test is sigmoid(x) >= 0.5; it differs for logits that the sigmoid rounds up to
    0.5, above -1e-7 in single precision.
    """
    with torch.autocast(mask_embeddings.device.type, enabled=False):
        allowed = mask_embeddings.to(mask_features.dtype) @ mask_features >= 0
    # A query without any cell would be a softmax over nothing: NaN.
    return allowed | ~allowed.any(dim=-1, keepdim=True)
