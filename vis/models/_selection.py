"""From instance queries to predictions: voting, choosing, and cutting out the content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import one_hot

from vis.layers.padding import crop_to_valid
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
    # argmax takes the first of equal counts, so the lowest class.
    return best.mean(dim=1), counts.argmax(dim=-1)


VOTES: dict[str, Vote] = {"mean": mean_probability, "majority": majority}


class QueryPredictions(NamedTuple):
    """The instance queries of one clip or, with `B` in front, of a batch."""

    scores: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    class_scores: Tensor
    """`[N K]`."""
    boxes: Tensor
    """`[N T 4]` corners."""
    visibility: Tensor
    """`[N T]`."""

    def of(self, rows: Tensor | int) -> QueryPredictions:
        """The rows of a bool or index."""
        return QueryPredictions(*(field[rows] for field in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which instance queries become predictions; the masks of the others are never computed."""

    vote: Vote
    background_rows: int
    """Rows of the logits before the first class; they are never voted for."""
    min_score: float
    """Of the whole track."""
    min_visibility: float
    """In at least one frame."""
    keep: int
    """The most tracks of a clip."""

    def __call__(self, output: Output) -> list[ClipPredictions]:
        """The selected queries of each clip, in their order."""
        queries = self.judge(output)
        selected = self.selected(queries)
        counts = selected.sum(dim=1).tolist()
        masks: Sequence[Tensor | None] = [None] * len(counts)
        if output.masks is not None:
            masks = torch.split(output.masks.logits(selected), counts)
        sizes = [(height, width) for height, width in output.sizes.tolist()]
        return [
            _predictions(queries.of(i).of(selected[i]), masks[i], output.padded_size, size)
            for i, size in enumerate(sizes)
        ]

    def judge(self, output: Output) -> QueryPredictions:
        """All instance queries of a batch, masks aside."""
        last = output.layers[-1]
        # Rows of background take their share of the softmax but are no class to vote for.
        probabilities = last.logits.float().softmax(dim=-1)[..., self.background_rows : -1]
        scores, labels = self.vote(probabilities)
        return QueryPredictions(
            scores=scores,
            labels=labels,
            class_scores=probabilities.mean(dim=1),
            # Clamped: a box may reach beyond the picture, a prediction may not.
            boxes=to_corners(last.boxes.float()).clamp(0, 1).transpose(1, 2),
            visibility=probabilities.amax(dim=-1).transpose(1, 2),
        )

    def selected(self, queries: QueryPredictions) -> Tensor:
        """`[B N]` bool: which become predictions, unless their mask is empty."""
        # argsort twice is the rank: position n holds how many are better than n.
        rank = queries.scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        visible = queries.visibility.amax(dim=2) >= self.min_visibility
        return (rank < self.keep) & visible & (queries.scores >= self.min_score)


def _predictions(
    queries: QueryPredictions,
    logits: Tensor | None,
    padded_size: tuple[int, int],
    size: tuple[int, int],
) -> ClipPredictions:
    """Of one clip; a query whose mask is empty in all frames is left out, as VisTR published it."""
    if logits is None:
        masks = coverage(queries.boxes, *(-(-pixels // STRIDE) for pixels in size))
    else:
        masks = crop_to_valid(logits.float(), padded_size, size).sigmoid()
        nonempty = (masks > 0.5).flatten(1).any(dim=1)
        queries, masks = queries.of(nonempty), masks[nonempty]
    return ClipPredictions(
        scores=queries.scores,
        labels=queries.labels,
        class_scores=queries.class_scores,
        boxes=queries.boxes,
        masks=masks,
        presence=queries.visibility,
    )
