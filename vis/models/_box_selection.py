"""From anchors to objects: boxes suppressed, masks put in place, parts given up for wholes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional
from torchvision.ops import nms, roi_align

from vis.layers.roi_masks import FINE, STRIDES
from vis.ops.boxes import boxes_of, coverage
from vis.ops.crops import put_back
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

STRIDE = 2
"""Pixels of the content for each cell of a predicted mask."""
LOOK = 7
"""Cells of the side of what embeddings are made of."""
CANDIDATES = 400
"""The most boxes that are compared."""


class Detections(NamedTuple):
    """Boxes of one picture that are not suppressed, the best first."""

    scores: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    class_scores: Tensor
    """`[N K]`."""
    boxes: Tensor
    """`[N 4]` corners as fractions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSelection:
    """Which boxes become predictions."""

    min_score: float
    overlap: float
    """Of boxes, from which the less sure one is suppressed."""
    keep: int
    inside: float = 0.8
    """Share of the smaller mask that a larger one of the same class covers, from which the two are
    one object, seen whole and in part."""

    def boxes(self, scores: Tensor, boxes: Tensor) -> Detections:
        """One name an object: boxes suppress each other across classes, too.

        Args:
            scores: `[A K]`.
            boxes: `[A 4]` corners as fractions.
        """
        best, labels = scores.max(dim=1)
        # Stable: of equal scores the first anchor wins, on every device.
        rows = best.argsort(descending=True, stable=True)[:CANDIDATES]
        rows = rows[best[rows] >= self.min_score]
        # Clamped before suppression: parts outside of the picture must not count as overlap.
        boxes = boxes[rows].clamp(0, 1)
        large = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(dim=1)
        rows, boxes = rows[large], boxes[large]
        # Across classes: an object must not have two names. Published detectors compare within one.
        indices = nms(boxes, best[rows], self.overlap)[: self.keep]
        rows = rows[indices]
        return Detections(best[rows], labels[rows], scores[rows], boxes[indices])

    def __call__(
        self,
        detections: Detections,
        masks: Tensor,
        around: Tensor,
        looks: Tensor,
        size: Sequence[int],
    ) -> ClipPredictions:
        """Masks `[N m m]` within boxes `[N 4]` as predictions over the content of this size."""
        height, width = (-(-side // STRIDE) for side in size)
        whole = put_back(masks, around, (height, width))
        # A mask without a pixel is no object, whatever the detector says.
        inside = whole > 0.5
        rows = inside.flatten(1).any(dim=1).nonzero()[:, 0]
        rows = rows[self._wholes(inside[rows].flatten(1).float(), detections, rows)]
        whole = whole[rows, None]
        return ClipPredictions(
            scores=detections.scores[rows] * confidence(masks[rows]),
            labels=detections.labels[rows],
            class_scores=detections.class_scores[rows],
            boxes=boxes_of(whole > 0.5),
            masks=whole,
            # the score says how sure the model is; said twice, the tracker would hide the rest
            presence=torch.ones_like(whole[:, :, 0, 0]),
            embeddings=looks[rows],
        )

    def _wholes(self, masks: Tensor, detections: Detections, rows: Tensor) -> Tensor:
        """Which of the masks `[N P]` stay, in their order."""
        same = self.same_object(masks, detections.labels[rows]).tolist()
        wholes: list[int] = []
        for row in range(len(rows)):
            # Best first, so a part that is surer than its whole stays and the whole goes.
            if not any(same[row][other] for other in wholes):
                wholes.append(row)
        return torch.tensor(wholes, dtype=torch.int64, device=masks.device)

    def same_object(self, masks: Tensor, labels: Tensor) -> Tensor:
        """`[N N]` which of the masks `[N P]` are a whole and its part, by their classes `[N]`."""
        areas = masks.sum(dim=1)
        # Of the smaller mask: a part lies wholly in its whole, though their IoU is small.
        shared = masks @ masks.T / torch.minimum(areas[:, None], areas[None]).clamp(min=1)
        return (shared >= self.inside) & (labels[:, None] == labels[None])


def confidence(masks: Tensor) -> Tensor:
    """`[N]` mean probability of what is inside each of the masks `[N m m]`, 0 where nothing is.

    A box of background has pixels that are hardly inside (Wang et al., 2020, section 3.3, of SOLO).
    """
    inside = masks > 0.5
    return (masks * inside).sum(dim=(1, 2)) / inside.sum(dim=(1, 2)).clamp(min=1)


def widened(boxes: Tensor, margin: float) -> Tensor:
    """Corner boxes `[N 4]`, on each side larger by a part of their sides."""
    more = margin * (boxes[:, 2:] - boxes[:, :2])
    return torch.cat((boxes[:, :2] - more, boxes[:, 2:] + more), dim=1)


def embeddings(
    levels: Sequence[Tensor], masks: Tensor, boxes: Tensor, size: tuple[int, int]
) -> Tensor:
    """`[N C]` how the maps over the pixels of each mask differ from those of the whole picture.

    Without what all of a picture has in common, two objects of it are alike by a third instead of
    by a half, and the same one in the next frame still by nine tenths (measured on film).

    Args:
        levels: `[C h w]` of one picture, of strides 2 to 32; the first tells too little.
        masks: `[N m m]` probabilities within the boxes.
        boxes: `[N 4]` corners as fractions.
        size: pixels of the picture.
    """
    corners = boxes * boxes.new_tensor((size[1], size[0], size[1], size[0]))
    # The mask's own pixels count; what else the box holds is background or another object.
    weights = functional.adaptive_avg_pool2d(masks[:, None], LOOK)
    weights = weights / weights.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    vectors = []
    # Stride 2 is left out: edges and colours there are alike in all objects.
    for level, stride in zip(levels[1:], STRIDES[1:], strict=True):
        x = level[None].to(torch.promote_types(level.dtype, torch.float32))
        roi_features = roi_align(
            x, [corners.to(x.dtype)], LOOK, spatial_scale=1 / stride, sampling_ratio=1, aligned=True
        )
        own = (roi_features * weights.to(x.dtype)).sum(dim=(2, 3)) - x.mean(dim=(2, 3))
        vectors.append(functional.normalize(own, dim=1))
    return torch.cat(vectors, dim=1)


def filled(boxes: Tensor, margin: float) -> Tensor:
    """`[N m m]` masks of boxes `[N 4]` that were widened: all of what was within before."""
    # Where the narrow box begins in the wide one, as a fraction of the wide one's side.
    start = margin / (1 + 2 * margin)
    within = boxes.new_tensor([start, start, 1 - start, 1 - start])
    return coverage(within.expand(len(boxes), -1), FINE, FINE)
