"""A model and its losses as one call, which is what wrappers of several processes want to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.models import Model
    from vis.records import Clip, ClipTargets

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class LossModule(nn.Module):
    """Clips and their truth become losses.

    Args:
        model: whose parameters are trained.
        precision: of what its `forward` computes; losses are single precision.
    """

    def __init__(self, model: Model[Any], precision: str) -> None:
        super().__init__()
        self.model = model
        self._dtype = DTYPES.get(precision)

    def forward(self, clip: Clip, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised."""
        kind = clip.frames.device.type
        # autocast covers the model alone: sums over many cells lose too much in half precision
        with torch.autocast(kind, dtype=self._dtype, enabled=self._dtype is not None):
            output = self.model(clip)
        return self.model.losses(output, targets)
