"""The loss of groups of queries that do not see each other (RF-DETR): each shows every instance."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import logsigmoid

from vis.losses.matching import FOCAL_COST, Matcher
from vis.losses.outputs import LayerOutput
from vis.losses.points import (
    Draw,
    point_costs,
    point_terms,
    sample_nearest,
    sample_points,
    uncertain_points,
    uniform,
)
from vis.losses.set_loss import box_terms, mean_over_ranks, single
from vis.losses.targets import join
from vis.ops.boxes import iou, to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses import rf_detr_output
    from vis.losses.matching import Pairs
    from vis.losses.rf_detr_output import RFDETROutput
    from vis.losses.targets import Truth
    from vis.records import ClipTargets

WEIGHTS = {"class": 1.0, "box_l1": 5.0, "box_giou": 2.0, "mask": 5.0, "mask_dice": 5.0}
"""Of the terms in the total, as published; `mask` is the cross-entropy at points."""
MASK_COST = 5.0
"""Of either term of masks in the matching."""
CELLS_PER_POINT = 16
"""Masks are compared at so many times fewer points than they have cells."""
BALANCE = 0.25
"""Share of the probability in what a matched query's class is to reach; the rest is its IoU's."""
LEAST_QUALITY = 0.01
"""Of what it is to reach: a box that is far off still learns its class."""
BORDER = "border"
"""How mask logits go on around the map."""


@dataclass(frozen=True, slots=True)
class GroupLoss:
    """Each layer and group is matched alone; classes learn how well their boxes fit.

    Masks stay factored: their logits are computed for the queries that are matched, and before that
    at a few points. The rows of the logits are classes, a sigmoid each.
    """

    draw: Draw = uniform

    def __call__(self, output: RFDETROutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """The weighted terms of `WEIGHTS`, each summed over the layers and the encoder's selection.

        Args:
            output: of pictures.
            targets: one record for each; masks lie over the whole picture, at any resolution.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        layers = self.terms(output, targets)
        return {
            name: weight * torch.stack([terms[name] for terms in layers]).sum()
            for name, weight in WEIGHTS.items()
        }

    def terms(
        self, output: RFDETROutput, targets: Sequence[ClipTargets]
    ) -> list[dict[str, Tensor]]:
        """The same without weights: of the last layer, the earlier ones, then the encoder."""
        layers = _ordered(output)
        truth = join(targets, _boxes_of(layers[0]), background_rows=0)
        visible = output.groups * truth.visible.sum().float()
        # At least 1: a batch without objects must not divide by zero.
        normaliser = mean_over_ranks(visible, least=1.0)
        layer_terms = []
        for layer, pairs in zip(layers, self.match(output, targets, truth), strict=True):
            boxes = _boxes_of(layer)
            mask, dice = self._mask_terms(layer, targets, truth, pairs)
            terms = {
                "class": _class_term(boxes, truth, pairs),
                **box_terms(boxes, truth, pairs),
                "mask": mask,
                "mask_dice": dice,
            }
            layer_terms.append({name: value / normaliser for name, value in terms.items()})
        return layer_terms

    @torch.no_grad()
    def match(
        self, output: RFDETROutput, targets: Sequence[ClipTargets], truth: Truth
    ) -> list[Pairs]:
        """The cheapest assignment of each layer, picture and group, in the order of `terms`."""
        layers = _ordered(output)
        masks = torch.stack([self._mask_costs(layer, targets) for layer in layers])
        matcher = Matcher(
            lambda layers, truth: FOCAL_COST(layers, truth) + masks, groups=output.groups
        )
        return matcher([_boxes_of(layer) for layer in layers], truth)

    def _mask_costs(
        self, layer: rf_detr_output.LayerOutput, targets: Sequence[ClipTargets]
    ) -> Tensor:
        """`[N M]` of every query for every instance of its picture."""
        height, width = layer.mask_features.shape[2:]
        # One set of points for the whole batch, so the costs are two matrix products a picture.
        count = max(1, height * width // CELLS_PER_POINT)
        points = self.draw((1, count, 2), layer.mask_features.device)
        costs = []
        for queries, features, target in zip(
            layer.mask_queries, layer.mask_features, targets, strict=True
        ):
            there = sample_points(single(features)[None], points, padding_mode=BORDER)[0]
            # Points of the factors, not of masks: the product is the same, of a 16th of the size.
            logits = single(queries) @ there + layer.mask_bias
            rows = torch.arange(len(target.masks), device=logits.device)
            truth = sample_nearest(target.masks[:, 0], rows, points.expand(len(rows), -1, -1))
            entropy, dice = point_costs(logits, truth.to(logits.dtype))
            costs.append(MASK_COST * (entropy + dice))
        return torch.cat(costs, dim=1)

    def _mask_terms(
        self,
        layer: rf_detr_output.LayerOutput,
        targets: Sequence[ClipTargets],
        truth: Truth,
        pairs: Pairs,
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and dice, each summed over the pairs."""
        queries = single(layer.mask_queries[pairs.clips, pairs.queries])
        products = [
            torch.einsum("pc,chw->phw", part, single(features))
            for part, features in zip(
                torch.split(queries, pairs.counts), layer.mask_features, strict=True
            )
        ]
        logits = torch.cat(products) + layer.mask_bias
        # The sum of nothing is zero and keeps the graph: every process must have a gradient.
        if not len(logits):
            return logits.sum(), logits.sum()
        height, width = logits.shape[1:]
        count = max(height, height * width // CELLS_PER_POINT)
        points = uncertain_points(logits, count, self.draw, padding_mode=BORDER)
        # Rows of the batch's table become rows of each picture's own masks.
        first = [0, *itertools.accumulate(truth.counts)]
        parts = zip(
            targets,
            torch.split(pairs.instances, pairs.counts),
            torch.split(points, pairs.counts),
            first[:-1],
            strict=True,
        )
        there = [sample_nearest(one.masks[:, 0], rows - n, at) for one, rows, at, n in parts]
        values = sample_points(logits[:, None], points, padding_mode=BORDER)[:, 0]
        entropy, dice = point_terms(values, torch.cat(there).to(values.dtype))
        return entropy.sum(), dice.sum()


def _ordered(output: RFDETROutput) -> list[rf_detr_output.LayerOutput]:
    """The last layer first, as in the published code, whose random numbers follow this order."""
    encoder = [] if output.encoder is None else [output.encoder]
    return [output.layers[-1], *output.layers[:-1], *encoder]


def _boxes_of(layer: rf_detr_output.LayerOutput) -> LayerOutput:
    """Logits and boxes as those of a clip of one frame."""
    return LayerOutput(single(layer.logits)[:, None], single(layer.boxes)[:, None])


def _class_term(layer: LayerOutput, truth: Truth, pairs: Pairs) -> Tensor:
    """Binary cross-entropy, in which a matched class is right to the degree that its box fits."""
    labels = truth.labels[pairs.instances, pairs.frames]
    where = (pairs.clips, pairs.frames, pairs.queries)
    boxes = to_corners(layer.boxes[where].detach())
    overlap = iou(boxes, truth.boxes[pairs.instances, pairs.frames].to(boxes), eps=0.0)
    own = layer.logits[(*where, labels)].detach().sigmoid()
    quality = (own**BALANCE * overlap ** (1 - BALANCE)).clamp(min=LEAST_QUALITY)
    positive = torch.zeros_like(layer.logits).index_put((*where, labels), quality)
    # Not detached, as published: the weight of an easy negative has a gradient, too.
    negative = layer.logits.sigmoid().square().index_put((*where, labels), 1 - quality)
    losses = negative * layer.logits - logsigmoid(layer.logits) * (positive + negative)
    return (losses * truth.annotated[:, None, None]).sum()
