"""From RF-DETR's queries to the objects of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from vis.layers.mask_blocks import STRIDE
from vis.models._query_selection import QueryClassPairs, best_pairs
from vis.ops.boxes import to_corners
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.rf_detr_output import RFDETROutput


@dataclass(frozen=True, slots=True)
class RankedSelection:
    """The surest queries; scores are those of classes alone, and nothing is suppressed."""

    keep: int
    """The most of a picture."""
    repeat_queries: bool
    """Whether a query may come with several classes, as published, or with its best alone."""

    def __call__(self, output: RFDETROutput, class_names: Sequence[str]) -> list[ClipPredictions]:
        """The best first; a class whose name is "" is never predicted."""
        return [self._of(output, clip, class_names) for clip in range(len(output.sizes))]

    def _of(self, output: RFDETROutput, clip: int, class_names: Sequence[str]) -> ClipPredictions:
        last = output.layers[-1]
        class_probs = last.logits[clip].float().sigmoid()
        if class_names:
            class_probs = class_probs * class_probs.new_tensor([bool(name) for name in class_names])
        pairs = (best_pairs if self.repeat_queries else best_queries)(class_probs, self.keep)
        logits = torch.einsum(
            "nc,chw->nhw", last.mask_queries[clip, pairs.queries], last.mask_features[clip]
        )
        height, width = (-(-pixels // STRIDE) for pixels in output.sizes[clip].tolist())
        # Over the content, whatever it was squashed to; of the input's own size they stay.
        masks = interpolate(
            (logits.float() + last.mask_bias)[:, None],
            (height, width),
            mode="bilinear",
            align_corners=False,
        )
        boxes = to_corners(last.boxes[clip, pairs.queries].float()).clamp(0, 1)[:, None]
        return ClipPredictions(
            scores=pairs.scores,
            labels=pairs.labels,
            class_scores=class_probs[pairs.queries],
            boxes=boxes,
            masks=masks.sigmoid(),
            # The score says how sure it is; said twice, the tracker would hide the rest.
            presence=torch.ones_like(boxes[..., 0]),
            embeddings=output.states[clip, pairs.queries].float(),
        )


def best_queries(class_probs: Tensor, keep: int) -> QueryClassPairs:
    """The surest queries of `[Q K]`, each with its best class; of equals the lower first."""
    scores, labels = class_probs.max(dim=-1)
    order = scores.argsort(descending=True, stable=True)[:keep]
    return QueryClassPairs(order, labels[order], scores[order])
