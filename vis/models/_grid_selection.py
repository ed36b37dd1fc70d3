"""From the grids of one picture to its objects: peaks, masks, their scores, overlaps settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange

from vis.layers.canvas import to_content
from vis.losses.grid import STRIDE
from vis.ops.boxes import boxes_of
from vis.ops.suppression import matrix_decay, point_peaks
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor

    from vis.losses.grid import GridOutput

SIGMA = 2.0
"""Of matrix NMS."""


class Found(NamedTuple):
    """Objects of one picture, the best first."""

    scores: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    class_scores: Tensor
    """`[N K]`."""
    kernels: Tensor
    """`[N C]`."""
    masks: Tensor
    """`[N h w]` probabilities over the canvas."""

    def of(self, rows: Tensor) -> Found:
        """The rows of an index, in its order."""
        return Found(*(field[rows] for field in self))


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
        peaks = [point_peaks(level.float().sigmoid()) for level in output.logits]
        scores = torch.cat([rearrange(level, "m k h w -> m (h w) k") for level in peaks], dim=1)
        kernels = torch.cat(
            [rearrange(level, "m c h w -> m (h w) c") for level in output.kernels], dim=1
        )
        least = torch.cat(
            [
                sizes.new_full((level[0, 0].numel(),), smallest)
                for level, smallest in zip(output.logits, self.smallest, strict=True)
            ]
        )
        return [
            _prediction(self._chosen(scores[m], kernels[m].float(), feature.float(), least), size)
            for m, (feature, size) in enumerate(zip(output.feature, sizes.tolist(), strict=True))
        ]

    def _chosen(self, scores: Tensor, kernels: Tensor, feature: Tensor, least: Tensor) -> Found:
        """From all cells of a picture, `[cells K]` and `[cells C]`, to what stays."""
        cells, labels = (scores > self.min_class).nonzero(as_tuple=True)
        masks = torch.einsum("nc,chw->nhw", kernels[cells], feature).sigmoid()
        inside = masks > 0.5
        counts = inside.sum(dim=(1, 2))
        sure = (masks * inside).sum(dim=(1, 2)) / counts.clamp(min=1)
        found = Found(scores[cells, labels] * sure, labels, scores[cells], kernels[cells], masks)
        found = found.of((counts > least[cells]).nonzero()[:, 0])
        found = found.of(found.scores.argsort(descending=True, stable=True)[: self.candidates])
        decay = matrix_decay((found.masks > 0.5).flatten(1), found.labels, sigma=SIGMA)
        found = found._replace(scores=found.scores * decay)
        order = found.scores.argsort(descending=True, stable=True)[: self.keep]
        return found.of(order[found.scores[order] >= self.min_score])


def _prediction(found: Found, size: list[int]) -> ClipPredictions:
    canvas = (STRIDE * found.masks.shape[1], STRIDE * found.masks.shape[2])
    masks = to_content(found.masks[:, None], canvas, (size[0], size[1]))
    presence = masks.amax(dim=(2, 3))
    shown = presence[:, 0] > 0.5
    found, masks = found.of(shown), masks[shown]
    return ClipPredictions(
        scores=found.scores,
        labels=found.labels,
        class_scores=found.class_scores,
        boxes=boxes_of(masks > 0.5),
        masks=masks,
        presence=presence[shown],
        embeddings=found.kernels,
    )
