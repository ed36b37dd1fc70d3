"""From the slots of an output to predictions: voting, choosing, and cutting out the content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import one_hot

from vis.layers.canvas import to_content
from vis.ops.boxes import coverage, to_corners
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor

    from vis.models._output import Output

STRIDE = 4
"""Pixels of a cell of a mask that is made of a box."""

Vote = Callable[["Tensor"], tuple["Tensor", "Tensor"]]
"""`[B T N K]` class probabilities of each frame -> scores and labels `[B N]` of each track."""


def mean_probability(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """The class of the highest mean over frames, and that mean.

    A frame counts as much as it is sure, so many doubtful frames do not outvote a few clear ones,
    and the score is that of the class which is named.
    """
    scores, labels = probabilities.mean(dim=1).max(dim=-1)
    return scores, labels


def majority(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """The class that most frames put first, the lowest of several; the mean of their best scores.

    Published by VisTR: absent frames vote too, and the score mixes classes.
    """
    best, votes = probabilities.max(dim=-1)
    counts = one_hot(votes, probabilities.shape[-1]).sum(dim=1)
    return best.mean(dim=1), counts.argmax(dim=-1)


VOTES: dict[str, Vote] = {"mean": mean_probability, "majority": majority}


class Slots(NamedTuple):
    """The slots of one clip or, with `B` in front, of a batch."""

    scores: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    class_scores: Tensor
    """`[N K]`."""
    boxes: Tensor
    """`[N T 4]` corners."""
    presence: Tensor
    """`[N T]`."""

    def of(self, rows: Tensor | int) -> Slots:
        """The rows of a bool or index."""
        return Slots(*(field[rows] for field in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which slots become predictions; the masks of the others are never computed."""

    vote: Vote
    reserved: int
    """Rows of the logits before the first class; they are never voted for."""
    min_score: float
    """Of the whole track."""
    min_presence: float
    """In at least one frame."""
    keep: int
    """The most tracks of a clip."""

    def __call__(self, output: Output) -> list[ClipPredictions]:
        """The kept slots of each clip, in the order of the slots."""
        slots = self._judge(output)
        kept = self._kept(slots)
        counts = kept.sum(dim=1).tolist()
        masks: Sequence[Tensor | None] = [None] * len(counts)
        if output.masks is not None:
            masks = torch.split(output.masks.logits(kept), counts)
        sizes = [(height, width) for height, width in output.sizes.tolist()]
        return [
            _predictions(slots.of(i).of(kept[i]), masks[i], output.canvas, size)
            for i, size in enumerate(sizes)
        ]

    def _judge(self, output: Output) -> Slots:
        last = output.layers[-1]
        probabilities = last.logits.float().softmax(dim=-1)[..., self.reserved : -1]
        scores, labels = self.vote(probabilities)
        return Slots(
            scores=scores,
            labels=labels,
            class_scores=probabilities.mean(dim=1),
            boxes=to_corners(last.boxes.float()).clamp(0, 1).transpose(1, 2),
            presence=probabilities.amax(dim=-1).transpose(1, 2),
        )

    def _kept(self, slots: Slots) -> Tensor:
        """`[B N]` bool."""
        rank = slots.scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        seen = slots.presence.amax(dim=2) >= self.min_presence
        return (rank < self.keep) & seen & (slots.scores >= self.min_score)


def _predictions(
    slots: Slots, logits: Tensor | None, canvas: tuple[int, int], size: tuple[int, int]
) -> ClipPredictions:
    """Of one clip; a slot whose mask is empty in all frames is left out, as VisTR published it."""
    if logits is None:
        masks = coverage(slots.boxes, *(-(-pixels // STRIDE) for pixels in size))
    else:
        masks = to_content(logits.float(), canvas, size).sigmoid()
        shown = (masks > 0.5).flatten(1).any(dim=1)
        slots, masks = slots.of(shown), masks[shown]
    return ClipPredictions(
        scores=slots.scores,
        labels=slots.labels,
        class_scores=slots.class_scores,
        boxes=slots.boxes,
        masks=masks,
        presence=slots.presence,
    )
