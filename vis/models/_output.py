"""What a model of instance queries hands to its own verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from vis.losses.outputs import LayerOutput, SequenceOutput

if TYPE_CHECKING:
    from torch import Tensor

    from vis.models._masks import SequenceMasks


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """All decoder layers and, where the model has any, the masks of the last."""

    layers: list[LayerOutput]
    masks: SequenceMasks | None
    padded_size: tuple[int, int]
    """Pixels that the masks cover, padding included."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""

    def dense(self) -> SequenceOutput:
        """The same with the masks of all queries."""
        if self.masks is None:
            return SequenceOutput(self.layers, None, self.padded_size, self.sizes)
        logits = self.layers[-1].logits
        batch, _, queries = logits.shape[:3]
        # The loss compares whole clips, so nothing can be left out there.
        everything = torch.ones(batch, queries, dtype=torch.bool, device=logits.device)
        masks = rearrange(self.masks.logits(everything), "(b n) t h w -> b t n h w", b=batch)
        return SequenceOutput(self.layers, masks, self.padded_size, self.sizes)
