"""From queries to predictions: tracks of a clip, objects, segments or classes of a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vis.layers.padding import crop_to_valid
from vis.models._query_output import Selectable
from vis.models._semantic import by_class
from vis.ops.boxes import boxes_of
from vis.records import ClipPredictions

Selection = Callable[[Selectable], list[ClipPredictions]]
TINY = 1e-6
VIDEO = "video"
TASKS = (VIDEO, "instance", "panoptic", "semantic")
TRACKS, OBJECTS = 10, 100
"""Predictions of a clip and of a picture, as published."""


class SelectionSettings(Protocol):
    """What the settings of a model state of its predictions."""

    @property
    def classes(self) -> int: ...
    @property
    def task(self) -> str: ...
    @property
    def things(self) -> int | None: ...
    @property
    def keep(self) -> int | None: ...
    @property
    def min_score(self) -> float: ...
    @property
    def min_whole(self) -> float: ...


class QueryClassPairs(NamedTuple):
    """Pairs of query and class of one clip; a query may be there with several classes."""

    queries: Tensor
    """`[N]`."""
    labels: Tensor
    """`[N]`."""
    scores: Tensor
    """`[N]`."""

    def of(self, rows: Tensor) -> QueryClassPairs:
        """The rows of an index, in its order."""
        return QueryClassPairs(*(field[rows] for field in self))


@dataclass(frozen=True, slots=True)
class Tracks:
    """The surest pairs of a clip, scored by their classes alone (Cheng et al., 2021)."""

    keep: int

    def __call__(self, output: Selectable) -> list[ClipPredictions]:
        """The best first; a track that is empty in all frames is left out."""
        return [self._of(output, clip) for clip in range(len(output.sizes))]

    def _of(self, output: Selectable, clip: int) -> ClipPredictions:
        pairs = best_pairs(_class_probs(output, clip)[:, :-1], self.keep)
        return _predictions(output, clip, pairs, _masks(output, clip, pairs.queries))


@dataclass(frozen=True, slots=True)
class Instances:
    """The surest pairs of a picture, scored by their masks too (Cheng et al., 2022, appendix)."""

    keep: int
    things: int
    """Classes from here on are no objects; their pairs are left out."""

    def __call__(self, output: Selectable) -> list[ClipPredictions]:
        """A score is the class's probability times the mean probability inside the mask."""
        return [self._of(output, clip) for clip in range(len(output.sizes))]

    def _of(self, output: Selectable, clip: int) -> ClipPredictions:
        pairs = best_pairs(_class_probs(output, clip)[:, :-1], self.keep)
        # After the choice, as published: stuff takes places among the best that nobody fills.
        pairs = pairs.of((pairs.labels < self.things).nonzero()[:, 0])
        masks = _masks(output, clip, pairs.queries)
        inside = masks > 0.5
        sure = (masks * inside).sum(dim=(1, 2, 3)) / (inside.sum(dim=(1, 2, 3)) + TINY)
        scores = pairs.scores * sure
        order = scores.argsort(descending=True, stable=True)
        return _predictions(output, clip, pairs._replace(scores=scores).of(order), masks[order])


