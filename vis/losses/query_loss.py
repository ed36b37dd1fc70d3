"""The loss of queries with a class and a mask for a whole clip: matched and compared at points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from vis.errors import UsageError
from vis.losses.assignment import assigned
from vis.losses.points import (
    Draw,
    point_costs,
    point_terms,
    sample_points,
    sample_truth,
    uncertain_points,
    uniform,
)
from vis.losses.set_loss import label_term, mean_over_ranks
from vis.losses.targets import annotated_classes, check_targets

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
    mask_embeddings: list[Tensor]
    """`[B Q D]` of each layer; a mask is its product with `mask_features`."""
    mask_features: Tensor
    """`[B T D h w]`."""
    padded_size: tuple[int, int]
    """Pixels, height and width, that `mask_features` covers."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term counts in the total, and in the matching."""

    label: float = 2.0
    mask: float = 5.0
    """Of the cross-entropy at the points."""
    dice: float = 5.0
    no_object_weight: float = 0.1
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
        return self.weighted(self.terms(output, targets))

    def weighted(self, layers: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The terms of all layers, each weighted and summed over them."""
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
        output = single_output(output)
        classes = output.logits[-1].shape[-1] - 1
        batch, frames = output.mask_features.shape[:2]
        check_targets(targets, batch=batch, frames=frames, classes=classes)
        check_masks(targets, output.padded_size)
        targets = [replace(t, labels=self._labels(t, classes)) for t in targets]
        matches = self.match(output, targets, [target.labels for target in targets])
        layers = [(output, layer, matched) for layer, matched in enumerate(matches)]
        return self.layer_terms(layers, targets)

    def layer_terms(
        self,
        layers: Sequence[tuple[QueryOutput, int, Sequence[Matched]]],
        targets: Sequence[ClipTargets],
    ) -> list[dict[str, Tensor]]:
        """The terms of each layer, without weights.

        Args:
            layers: an output that is at least single, which of its layers, and what is matched in
                each clip.
            targets: of each clip.
        """
        last, labels = layers[-1][0], [target.labels for target in targets]
        count = last.mask_features.new_tensor(float(sum(map(len, labels))))
        # Instances, not their frames, as published: the mask terms grow with the clip.
        normaliser = mean_over_ranks(count, least=1.0)
        annotated = annotated_classes(targets, last.logits[-1].shape[-1] - 1)
        layer_terms = []
        for output, layer, matched in layers:
            logits = output.logits[layer]
            mask, dice = self._mask_terms(output, layer, targets, matched)
            layer_terms.append(
                {
                    "class": label_term(
                        logits[:, None],
                        _class_targets(logits, labels, matched),
                        annotated,
                        no_object_weight=self.weights.no_object_weight,
                    ),
                    "mask": mask / normaliser,
                    "mask_dice": dice / normaliser,
                }
            )
        return layer_terms

    @torch.no_grad()
    def match(
        self, output: QueryOutput, targets: Sequence[ClipTargets], labels: Sequence[Tensor]
    ) -> list[list[Matched]]:
        """The cheapest assignment of each layer and clip; one copy to the host for all of them."""
        costs = [
            self.cost(output, layer, clip, target.masks, labels[clip])
            for layer in range(len(output.logits))
            for clip, target in enumerate(targets)
        ]
        pairs = assigned(costs)
        return [pairs[i : i + len(targets)] for i in range(0, len(pairs), len(targets))]

    def cost(
        self, output: QueryOutput, layer: int, clip: int, masks: Tensor, labels: Tensor
    ) -> Tensor:
        """`[Q N]` of one layer and clip, at points that all queries, instances and frames share."""
        mask_features = output.mask_features[clip]
        # One set of points for all pairs, so the costs are two matrix products.
        points = self.draw((1, self.points, 2), mask_features.device)
        there = sample_points(mask_features, points.expand(len(mask_features), -1, -1))
        logits = rearrange(output.mask_embeddings[layer][clip] @ there, "t q p -> q (t p)")
        flat = masks.flatten(0, 1)
        truth = sample_truth(flat, points.expand(len(flat), -1, -1), output.padded_size)
        entropy, dice = point_costs(logits, truth.view(len(masks), logits.shape[1]))
        # Minus the probability, not its logarithm: the cost stays bounded (DETR, 3.1).
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
                torch.einsum("pd,tdhw->pthw", mask_embeddings[pair.queries], mask_features).flatten(
                    0, 1
                )
                for mask_embeddings, mask_features, pair in zip(
                    output.mask_embeddings[layer], output.mask_features, matched, strict=True
                )
            ]
        )
        # The sum of nothing is zero and keeps the graph: every process must have a gradient.
        if not len(logits):
            return logits.sum(), logits.sum()
        points = uncertain_points(logits, self.points, self.draw)
        counts = [len(pair.queries) * output.mask_features.shape[1] for pair in matched]
        truth = torch.cat(
            [
                sample_truth(target.masks[pair.instances].flatten(0, 1), part, output.padded_size)
                for target, pair, part in zip(
                    targets, matched, torch.split(points, counts), strict=True
                )
            ]
        )
        entropy, dice = point_terms(sample_points(logits[:, None], points)[:, 0], truth)
        return entropy.sum(), dice.sum()

    def _labels(self, target: ClipTargets, classes: int) -> Tensor:
        if self.published_labels:
            # The published code reads labels off the last frame: who left before it is no object.
            return target.labels.where(target.visible[:, -1], classes)
        return target.labels


def _class_targets(logits: Tensor, labels: Sequence[Tensor], matched: Sequence[Matched]) -> Tensor:
    """`[B 1 Q]` class of each query, "no object" where it shows none."""
    class_targets = torch.full(logits.shape[:2], logits.shape[-1] - 1, device=logits.device)
    for row, label, pair in zip(class_targets, labels, matched, strict=True):
        row[pair.queries] = label[pair.instances]
    return class_targets[:, None]


def single_output(output: QueryOutput) -> QueryOutput:
    """At least single precision: the sums lose too much in half."""
    kind = torch.promote_types(output.mask_features.dtype, torch.float32)
    return QueryOutput(
        [x.to(kind) for x in output.logits],
        [x.to(kind) for x in output.mask_embeddings],
        output.mask_features.to(kind),
        output.padded_size,
    )


def check_masks(targets: Sequence[ClipTargets], padded_size: tuple[int, int]) -> None:
    """Refuse masks that are larger than what the output covers.

    Raises:
        UsageError: names both sizes.
    """
    for target in targets:
        height, width = target.masks.shape[2:]
        if height > padded_size[0] or width > padded_size[1]:
            raise UsageError(
                f"target masks of {height} x {width} pixels"
                f" for a model's padded size of {padded_size[0]} x {padded_size[1]}",
                remedy="Give the masks the size of the clip's frames.",
            )
