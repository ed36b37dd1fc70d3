"""queries that look only where their own mask of the layer before says that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from vis.layers.heads import mlp
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
    feature: Tensor
    """`[B D T*h*w]` mask feature at the level's size."""


class MaskedLayer(nn.Module):
    """The queries look at the level, then at each other (Cheng et al., 2022, figure 2)."""

    def __init__(self, width: int, *, heads: int, hidden: int) -> None:
        super().__init__()
        self.cross_attention = Attention(width, heads, 0.0)
        self.self_attention = Attention(width, heads, 0.0)
        self.feedforward = FeedForward(width, hidden, 0.0, relu)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, state: Tensor, queries: Tensor, tokens: Tensor, keys: Tensor, allowed: Tensor
    ) -> Tensor:
        """`state [B Q C]`, `queries [Q C]`, `[B S C]`, `[B S C]`, `[B Q S]` bool -> `[B Q C]`.

        All heads share one mask.
        """
        seen = self.cross_attention(state + queries, keys, tokens, allowed[:, None])
        state = self.norm1(state + seen)
        placed = state + queries
        state = self.norm2(state + self.self_attention(placed, placed, state, None))
        return self.norm3(state + self.feedforward(state))  # type: ignore[no-any-return]


class MaskedDecoder(nn.Module):
    """Learned queries, a kernel of each for the mask feature after every layer.

    Args:
        width: channels of levels and queries.
        out: channels of the mask feature.
        queries: number of them.
        depth: layers.
        heads: of every attention.
        hidden: width of the feed-forward parts.
        positions: padding of a level to codes, of a frame or with time added.
    """

    def __init__(
        self,
        width: int,
        *,
        out: int,
        queries: int,
        depth: int,
        heads: int,
        hidden: int,
        positions: nn.Module,
    ) -> None:
        super().__init__()
        self.positions = positions
        self.content, self.query_positions = (nn.Embedding(queries, width) for _ in range(2))
        self.level_embed = nn.Embedding(LEVELS, width)
        self.layers = nn.ModuleList(
            MaskedLayer(width, heads=heads, hidden=hidden) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.mask_head = mlp(width, out)

    def forward(self, levels: list[Tensor], feature: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Normed states `[B Q C]` and kernels `[B Q D]`: the learned ones, then of each layer.

        Args:
            levels: `[B*T C h w]` of strides 32, 16 and 8, in this order.
            feature: `[B T D h w]` of stride 4.
        """
        memories = [
            self._memory(level, embed, feature)
            for level, embed in zip(levels, self.level_embed.weight, strict=True)
        ]
        queries = self.query_positions.weight
        state = self.content.weight.expand(len(feature), -1, -1)
        states = [self.norm(state)]
        kernels = [self.mask_head(states[0])]
        for index, layer in enumerate(self.layers):
            level = memories[index % LEVELS]
            allowed = allowed_cells(kernels[-1], level.feature)
            state = layer(state, queries, level.tokens, level.keys, allowed)
            states.append(self.norm(state))
            kernels.append(self.mask_head(states[-1]))
        return states, kernels

    def _memory(self, level: Tensor, embed: Tensor, feature: Tensor) -> Level:
        B, T = feature.shape[:2]
        size = level.shape[2:]
        tokens = rearrange(level, "(b t) c h w -> b (t h w) c", b=B) + embed
        whole = torch.zeros((1, T, *size), dtype=torch.bool, device=level.device)
        positions = self.positions(whole).to(tokens.dtype).flatten(1, 3)
        return Level(tokens, tokens + positions, shrunk_feature(feature, size))


@torch.no_grad()
def shrunk_feature(feature: Tensor, size: Sequence[int]) -> Tensor:
    """`[B T D h w]` -> `[B D T*h'*w']`, bilinear, at least single precision.

    Shrinking and the product with a kernel are both linear: masks of this are the shrunk masks.
    """
    frames = feature.flatten(0, 1)
    frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
    small = interpolate(frames, list(size), mode="bilinear", align_corners=False)
    return rearrange(small, "(b t) d h w -> b d (t h w)", b=len(feature))


@torch.no_grad()
def allowed_cells(kernels: Tensor, feature: Tensor) -> Tensor:
    """`[B Q D]`, `[B D S]` -> `[B Q S]` bool: the cells in each query's mask, all if it is empty.

    The published test is sigmoid(x) >= 0.5; it differs for logits that the sigmoid rounds up to
    0.5, above -1e-7 in single precision.
    """
    with torch.autocast(kernels.device.type, enabled=False):
        allowed = kernels.to(feature.dtype) @ feature >= 0
    return allowed | ~allowed.any(dim=-1, keepdim=True)
