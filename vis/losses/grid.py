"""The loss of a grid: cells near an object's centre are to name it and embed its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate, logsigmoid, pad

from vis.losses.grid_cells import assign
from vis.losses.set_loss import mean_over_ranks
from vis.losses.targets import annotated_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import ClipTargets

STRIDE = 4
"""Pixels of a cell of the mask feature."""
BALANCE, EPS = 0.25, 0.001
"""Of the focal term; of each half of the dice term's denominator."""


@dataclass(frozen=True, slots=True, eq=False)
class GridOutput:
    """What a model of grids says of a batch of pictures, level by level."""

    logits: list[Tensor]
    """`[M K g g]` of each level; a sigmoid each."""
    mask_embeddings: list[Tensor]
    """`[M C g g]` of each level."""
    mask_features: Tensor
    """`[M C h w]` of stride 4; a cell's mask is its embedding's product with them."""
    pixels: Tensor | None = None
    """`[M K h w]` logits of what is seen at each place of the feature, whoever's it is."""


@dataclass(frozen=True, slots=True)
class GridLoss:
    """Focal term of all cells, dice term of those that hold an object (SOTR, section 3.4).

    Where the output has classes of pixels, a focal term of those: only training looks at them, as
    at the semantic segmentation loss of YOLACT (Bolya et al., 2019).
    """

    ranges: tuple[tuple[float, float], ...]
    """Of each level: root of the box area in pixels, both ends included."""
    classes: float = 1.0
    masks: float = 3.0
    pixels: float = 1.0
    published: bool = False
    """A cell that several objects want keeps all their masks though only the last one's class; the
    normaliser counts the cells of this process alone."""

    def __call__(self, output: GridOutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """The weighted terms `class`, `mask_dice` and, where the output has them, `pixels`.

        A picture without objects has no dice.

        Args:
            output: of M pictures.
            targets: of the M pictures, one frame each, as large as their content.
        """
        height, width = output.mask_features.shape[2:]
        padded_size = (STRIDE * height, STRIDE * width)
        class_targets = [torch.zeros_like(level) for level in output.logits]
        # One step back to all pictures: a step back from each would fill a map with zeros for it.
        mask_features = output.mask_features.unbind()
        mask_embeddings = [x.unbind() for x in output.mask_embeddings]
        dices = [output.mask_features.sum()[None] * 0]
        truths = [shrunk_masks(x.masks[:, 0], output.mask_features.shape[2:]) for x in targets]
        sides = [level.shape[-1] for level in output.logits]
        for m, levels in enumerate(assign(targets, padded_size, sides, self.ranges)):
            for level, assignment in enumerate(levels):
                last = assignment.last_of_each()
                # Released: a cell of two objects learns both masks, which contradict each other.
                mask_cells = assignment if self.published else last
                labels = targets[m].labels[last.instances]
                class_targets[level][m].flatten(1)[labels, last.cells] = 1
                codes = mask_embeddings[level][m].flatten(1)[:, mask_cells.cells]
                dices.append(_dice(codes, mask_features[m], truths[m][mask_cells.instances]))
        annotated = annotated_classes(targets, output.logits[0].shape[1])[:, :, None, None]
        counted = [annotated.to(level).expand_as(level) for level in output.logits]
        terms = self._terms(output, class_targets, counted, dices)
        if output.pixels is not None:
            terms["pixels"] = self.pixels * _pixel_term(output.pixels, truths, targets)
        return terms

    def _terms(
        self,
        output: GridOutput,
        class_targets: Sequence[Tensor],
        counted: Sequence[Tensor],
        dices: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """The terms of classes and masks; the first of the dices is no pair's, but has a graph."""
        dice = torch.cat(list(dices))[1:]
        cells = sum((level.amax(dim=1).sum() for level in class_targets), start=dice.new_zeros(()))
        pairs = dice.new_tensor(len(dice))
        # Released: each process divides by its own count, so the loss depends on their number.
        if not self.published:
            cells, pairs = mean_over_ranks(cells + 1) - 1, mean_over_ranks(pairs)
        focal = torch.stack(
            [focal_sum(*level) for level in zip(output.logits, class_targets, counted, strict=True)]
        )
        return {
            # One more than the positive cells: pictures without objects have a loss, too.
            "class": self.classes * focal.sum() / (cells + 1),
            "mask_dice": self.masks * (torch.cat(list(dices)).sum() / pairs.clamp(min=1)),
        }


def shrunk_masks(masks: Tensor, cells: Sequence[int]) -> Tensor:
    """`[N H W]` bool -> `[N h w]` at a quarter, at the top left of a map of `cells`."""
    if not len(masks):
        return masks.new_zeros((0, *cells))
    size = [int(side / STRIDE + 0.5) for side in masks.shape[1:]]
    # In double: at exactly half covered, single precision decides by its last bit.
    small = interpolate(masks[:, None].double(), size, mode="bilinear")[:, 0] >= 0.5
    small = small[:, : cells[0], : cells[1]]
    return pad(small, (0, cells[1] - small.shape[2], 0, cells[0] - small.shape[1]))


def _pixel_term(logits: Tensor, truths: Sequence[Tensor], targets: Sequence[ClipTargets]) -> Tensor:
    """Focal term of `[M K h w]` against the small masks `[N h w]` of each picture."""
    class_targets = torch.zeros_like(logits)
    for m, (masks, target) in enumerate(zip(truths, targets, strict=True)):
        class_targets[m].index_add_(0, target.labels, masks.to(class_targets.dtype)).clamp_(max=1)
    counted = annotated_classes(targets, logits.shape[1])[:, :, None, None].to(logits)
    return focal_sum(logits, class_targets, counted) / mean_over_ranks(
        class_targets.sum(dtype=torch.float32) + 1
    )


def _dice(mask_embeddings: Tensor, mask_features: Tensor, truth: Tensor) -> Tensor:
    """`[C P]`, `[C h w]`, `[P h w]` -> `[P]` one minus dice, with squares below the line."""
    probs = torch.einsum("cp,chw->phw", mask_embeddings, mask_features).sigmoid()
    probs = probs.to(torch.promote_types(probs.dtype, torch.float32))
    both = (probs * truth).sum(dim=(1, 2))
    # Squares below the line, as in V-Net (Milletari et al., 2016, section 3).
    either = probs.square().sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 2 * EPS
    return 1 - 2 * both / either


def focal_sum(logits: Tensor, class_targets: Tensor, counted: Tensor) -> Tensor:
    """Sum of the focal loss (Lin et al., 2017, equation 5, gamma 2) over what is `counted`."""
    x = logits.to(torch.promote_types(logits.dtype, torch.float32))
    # With x the logit of the wrong answer, p_wrong^2 * -log(1 - p_wrong) is one formula for both.
    wrong = torch.where(class_targets > 0, -x, x)
    balance = torch.where(class_targets > 0, BALANCE, 1 - BALANCE)
    return (counted * balance * wrong.sigmoid().square() * -logsigmoid(-wrong)).sum()
