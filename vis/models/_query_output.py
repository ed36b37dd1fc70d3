"""What a model of queries with mask embeddings hands to its own verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from vis.losses.query_loss import QueryOutput
    from vis.models._masks import Masks


class Selectable(Protocol):
    """What a selection of predictions reads of an output, whichever model's it is."""

    @property
    def sizes(self) -> Tensor:
        """`[B 2]` pixels of the content."""

    @property
    def padded_size(self) -> tuple[int, int]:
        """Pixels, height and width, that the masks cover."""

    @property
    def class_logits(self) -> Tensor:
        """`[B Q K + 1]` of the clip; the last row is "no object"."""

    @property
    def states(self) -> Tensor:
        """`[B Q C]`."""

    def masks(self) -> Masks:
        """Of all queries, computed for those that are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The layers (in use, the last alone), and what of the padded frames is content."""

    queries: QueryOutput
    states: Tensor
    """`[B Q C]` normed, of the last layer."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""

    @property
    def class_logits(self) -> Tensor:
        """`[B Q K + 1]` of the last layer."""
        return self.queries.logits[-1]

    @property
    def padded_size(self) -> tuple[int, int]:
        """Pixels, height and width, that the masks cover."""
        return self.queries.padded_size

    def masks(self) -> EmbeddingMasks:
        """Of the last layer, computed for those that are asked for."""
        return EmbeddingMasks(self.queries.mask_embeddings[-1], self.queries.mask_features)


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingMasks:
    """Each the product of a mask embedding with the mask features of its clip."""

    mask_embeddings: Tensor
    """`[B N D]`."""
    mask_features: Tensor
    """`[B T D h w]`."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected queries clip by clip, at least single."""
        # Half precision would flip pixels whose logit lies near zero.
        kind = torch.promote_types(self.mask_features.dtype, torch.float32)
        return torch.cat(
            [
                torch.einsum(
                    "nd,tdhw->nthw", mask_embeddings[selected].to(kind), mask_features.to(kind)
                )
                for mask_embeddings, mask_features, selected in zip(
                    self.mask_embeddings, self.mask_features, select, strict=True
                )
            ]
        )
