"""What a model of instance queries hands to its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput:
    """One decoder layer; query n through all frames is one track, and an image is T = 1."""

    logits: Tensor
    """`[B T N K]` raw; the last row is "no object"."""
    boxes: Tensor
    """`[B T N 4]` cxcywh as fractions of the content."""


@dataclass(frozen=True, slots=True, eq=False)
class SequenceOutput:
    """All decoder layers and the masks of the last one."""

    layers: list[LayerOutput]
    """The last is the prediction; those before it are supervised too."""
    masks: Tensor | None = None
    """`[B T N h w]` logits of the last layer over the whole padded frame, padding included."""
    padded_size: tuple[int, int] | None = None
    """Pixels, height and width, that `masks` cover; unset: the largest target mask of the batch."""
    sizes: Tensor | None = None
    """`[B 2]` int64 valid sizes (`Clip.sizes`); unset: those of each clip's target masks."""
