"""the loss of queries with a class and a mask for a whole clip: matched and compared at points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from vis.errors import UsageError
from vis.losses.assignment import assigned
from vis.losses.points import (
    Draw,
    at_places,
    point_costs,
    point_terms,
    truth_at_places,
    uniform,
    unsure_places,
)
from vis.losses.set_loss import label_term, mean_over_ranks
from vis.losses.targets import check_targets, labelled_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.assignment import Matched
    from vis.records import ClipTargets

PUBLISHED_POINTS = 12544
"""112 x 112."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryOutput:
    """What a model of queries says of a batch of clips, layer by layer, the last one last."""

    logits: list[Tensor]
    """`[B Q K + 1]` of each layer; the last row is "no object"."""
    kernels: list[Tensor]
    """`[B Q D]` of each layer; a mask is its product with `feature`."""
    feature: Tensor
    """`[B T D h w]`."""
    canvas: tuple[int, int]
    """Pixels, height and width, that `feature` covers."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term counts in the total, and in the matching."""

    label: float = 2.0
    mask: float = 5.0
    """Of the cross-entropy at the points."""
    dice: float = 5.0
    background: float = 0.1
    """Of a query that shows nothing, against 1 of one that does, within the term `class`."""


@dataclass(frozen=True, slots=True)
class QueryLoss:
    """Mask2Former's (Cheng et al., 2022, 3.3; for clips Cheng et al., 2021).

    The terms of masks are summed over instances and frames and divided by instances alone, as
    published: they grow with the length of the clip. The matching compares whole clips, the loss
    frame by frame.
    """

    weights: Weights = Weights()
    points: int = PUBLISHED_POINTS
    published_labels: bool = False
    """An instance that the last frame does not show is to be called "no object", as in the
    published code, which reads the label there."""
    draw: Draw = uniform

    def __call__(self, output: QueryOutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """The weighted terms `class`, `mask` and `mask_dice`, each summed over the layers.

        Raises:
            UsageError: output and targets do not belong together.
        """
        layers = self.terms(output, targets)
        weights = {
            "class": self.weights.label,
            "mask": self.weights.mask,
            "mask_dice": self.weights.dice,
        }
        return {
            name: weight * torch.stack([terms[name] for terms in layers]).sum()
            for name, weight in weights.items()
        }

    def terms(self, output: QueryOutput, targets: Sequence[ClipTargets]) -> list[dict[str, Tensor]]:
        """The same without weights, layer by layer."""
        output = _single(output)
        classes = output.logits[-1].shape[-1] - 1
        batch, frames = output.feature.shape[:2]
        check_targets(targets, batch=batch, frames=frames, classes=classes)
        _check_masks(targets, output.canvas)
        labels = [self._labels(target, classes) for target in targets]
        matches = self.match(output, targets, labels)
        count = output.feature.new_tensor(float(sum(map(len, labels))))
        normaliser = mean_over_ranks(count, least=1.0)
        labelled = labelled_classes(targets, classes)
        found = []
        for layer, matched in enumerate(matches):
            logits = output.logits[layer]
            wanted = _wanted(logits, labels, matched)
            mask, dice = self._mask_terms(output, layer, targets, matched)
            found.append(
                {
                    "class": label_term(
                        logits[:, None], wanted, labelled, background=self.weights.background
                    ),
                    "mask": mask / normaliser,
                    "mask_dice": dice / normaliser,
                }
            )
        return found

    @torch.no_grad()
    def match(
        self, output: QueryOutput, targets: Sequence[ClipTargets], labels: Sequence[Tensor]
    ) -> list[list[Matched]]:
        """The cheapest assignment of each layer and clip; one copy to the host for all of them."""
        costs = [
            self._cost(output, layer, clip, target.masks, labels[clip])
            for layer in range(len(output.logits))
            for clip, target in enumerate(targets)
        ]
        pairs = assigned(costs)
        return [pairs[i : i + len(targets)] for i in range(0, len(pairs), len(targets))]

    def _cost(
        self, output: QueryOutput, layer: int, clip: int, masks: Tensor, labels: Tensor
    ) -> Tensor:
        """`[Q N]` of one layer and clip, at points that all queries, instances and frames share."""
        feature = output.feature[clip]
        places = self.draw((1, self.points, 2), feature.device)
        there = at_places(feature, places.expand(len(feature), -1, -1))
        logits = rearrange(output.kernels[layer][clip] @ there, "t q p -> q (t p)")
        flat = masks.flatten(0, 1)
        truth = truth_at_places(flat, places.expand(len(flat), -1, -1), output.canvas)
        entropy, dice = point_costs(logits, truth.view(len(masks), logits.shape[1]))
        likely = output.logits[layer][clip].softmax(dim=-1)[:, labels]
        weights = self.weights
        return weights.mask * entropy + weights.dice * dice - weights.label * likely

    def _mask_terms(
        self,
        output: QueryOutput,
        layer: int,
        targets: Sequence[ClipTargets],
        matched: Sequence[Matched],
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and dice, each summed over the frames of the matched instances."""
        logits = torch.cat(
            [
                torch.einsum("pd,tdhw->pthw", kernels[pair.queries], feature).flatten(0, 1)
                for kernels, feature, pair in zip(
                    output.kernels[layer], output.feature, matched, strict=True
                )
            ]
        )
        if not len(logits):
            return logits.sum(), logits.sum()
        places = unsure_places(logits, self.points, self.draw)
        counts = [len(pair.queries) * output.feature.shape[1] for pair in matched]
        truth = torch.cat(
            [
                truth_at_places(target.masks[pair.instances].flatten(0, 1), part, output.canvas)
                for target, pair, part in zip(
                    targets, matched, torch.split(places, counts), strict=True
                )
            ]
        )
        entropy, dice = point_terms(at_places(logits[:, None], places)[:, 0], truth)
        return entropy.sum(), dice.sum()

    def _labels(self, target: ClipTargets, classes: int) -> Tensor:
        if self.published_labels:
            return target.labels.where(target.visible[:, -1], classes)
        return target.labels


def _wanted(logits: Tensor, labels: Sequence[Tensor], matched: Sequence[Matched]) -> Tensor:
    """`[B 1 Q]` class of each query, "no object" where it shows none."""
    wanted = torch.full(logits.shape[:2], logits.shape[-1] - 1, device=logits.device)
    for row, label, pair in zip(wanted, labels, matched, strict=True):
        row[pair.queries] = label[pair.instances]
    return wanted[:, None]


def _single(output: QueryOutput) -> QueryOutput:
    """At least single precision: the sums lose too much in half."""
    kind = torch.promote_types(output.feature.dtype, torch.float32)
    return QueryOutput(
        [x.to(kind) for x in output.logits],
        [x.to(kind) for x in output.kernels],
        output.feature.to(kind),
        output.canvas,
    )


def _check_masks(targets: Sequence[ClipTargets], canvas: tuple[int, int]) -> None:
    for target in targets:
        height, width = target.masks.shape[2:]
        if height > canvas[0] or width > canvas[1]:
            raise UsageError(
                f"target masks of {height} x {width} pixels"
                f" for a model's canvas of {canvas[0]} x {canvas[1]}",
                remedy="Give the masks the size of the clip's frames.",
            )