@dataclass(frozen=True, slots=True)
class Segments:
    """Every pixel of a picture belongs to one segment at most (Cheng et al., 2022, appendix)."""

    things: int
    """Classes from here on have one segment at most."""
    least: float
    """Queries are used whose class is more probable than this."""
    whole: float
    """Share of its own mask that must be left to a segment by those in front of it."""

    def __call__(self, output: Selectable) -> list[ClipPredictions]:
        """In the order of the queries; masks are 0 or 1 and have the frames' size."""
        return [self._of(output, clip) for clip in range(len(output.sizes))]

    def _of(self, output: Selectable, clip: int) -> ClipPredictions:
        scores, labels = _class_probs(output, clip).max(dim=-1)
        classes = output.class_logits.shape[-1] - 1
        confident = ((labels != classes) & (scores > self.least)).nonzero()[:, 0]
        pairs = QueryClassPairs(confident, labels[confident], scores[confident])
        masks = _enlarged(output, clip, confident)
        if len(confident):
            # Each pixel goes to the query of the highest score times mask (appendix).
            winner = (pairs.scores[:, None, None, None] * masks).argmax(dim=0)
            won = winner == torch.arange(len(confident), device=winner.device)[:, None, None, None]
            rows, left = self._left(pairs.labels, won, masks >= 0.5)
            pairs, masks = pairs.of(rows), left.to(masks.dtype)
        return _predictions(output, clip, pairs, masks)

    def _left(self, labels: Tensor, won: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows of `[N T H W]` stay, and what of the picture each has."""
        area, alone, both = (x.sum(dim=(1, 2, 3)) for x in (won, own, won & own))
        # A segment that others cover by more than a fifth is an echo of theirs.
        fine = (area > 0) & (alone > 0) & (both > 0) & (area >= self.whole * alone)
        parts: dict[int, Tensor] = {}
        rows: list[int] = []
        for row in fine.nonzero()[:, 0].tolist():
            label, part = int(labels[row]), won[row] & own[row]
            if label >= self.things and label in parts:
                # Stuff has one segment a class: later queries join the first.
                parts[label] |= part
                continue
            rows.append(row)
            parts[label if label >= self.things else -1 - row] = part
        empty = [won[:0]] if not rows else [torch.stack(list(parts.values()))]
        return labels.new_tensor(rows), torch.cat(empty)


@dataclass(frozen=True, slots=True)
class Classes:
    """A class for every pixel of a picture (Cheng et al., 2021: per-pixel by mask)."""

    def __call__(self, output: Selectable) -> list[ClipPredictions]:
        """`semantic`, and for each class that is somewhere the likeliest, its region as a row."""
        return [self._of(output, clip) for clip in range(len(output.sizes))]

    def _of(self, output: Selectable, clip: int) -> ClipPredictions:
        class_probs = _class_probs(output, clip)[:, :-1]
        # All queries take part in a class; none is chosen.
        masks = _enlarged(output, clip, torch.arange(len(class_probs), device=class_probs.device))
        semantic = torch.einsum("qk,qthw->tkhw", class_probs, masks)
        # several queries may name one pixel: their sum is brought down to a probability
        semantic = semantic / semantic.sum(dim=1, keepdim=True).clamp(min=1)
        return by_class(semantic)


def selection_of(config: SelectionSettings) -> Selection:
    """What makes predictions of the task that the settings state."""
    things = config.classes if config.things is None else config.things
    if config.task == VIDEO:
        return Tracks(config.keep or TRACKS)
    if config.task == "instance":
        return Instances(config.keep or OBJECTS, things)
    if config.task == "panoptic":
        return Segments(things, config.min_score, config.min_whole)
    return Classes()


def best_pairs(class_probs: Tensor, keep: int) -> QueryClassPairs:
    """The most probable of all pairs of query and class, `[Q K]`, the best first."""
    # Clamped: few queries and classes have fewer pairs than are asked for.
    scores, flat = class_probs.flatten().topk(min(keep, class_probs.numel()))
    return QueryClassPairs(flat // class_probs.shape[1], flat % class_probs.shape[1], scores)


def _class_probs(output: Selectable, clip: int) -> Tensor:
    """`[Q K + 1]`."""
    return output.class_logits[clip].float().softmax(dim=-1)


def _masks(output: Selectable, clip: int, queries: Tensor) -> Tensor:
    """`[N T h w]` probabilities over the content; what is asked for twice is computed once."""
    logits, inverse = _logits(output, clip, queries)
    height, width = output.sizes[clip].tolist()
    return crop_to_valid(logits, output.padded_size, (height, width)).sigmoid()[inverse]


def _enlarged(output: Selectable, clip: int, queries: Tensor) -> Tensor:
    """`[N T H W]` probabilities of every pixel of the content."""
    logits, inverse = _logits(output, clip, queries)
    height, width = output.sizes[clip].tolist()
    # Enlarged before the sigmoid, then cut: cells at the valid border straddle it.
    large = interpolate(logits, output.padded_size, mode="bilinear", align_corners=False)
    return large[:, :, :height, :width].sigmoid()[inverse]


def _logits(output: Selectable, clip: int, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Padded masks `[U T h w]` of the different queries, and the row of each query, `[N]`."""
    select = torch.zeros(output.states.shape[:2], dtype=torch.bool, device=queries.device)
    select[clip, queries] = True
    return output.masks().logits(select), torch.unique(queries, return_inverse=True)[1]


def _predictions(
    output: Selectable, clip: int, pairs: QueryClassPairs, masks: Tensor
) -> ClipPredictions:
    """Rows whose mask is empty in all frames are left out; a mask is as present as it is sure."""
    inside = masks > 0.5
    nonempty = inside.flatten(1).any(dim=1).nonzero()[:, 0]
    pairs, masks, inside = pairs.of(nonempty), masks[nonempty], inside[nonempty]
    return ClipPredictions(
        scores=pairs.scores,
        labels=pairs.labels,
        class_scores=_class_probs(output, clip)[pairs.queries, :-1],
        boxes=boxes_of(inside),
        masks=masks,
        presence=masks.amax(dim=(2, 3)),
        embeddings=output.states[clip, pairs.queries].float(),
    )
