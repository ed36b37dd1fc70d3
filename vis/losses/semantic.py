"""The loss of a class for every pixel: cross entropy over the pixels that are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy, interpolate

from vis.losses.set_loss import mean_over_ranks
from vis.losses.targets import check_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.records import ClipTargets

IGNORE = -1
"""Class of the pixels that are not judged."""


@dataclass(frozen=True, slots=True)
class PixelLoss:
    """Mean over all judged pixels of a batch (Strudel et al., 2021, section 3.3)."""

    classes: int
    background: bool
    """Whether pixels of no object are one more class, the last; else they are not judged."""

    def __call__(
        self,
        logits: Tensor,
        padded_size: tuple[int, int],
        sizes: Tensor,
        targets: Sequence[ClipTargets],
    ) -> dict[str, Tensor]:
        """The one term, `pixels`; zero where nothing is judged.

        Args:
            logits: `[M K h w]` over the padded frame.
            padded_size: height and width in pixels.
            sizes: `[M 2]` pixels of the content.
            targets: of the M pictures, one frame each, at least as large as their content.

        Raises:
            DataError: a label is not one of the classes.
        """
        total, judged = logits.float().sum() * 0, logits.new_zeros((), dtype=torch.float32)
        # Picture by picture: enlarged, the scores of a whole batch would fill the memory.
        for m, (target, size) in enumerate(zip(targets, sizes.tolist(), strict=True)):
            large = interpolate(logits[m : m + 1].float(), padded_size, mode="bilinear")
            scores = large[:, :, : size[0], : size[1]]
            truth = self.classes_of(target)[: size[0], : size[1]]
            scores = self._lenient(scores, truth, target.labelled)
            total = total + cross_entropy(scores, truth[None], ignore_index=IGNORE, reduction="sum")
            judged = judged + (truth != IGNORE).sum()
        # At least 1: a batch in which nothing is judged gives zero, not NaN.
        return {"pixels": total / mean_over_ranks(judged).clamp(min=1)}

    def classes_of(self, target: ClipTargets) -> Tensor:
        """`[H W]` class of each pixel; of two objects on one pixel, the later one counts."""
        check_classes([target], self.classes)
        nothing = self.classes if self.background else IGNORE
        truth = target.labels.new_full(target.masks.shape[2:], nothing)
        # Painter's order: COCO's objects overlap, and a pixel can have one class alone.
        for label, mask in zip(target.labels, target.masks[:, 0], strict=True):
            truth = torch.where(mask, label, truth)
        return truth

    def _lenient(self, scores: Tensor, truth: Tensor, annotated: Tensor | None) -> Tensor:
        """Where classes are not annotated, background may be any of them: their sum is judged."""
        if not self.background or annotated is None or bool(annotated.all()):
            return scores
        rows = torch.cat((~annotated, annotated.new_ones(1)))
        either = scores[:, rows].logsumexp(dim=1, keepdim=True)
        # The sum takes the background's place; its parts must not count twice.
        known_scores = scores[:, :-1].masked_fill(~annotated[None, :, None, None], float("-inf"))
        wide = torch.cat((known_scores, either), dim=1)
        return torch.where((truth == self.classes)[None, None], wide, scores)
