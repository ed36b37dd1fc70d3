"""The loss of a set of queries: each instance is matched with one query, then compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

from vis.losses.masks import Area, mask_terms, valid_area
from vis.losses.matching import Counted, Matcher, every_frame
from vis.losses.targets import allowed_classes, join
from vis.ops.boxes import giou, to_centres, to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.matching import Pairs
    from vis.losses.outputs import LayerOutput, SequenceOutput
    from vis.losses.targets import Truth
    from vis.records import ClipTargets


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term counts in the total; the defaults are DETR's and VisTR's."""

    label: float = 1.0
    """Of the cross-entropy, the term `class`."""
    box_l1: float = 5.0
    box_giou: float = 2.0
    mask_focal: float = 1.0
    mask_dice: float = 1.0
    no_object_weight: float = 0.1
    """Of a query that shows nothing, against 1 of one that does, within the cross-entropy."""

    def of(self, term: str) -> float:
        """The weight of a term by its name in the result."""
        weight: float = getattr(self, "label" if term == "class" else term)
        return weight


@dataclass(frozen=True, slots=True)
class SetLoss:
    """Losses of matched queries (DETR, section 3.1; VisTR's are the same over a sequence)."""

    matcher: Matcher
    weights: Weights = Weights()
    eps: float = 0.0
    """Of the fractions of the generalised IoU; VisTR 1e-6."""
    counted: Counted = every_frame
    """The frames of an instance that the sums over boxes and masks are divided by."""
    area: Area = valid_area

    def __call__(self, output: SequenceOutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss.

        Returns:
            Scalars `class`, `box_l1`, `box_giou` and, of an output with masks, `mask_focal` and
            `mask_dice`; each is summed over the layers that have it.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        totals: dict[str, Tensor] = {}
        for terms in self.terms(output, targets):
            for name, value in terms.items():
                # Auxiliary losses: every layer is supervised alike (DETR, section 3.2).
                weighted = self.weights.of(name) * value
                totals[name] = totals[name] + weighted if name in totals else weighted
        return totals

    def terms(
        self, output: SequenceOutput, targets: Sequence[ClipTargets]
    ) -> list[dict[str, Tensor]]:
        """The same without weights, layer by layer; masks in the last."""
        truth = join(targets, output.layers[-1])
        pairs = self.matcher(output.layers, truth)
        # VisTR divides by frames that do not show an instance, too: rare objects weigh less.
        normaliser = mean_over_ranks(self.counted(truth.visible).sum().float(), least=1.0)
        terms = [
            self._layer_terms(layer, truth, pairs=layer_pairs, normaliser=normaliser)
            for layer, layer_pairs in zip(output.layers, pairs, strict=True)
        ]
        if output.masks is not None:
            focal, dice = mask_terms(output, targets, pairs[-1], area=self.area)
            terms[-1] |= {"mask_focal": focal / normaliser, "mask_dice": dice / normaliser}
        return terms

    @torch.no_grad()
    def errors(self, output: SequenceOutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Two numbers for the log, of the last layer.

        Returns:
            `class_error`: per cent of the matched queries that put another class on top.
            `count_error`: how many more or fewer queries than instances show something, summed over
            all frames, mean over clips.
        """
        layer = output.layers[-1]
        truth = join(targets, layer)
        (pairs,) = self.matcher([layer], truth)
        best = layer.logits.argmax(dim=-1)
        predicted = best[pairs.clips, pairs.frames, pairs.queries]
        wrong = predicted != truth.labels[pairs.instances, pairs.frames]
        detected = (best != layer.logits.shape[-1] - 1).sum(dim=(1, 2))
        there = detected.new_tensor(truth.counts) * best.shape[1]
        return {
            "class_error": 100 * wrong.sum() / max(1, len(wrong)),
            "count_error": (detected - there).abs().float().mean(),
        }

    def _layer_terms(
        self, layer: LayerOutput, truth: Truth, *, pairs: Pairs, normaliser: Tensor
    ) -> dict[str, Tensor]:
        label = self._label_term(single(layer.logits), truth, pairs)
        boxes = box_terms(layer, truth, pairs, eps=self.eps)
        return {"class": label, **{name: value / normaliser for name, value in boxes.items()}}

    def _label_term(self, logits: Tensor, truth: Truth, pairs: Pairs) -> Tensor:
        no_object = logits.shape[-1] - 1
        class_targets = torch.full(logits.shape[:-1], no_object, device=logits.device)
        labels = truth.labels[pairs.instances, pairs.frames]
        class_targets[pairs.clips, pairs.frames, pairs.queries] = labels
        return label_term(
            logits, class_targets, truth.annotated, no_object_weight=self.weights.no_object_weight
        )


def box_terms(
    layer: LayerOutput, truth: Truth, pairs: Pairs, *, eps: float = 0.0
) -> dict[str, Tensor]:
    """`box_l1` and `box_giou` of matched boxes, each summed over the pairs.

    Args:
        layer: with the predicted boxes.
        truth: with the true ones.
        pairs: which is which.
        eps: of the fractions of the generalised IoU.
    """
    predicted = single(layer.boxes)[pairs.clips, pairs.frames, pairs.queries]
    true_boxes = truth.boxes[pairs.instances, pairs.frames].to(predicted)
    apart = 1 - giou(to_corners(predicted), true_boxes, eps=eps)
    return {"box_l1": (predicted - to_centres(true_boxes)).abs().sum(), "box_giou": apart.sum()}


def label_term(
    logits: Tensor, class_targets: Tensor, annotated: Tensor, *, no_object_weight: float
) -> Tensor:
    """Mean cross-entropy over all queries, those without an instance counting less.

    Of several right answers, the sum of their probabilities counts.

    Args:
        logits: `[B T N K + 1]`, the last row "no object".
        class_targets: `[B T N]` class, K where the query shows no object.
        annotated: `[B K]` bool; where False, the class is not annotated in the clip.
        no_object_weight: weight of a query without an object, against 1 of one with one.
    """
    right = allowed_classes(class_targets, annotated)
    # The log of a sum of probabilities without leaving the logarithm: no underflow.
    likely = logits.log_softmax(-1).masked_fill(~right, -torch.inf).logsumexp(-1)
    empty = class_targets == logits.shape[-1] - 1
    weight = torch.ones_like(likely).masked_fill(empty, no_object_weight)
    # Over the sum of weights, as torch's weighted cross-entropy.
    return -(weight * likely).sum() / mean_over_ranks(weight.sum())


def mean_over_ranks(value: Tensor, *, least: float = 0.0) -> Tensor:
    """A number's sum over all training processes, at least `least`, by how many they are.

    A loss that each divides by it averages to the loss of one process with all their clips.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return value.clamp(min=least)
    total = value.clone()
    distributed.all_reduce(total)
    return total.clamp(min=least) / distributed.get_world_size()


def single(values: Tensor) -> Tensor:
    """At least single precision: the sums below lose too much in half."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
