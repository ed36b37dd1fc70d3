"""The loss of a set of slots: each instance is matched with one slot, then compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

from vis.losses.masks import Area, content_area, mask_terms
from vis.losses.matching import Counted, Matcher, every_frame
from vis.losses.targets import join, right_answers
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
    background: float = 0.1
    """Of a slot that shows nothing, against 1 of one that does, within the cross-entropy."""

    def of(self, term: str) -> float:
        """The weight of a term by its name in the result."""
        weight: float = getattr(self, "label" if term == "class" else term)
        return weight


@dataclass(frozen=True, slots=True)
class SetLoss:
    """Losses of slots after matching (DETR, section 3.1; VisTR's are the same over a sequence)."""

    matcher: Matcher
    weights: Weights = Weights()
    smoothing: float = 0.0
    """Of the fractions of the generalised IoU; VisTR 1e-6."""
    counted: Counted = every_frame
    """The frames of an instance that the sums over boxes and masks are divided by."""
    area: Area = content_area

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
                weighted = self.weights.of(name) * value
                totals[name] = totals[name] + weighted if name in totals else weighted
        return totals

    def terms(
        self, output: SequenceOutput, targets: Sequence[ClipTargets]
    ) -> list[dict[str, Tensor]]:
        """The same without weights, layer by layer; masks in the last."""
        truth = join(targets, output.layers[-1])
        pairs = self.matcher(output.layers, truth)
        normaliser = mean_over_ranks(self.counted(truth.visible).sum().float(), least=1.0)
        terms = [
            self._layer_terms(layer, truth, pairs=chosen, normaliser=normaliser)
            for layer, chosen in zip(output.layers, pairs, strict=True)
        ]
        if output.masks is not None:
            focal, dice = mask_terms(output, targets, pairs[-1], area=self.area)
            terms[-1] |= {"mask_focal": focal / normaliser, "mask_dice": dice / normaliser}
        return terms

    @torch.no_grad()
    def errors(self, output: SequenceOutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Two numbers for the log, of the last layer.

        Returns:
            `class_error`: per cent of the matched slots that put another class on top.
            `count_error`: how many more or fewer slots than instances show something, summed over
            all frames, mean over clips.
        """
        layer = output.layers[-1]
        truth = join(targets, layer)
        (pairs,) = self.matcher([layer], truth)
        best = layer.logits.argmax(dim=-1)
        chosen = best[pairs.clips, pairs.frames, pairs.slots]
        wrong = chosen != truth.labels[pairs.instances, pairs.frames]
        shown = (best != layer.logits.shape[-1] - 1).sum(dim=(1, 2))
        there = shown.new_tensor(truth.counts) * best.shape[1]
        return {
            "class_error": 100 * wrong.sum() / max(1, len(wrong)),
            "count_error": (shown - there).abs().float().mean(),
        }

    def _layer_terms(
        self, layer: LayerOutput, truth: Truth, *, pairs: Pairs, normaliser: Tensor
    ) -> dict[str, Tensor]:
        label = self._label_term(single(layer.logits), truth, pairs)
        boxes = box_terms(layer, truth, pairs, smoothing=self.smoothing)
        return {"class": label, **{name: value / normaliser for name, value in boxes.items()}}

    def _label_term(self, logits: Tensor, truth: Truth, pairs: Pairs) -> Tensor:
        background = logits.shape[-1] - 1
        wanted = torch.full(logits.shape[:-1], background, device=logits.device)
        labels = truth.labels[pairs.instances, pairs.frames]
        wanted[pairs.clips, pairs.frames, pairs.slots] = labels
        return label_term(logits, wanted, truth.labelled, background=self.weights.background)


def box_terms(
    layer: LayerOutput, truth: Truth, pairs: Pairs, *, smoothing: float = 0.0
) -> dict[str, Tensor]:
    """`box_l1` and `box_giou` of matched boxes, each summed over the pairs.

    Args:
        layer: with the boxes that were found.
        truth: with those that were wanted.
        pairs: which is which.
        smoothing: of the fractions of the generalised IoU.
    """
    found = single(layer.boxes)[pairs.clips, pairs.frames, pairs.slots]
    wanted = truth.boxes[pairs.instances, pairs.frames].to(found)
    apart = 1 - giou(to_corners(found), wanted, smoothing=smoothing)
    return {"box_l1": (found - to_centres(wanted)).abs().sum(), "box_giou": apart.sum()}


def label_term(logits: Tensor, wanted: Tensor, labelled: Tensor, *, background: float) -> Tensor:
    """Mean cross-entropy over all slots, those without an instance counting less.

    Of several right answers, the sum of their probabilities counts.

    Args:
        logits: `[B T N K + 1]`, the last row "no object".
        wanted: `[B T N]` class, K where the slot shows no object.
        labelled: `[B K]` bool; where False, the class is not annotated in the clip.
        background: weight of a slot without an object, against 1 of one with one.
    """
    right = right_answers(wanted, labelled)
    likely = logits.log_softmax(-1).masked_fill(~right, -torch.inf).logsumexp(-1)
    empty = wanted == logits.shape[-1] - 1
    weight = torch.ones_like(likely).masked_fill(empty, background)
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
