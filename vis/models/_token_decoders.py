"""Segmenter's decoders (Strudel et al., 2021, 3.2): from patch tokens to scores of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vis.backbones.vit import block

if TYPE_CHECKING:
    from collections.abc import Iterator


class LinearDecoder(nn.Module):
    """Each token for itself.

    Args:
        d_model: channels.
        classes: how many.
    """

    def __init__(self, d_model: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(d_model, classes)
        initialise(self)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[M N C]` -> `[M N K]`."""
        return self.head(tokens)  # type: ignore[no-any-return]

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: none."""
        yield from ()


class MaskTransformer(nn.Module):
    """Patches and classes look at each other; a score is the cosine of the two, normed.

    Args:
        d_model: channels.
        classes: how many.
        depth: layers.
        num_heads: of each layer.
        dropout: in the layers.
    """

    def __init__(
        self, d_model: int, classes: int, *, depth: int, num_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(d_model, d_model)
        self.classes = nn.Parameter(torch.empty(1, classes, d_model))
        self.blocks = nn.ModuleList(
            block(d_model, num_heads, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(d_model)
        self.patch_map = nn.Parameter(d_model**-0.5 * torch.randn(d_model, d_model))
        self.class_map = nn.Parameter(d_model**-0.5 * torch.randn(d_model, d_model))
        self.score_norm = nn.LayerNorm(classes)
        initialise(self)
        nn.init.trunc_normal_(self.classes, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[M N C]` -> `[M N K]`."""
        count = tokens.shape[1]
        patches = self.projection(tokens)
        # Class embeddings come after the patches, as the published weights were trained.
        x = torch.cat((patches, self.classes.expand(len(tokens), -1, -1)), dim=1)
        for layer in self.blocks:
            x = layer(x)
        x = self.norm(x)
        # Equation 5 with both sides normed: a cosine, so the norm after it sets the scale.
        patches = normalize(x[:, :count] @ self.patch_map, dim=-1)
        classes = normalize(x[:, count:] @ self.class_map, dim=-1)
        return self.score_norm(patches @ classes.mT)  # type: ignore[no-any-return]

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: the layers."""
        yield from self.blocks


def initialise(part: nn.Module) -> None:
    """Linear layers as the published code begins."""
    for module in part.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
