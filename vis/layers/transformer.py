"""The transformer of DETR (Carion et al., 2020): post-norm, positions added to queries and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]


class Attention(nn.Module):
    """Attention of several heads; one packed projection holds the rows of query, key and value.

    Args:
        d_model: channels, a multiple of `num_heads`.
        num_heads: number of heads.
        dropout: of the attention weights.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        # One packed matrix 3C x C is drawn as a block, as torch's attention does it.
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None) -> Tensor:
        """`[B Q C]`, `[B S C]`, `[B S C]` -> `[B Q C]`; `allowed [B 1 1 S]` bool, None for all."""
        parts = zip(
            (query, key, value),
            self.in_proj_weight.chunk(3),
            self.in_proj_bias.chunk(3),
            strict=True,
        )
        q, k, v = (self._split(functional.linear(x, weight, bias)) for x, weight, bias in parts)
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=allowed, dropout_p=dropout
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return rearrange(x, "b s (heads c) -> b heads s c", heads=self.num_heads)


class EncoderLayer(nn.Module):
    """Every token looks at every token."""

    def __init__(
        self, d_model: int, *, num_heads: int, ffn_dim: int, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.feedforward = FeedForward(d_model, ffn_dim, dropout, activation)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor, allowed: Tensor | None) -> Tensor:
        """`[B S C]`, `[B S C]` -> `[B S C]`; `allowed [B 1 1 S]` bool, None for all."""
        # Positions go to queries and keys at every layer, never to values (figure 10).
        placed = tokens + positions
        attended = self.self_attention(placed, placed, tokens, allowed)
        # Post-norm, as published; the weights of a pre-norm model would not fit.
        tokens = self.norm1(tokens + self.dropout(attended))
        return self.norm2(tokens + self.feedforward(tokens))  # type: ignore[no-any-return]


class DecoderLayer(nn.Module):
    """The queries look at each other, then at the memory."""

    def __init__(
        self, d_model: int, *, num_heads: int, ffn_dim: int, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.cross_attention = Attention(d_model, num_heads, dropout)
        self.feedforward = FeedForward(d_model, ffn_dim, dropout, activation)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: Tensor, queries: Tensor, memory: Memory) -> Tensor:
        """`state [B Q C]`, `queries [Q C]` -> `[B Q C]`."""
        placed = state + queries
        attended = self.self_attention(placed, placed, state, None)
        state = self.norm1(state + self.dropout(attended))
        attended = self.cross_attention(state + queries, memory.keys, memory.tokens, memory.allowed)
        state = self.norm2(state + self.dropout(attended))
        return self.norm3(state + self.feedforward(state))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linear layers, each token for itself."""

    def __init__(self, d_model: int, ffn_dim: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, ffn_dim), nn.Linear(ffn_dim, d_model)
        self.dropout, self.activation = nn.Dropout(dropout), activation

    def forward(self, tokens: Tensor) -> Tensor:
        """`[... C]` -> `[... C]`, dropout included."""
        inner = self.dropout(self.activation(self.linear1(tokens)))
        return self.dropout(self.linear2(inner))  # type: ignore[no-any-return]


class Memory(NamedTuple):
    """What the encoder made of the tokens."""

    tokens: Tensor
    """`[B S C]`."""
    keys: Tensor
    """`[B S C]`, the tokens with their positions."""
    allowed: Tensor | None
    """`[B 1 1 S]` bool, None for all."""


class Transformer(nn.Module):
    """Encoder without a last norm; decoder from zeros, its norm shared by all layers' outputs.

    Args:
        d_model: channels.
        num_heads: heads of every attention.
        encoder_layers: encoder layers.
        decoder_layers: decoder layers.
        ffn_dim: width inside the feed-forward parts.
        dropout: in training, wherever the paper has it.
        activation: of the feed-forward parts.
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_heads: int,
        encoder_layers: int,
        decoder_layers: int,
        ffn_dim: int,
        dropout: float,
        activation: Activation,
    ) -> None:
        super().__init__()

        def stack(layer: type[EncoderLayer | DecoderLayer], depth: int) -> nn.ModuleList:
            return nn.ModuleList(
                layer(
                    d_model,
                    num_heads=num_heads,
                    ffn_dim=ffn_dim,
                    dropout=dropout,
                    activation=activation,
                )
                for _ in range(depth)
            )

        self.encoder, self.decoder = (
            stack(EncoderLayer, encoder_layers),
            stack(DecoderLayer, decoder_layers),
        )
        # One norm for the outputs of all layers, so that one head can read each of them.
        self.norm = nn.LayerNorm(d_model)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, tokens: Tensor, positions: Tensor, queries: Tensor, allowed: Tensor | None
    ) -> tuple[list[Tensor], Tensor]:
        """Every decoder layer's `[B Q C]`, the last one last, and the memory `[B S C]`.

        Args:
            tokens: `[B S C]`.
            positions: `[B S C]`.
            queries: `[Q C]` learned positions of the queries.
            allowed: `[B 1 1 S]` bool, False on padding; None where there is none.
        """
        memory = self.encode(tokens, positions, allowed)
        return self.decode(queries, memory), memory.tokens

    def encode(self, tokens: Tensor, positions: Tensor, allowed: Tensor | None) -> Memory:
        """The first half of `forward`, with its arguments."""
        for layer in self.encoder:
            tokens = layer(tokens, positions, allowed)
        return Memory(tokens, tokens + positions, allowed)

    def decode(self, queries: Tensor, memory: Memory) -> list[Tensor]:
        """The second half of `forward`: queries `[Q C]` -> `[B Q C]` of every layer."""
        # The content of a query starts at zero; what tells queries apart is their position alone.
        state = torch.zeros_like(queries).expand(len(memory.tokens), -1, -1)
        outputs = []
        for layer in self.decoder:
            state = layer(state, queries, memory)
            outputs.append(self.norm(state))
        return outputs
