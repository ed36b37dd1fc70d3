"""What a model of queries with kernels hands to its own verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from vis.losses.query_loss import QueryOutput


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The layers (in use, the last alone), and what of the canvas is content."""

    queries: QueryOutput
    states: Tensor
    """`[B Q C]` normed, of the last layer."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""

    def masks(self) -> KernelMasks:
        """Of the last layer, computed for those that are asked for."""
        return KernelMasks(self.queries.kernels[-1], self.queries.feature)


@dataclass(frozen=True, slots=True, eq=False)
class KernelMasks:
    """Each the product of a kernel with the mask feature of its clip."""

    kernels: Tensor
    """`[B N D]`."""
    feature: Tensor
    """`[B T D h w]`."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected slots clip by clip, at least single."""
        kind = torch.promote_types(self.feature.dtype, torch.float32)
        return torch.cat(
            [
                torch.einsum("nd,tdhw->nthw", kernels[chosen].to(kind), feature.to(kind))
                for kernels, feature, chosen in zip(self.kernels, self.feature, select, strict=True)
            ]
        )
