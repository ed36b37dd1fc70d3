"""What RF-DETR hands to its loss: its layers with masks that are not multiplied out yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput:
    """One decoder layer, or the encoder's selection; N = groups * Q queries, group after group."""

    logits: Tensor
    """`[B N K]` raw, a sigmoid each; there is no row for "no object"."""
    boxes: Tensor
    """`[B N 4]` cxcywh as fractions of the picture; unbounded, they may reach outside of 0..1."""
    mask_queries: Tensor
    """`[B N C]`, of which a mask is the product with `mask_features`."""
    mask_features: Tensor
    """`[B C h w]` of this layer, at a quarter of the input."""
    mask_bias: Tensor
    """`[]` added to every mask logit."""

    def masks(self) -> Tensor:
        """`[B N h w]` logits of all queries; the memory that the factors save."""
        return torch.einsum("bnc,bchw->bnhw", self.mask_queries, self.mask_features) + (
            self.mask_bias
        )


@dataclass(frozen=True, slots=True, eq=False)
class RFDETROutput:
    """All layers of a batch of pictures."""

    layers: list[LayerOutput]
    """The last is the prediction; those before it are supervised too, in training alone."""
    encoder: LayerOutput | None
    """The cells that were selected, with the encoder's boxes; in training alone."""
    groups: int
    """Groups of queries that do not see each other: 1 outside training."""
    states: Tensor
    """`[B N C]` of the last layer, normed."""
    sizes: Tensor
    """`[B 2]` pixels of the content of each picture."""
