"""The loss of a set of queries whose classes do not exclude each other (Deformable DETR)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vis.losses.grid import focal_sum
from vis.losses.matching import FOCAL_COST, Matcher
from vis.losses.set_loss import Weights, box_terms, mean_over_ranks, single
from vis.losses.targets import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.matching import Pairs
    from vis.losses.outputs import LayerOutput
    from vis.losses.targets import Truth
    from vis.records import ClipTargets


MATCHER, WEIGHTS = Matcher(FOCAL_COST), Weights(label=2.0)
"""As published."""


@dataclass(frozen=True, slots=True)
class FocalSetLoss:
    """Each instance is matched with one query in every layer; no row of the logits is "no object".

    Zhu et al., 2021, appendix A.4; the focal term is summed over queries and classes.
    """

    matcher: Matcher = MATCHER
    weights: Weights = WEIGHTS

    def __call__(
        self,
        layers: Sequence[LayerOutput],
        targets: Sequence[ClipTargets],
        *,
        proposals: LayerOutput | None = None,
    ) -> dict[str, Tensor]:
        """The weighted terms `class`, `box_l1` and `box_giou`, each summed over the layers.

        Args:
            layers: of the decoder, `[B T N K]` logits, a sigmoid each.
            targets: one record for each clip.
            proposals: of the encoder's cells; the first row says whether anything is there.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        truth = join(targets, layers[-1], background_rows=0)
        terms = self.terms(layers, truth)
        if proposals is not None:
            # Proposals answer only whether anything is there (two-stage, appendix A.4).
            terms += self.terms([proposals], _without_classes(truth))
        names = terms[0]
        return {
            name: self.weights.of(name) * torch.stack([one[name] for one in terms]).sum()
            for name in names
        }

    def terms(self, layers: Sequence[LayerOutput], truth: Truth) -> list[dict[str, Tensor]]:
        """The same without weights, layer by layer."""
        # At least 1: a batch without objects must not divide by zero.
        normaliser = mean_over_ranks(truth.visible.sum().float(), least=1.0)
        layer_terms = []
        for layer, pairs in zip(layers, self.matcher(layers, truth), strict=True):
            boxes = box_terms(layer, truth, pairs)
            terms = {"class": _label_term(single(layer.logits), truth, pairs), **boxes}
            layer_terms.append({name: value / normaliser for name, value in terms.items()})
        return layer_terms


def _label_term(logits: Tensor, truth: Truth, pairs: Pairs) -> Tensor:
    class_targets = torch.zeros_like(logits)
    labels = truth.labels[pairs.instances, pairs.frames]
    class_targets[pairs.clips, pairs.frames, pairs.queries, labels] = 1
    counted = truth.annotated[:, None, None].expand_as(logits)
    return focal_sum(logits, class_targets, counted.to(logits.dtype))


def _without_classes(truth: Truth) -> Truth:
    """Every instance is of class 0; unless all classes are annotated, its absence says nothing."""
    whole = truth.annotated.all(dim=1, keepdim=True)
    annotated = torch.cat((whole, torch.ones_like(truth.annotated[:, 1:])), dim=1)
    return replace(truth, labels=torch.zeros_like(truth.labels), annotated=annotated)
