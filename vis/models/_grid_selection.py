"""From the grids of one picture to its objects: peaks, masks, their scores, overlaps settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange

from vis.layers.padding import crop_to_valid
from vis.losses.grid import STRIDE
from vis.ops.boxes import boxes_of
from vis.ops.suppression import matrix_decay, point_peaks
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor

    from vis.losses.grid import GridOutput

SIGMA = 2.0
"""Of matrix NMS."""


class Detections(NamedTuple):
    """Objects of one picture, the best first."""

    scores: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    class_scores: Tensor
    """`[N K]`."""
    mask_embeddings: Tensor
    """`[N C]`."""
    masks: Tensor
    """`[N h w]` probabilities over the padded frame."""

    def of(self, rows: Tensor) -> Detections:
        """The rows of an index, in its order."""
        return Detections(*(field[rows] for field in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSelection:
    """Which cells become predictions (SOTR, section 3.4, after SOLOv2)."""

    min_class: float
    """Cells whose class is not more probable hold nothing."""
    min_score: float
    """After masks and overlaps."""
    smallest: tuple[int, ...]
    """Of each level: a mask needs more cells than this."""
    candidates: int
    """The most masks whose overlaps are settled."""
    keep: int
    """The most that stay."""

    def __call__(self, output: GridOutput, sizes: Tensor) -> list[ClipPredictions]:
        """The objects of each picture.

        Args:
            output: of M pictures.
            sizes: `[M 2]` pixels of their content.
        """
        # Points of the highest score around them: a cheap suppression before any mask is made.
        peaks = [point_peaks(level.float().sigmoid()) for level in output.logits]
        scores = torch.cat([rearrange(level, "m k h w -> m (h w) k") for level in peaks], dim=1)
        mask_embeddings = torch.cat(
            [rearrange(level, "m c h w -> m (h w) c") for level in output.mask_embeddings], dim=1
        )
        least = torch.cat(
            [
                torch.full((level[0, 0].numel(),), smallest, dtype=torch.int64, device=level.device)
                for level, smallest in zip(output.logits, self.smallest, strict=True)
            ]
        )
        return [
            _prediction(
                self._detections(
                    scores[m], mask_embeddings[m].float(), mask_features.float(), least
                ),
                size,
            )
            for m, (mask_features, size) in enumerate(
                zip(output.mask_features, sizes.tolist(), strict=True)
            )
        ]

    def _detections(
        self, scores: Tensor, mask_embeddings: Tensor, mask_features: Tensor, least: Tensor
    ) -> Detections:
        """From all cells of a picture, `[cells K]` and `[cells C]`, to what stays."""
        cells, labels = (scores > self.min_class).nonzero(as_tuple=True)
        # Only for cells above the threshold: all 3,872 masks of a picture would fill the memory.
        masks = torch.einsum("nc,chw->nhw", mask_embeddings[cells], mask_features).sigmoid()
        inside = masks > 0.5
        counts = inside.sum(dim=(1, 2))
        # Mask scoring: a class may be sure of what the mask is not (SOLOv2, section 3.3).
        sure = (masks * inside).sum(dim=(1, 2)) / counts.clamp(min=1)
        detections = Detections(
            scores[cells, labels] * sure, labels, scores[cells], mask_embeddings[cells], masks
        )
        detections = detections.of((counts > least[cells]).nonzero()[:, 0])
        detections = detections.of(
            detections.scores.argsort(descending=True, stable=True)[: self.candidates]
        )
        # Soft: an overlapped mask loses score instead of being dropped, all pairs at once.
        decay = matrix_decay((detections.masks > 0.5).flatten(1), detections.labels, sigma=SIGMA)
        detections = detections._replace(scores=detections.scores * decay)
        order = detections.scores.argsort(descending=True, stable=True)[: self.keep]
        return detections.of(order[detections.scores[order] >= self.min_score])


def _prediction(detections: Detections, size: list[int]) -> ClipPredictions:
    # Always four pixels: upstream rounds h / cells up, wrong where a batch is padded further.
    padded_size = (STRIDE * detections.masks.shape[1], STRIDE * detections.masks.shape[2])
    masks = crop_to_valid(detections.masks[:, None], padded_size, (size[0], size[1]))
    presence = masks.amax(dim=(2, 3))
    visible = presence[:, 0] > 0.5
    detections, masks = detections.of(visible), masks[visible]
    return ClipPredictions(
        scores=detections.scores,
        labels=detections.labels,
        class_scores=detections.class_scores,
        boxes=boxes_of(masks > 0.5),
        masks=masks,
        presence=presence[visible],
        embeddings=detections.mask_embeddings,
    )
