"""Which query is to show which instance: one assignment a clip and layer, for all its frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import logsigmoid

from vis.losses.targets import Truth, check_labels
from vis.ops.boxes import giou, iou, to_centres, to_corners

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from vis.losses.outputs import LayerOutput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Counted = Callable[["Tensor"], "Tensor"]
"""`visible [M T]` -> the frames of each instance that count, bool `[M T]`."""

PairCost = Callable[["Sequence[LayerOutput]", Truth], "Tensor"]
"""Layers and truth -> `[L N M]` what each query for each instance costs, such as a `Cost`."""

ClassScore = Callable[["Tensor"], "Tensor"]
"""Logits `[... K]` -> how well each names its class, `[... K]`."""

# Lin et al., 2017, 4.1: as gamma tames the easy negatives, positives need less weight.
BALANCE = 0.25
"""Of the focal loss: what an object's own class weighs; the others weigh 1 minus it."""
FORBIDDEN = 1e6
"""Stands for a cost that is not a number, or that no counted frame defines."""


class Overlap(Protocol):
    """Corner boxes `[... 4]` that broadcast -> how much they overlap, `[...]`."""

    def __call__(self, a: Tensor, b: Tensor, *, eps: float) -> Tensor:
        """For instance `vis.ops.boxes.iou`."""


def every_frame(visible: Tensor) -> Tensor:
    """Every frame counts, whether or not it shows the instance; VisTR's way."""
    return torch.ones_like(visible)


def visible_frames(visible: Tensor) -> Tensor:
    """Only the frames that show the instance count."""
    return visible


def probability(logits: Tensor) -> Tensor:
    """The rows exclude each other; the last is "no object"."""
    return logits.softmax(dim=-1)


def focal_class_score(logits: Tensor) -> Tensor:
    """Each row for itself: what the focal loss would change by (Zhu et al., 2021, appendix A.4)."""
    prob = logits.sigmoid()
    positive = BALANCE * (1 - prob) ** 2 * logsigmoid(logits)
    negative = (1 - BALANCE) * prob**2 * logsigmoid(-logits)
    return positive - negative


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs that a query shows an instance: a weighted sum of means over counted frames."""

    label: float
    """Weight of minus the merit of the instance's class."""
    box_l1: float
    """Weight of the distance of two boxes, summed over centre, width and height."""
    overlap: float
    """Weight of minus the overlap."""
    measure: Overlap
    eps: float
    """Added to both terms of the fractions of the overlap."""
    counted: Counted
    class_score: ClassScore = probability

    def __call__(self, layers: Sequence[LayerOutput], truth: Truth) -> Tensor:
        """`[L N M]` cost of every query for every instance of its clip, in each layer."""
        class_scores = self.class_score(_stack([layer.logits for layer in layers]))
        boxes = _stack([layer.boxes for layer in layers])
        clips, frames = truth.clips[:, None], torch.arange(boxes.shape[1], device=boxes.device)
        # Labels are checked only after the copy to the host: an index beyond must not fault before.
        rows = truth.labels.clamp(0, class_scores.shape[-1] - 1)
        likely = class_scores[clips, frames, :, :, rows]
        predicted, true_boxes = boxes[clips, frames], truth.boxes[:, :, None, None].to(boxes)
        distance = (predicted - to_centres(true_boxes)).abs().sum(dim=-1)
        overlap = self.measure(to_corners(predicted), true_boxes, eps=self.eps)
        # Equation 1 of DETR's section 3.1: class, L1 and overlap, summed per pair.
        cost = self.box_l1 * distance - self.label * likely - self.overlap * overlap
        return _mean(cost, self.counted(truth.visible))


VISTR_COST = Cost(
    label=1.0,
    box_l1=5 / 4,  # published as 5 times the mean of the four coordinates
    overlap=2.0,
    measure=iou,  # published under the name of generalised IoU
    eps=1e-6,
    counted=every_frame,
)
"""Published by VisTR: an absent frame counts as class `EMPTY` with an empty box at the corner."""

DETR_COST = Cost(label=1.0, box_l1=5.0, overlap=2.0, measure=giou, eps=0.0, counted=visible_frames)
"""Published by DETR (its section 3.1) for images; for clips, the mean over visible frames."""

FOCAL_COST = replace(DETR_COST, label=2.0, class_score=focal_class_score)
"""Published by Deformable DETR; no row of the logits is "no object"."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What one layer must show: one entry for each instance, query and frame; all `[P]` int64."""

    clips: Tensor
    frames: Tensor
    queries: Tensor
    instances: Tensor
    """Rows of the batch's `Truth`."""
    counts: list[int]
    """Entries of each clip, in the host's memory; they sum to P."""


Visibility = Callable[[Bools, Ints], Bools]
"""`visible [M T]` of one clip, its matched instances in query order -> their frames `[P T]`."""


def own_visibility(visible: Bools, instances: Ints) -> Bools:
    """An instance is shown in the frames in which it is visible."""
    return visible[instances]


def published_visibility(visible: Bools, instances: Ints) -> Bools:
    """VisTR's code takes the k-th instance's frames for the k-th match: a fault, for parity."""
    return visible[: len(instances)]


@dataclass(frozen=True, slots=True)
class Matcher:
    """The cheapest one-to-one assignment of queries to instances, of each clip and layer alone."""

    cost: PairCost
    visibility: Visibility = own_visibility
    groups: int = 1
    """Equal parts of the queries, end to end; every instance is matched once in each."""

    @torch.no_grad()
    def __call__(self, layers: Sequence[LayerOutput], truth: Truth) -> list[Pairs]:
        """The pairs of each layer, by clip, then query, then frame.

        With more instances than queries of a group, the dearest stay without a query of it.

        Raises:
            DataError: a label is not one of the model's classes.
        """
        logits = layers[0].logits
        cost, labels, visible = _to_host(self.cost(layers, truth), truth)
        if labels.size:
            check_labels(int(labels.min()), int(labels.max()), truth.annotated.shape[1])
        tables = [self._pair(layer, visible, truth.counts) for layer in cost]
        together = torch.from_numpy(np.concatenate(tables, axis=1)).to(logits.device)
        parts = torch.split(together, [table.shape[1] for table in tables], dim=1)
        counts = [np.bincount(table[0], minlength=len(truth.counts)).tolist() for table in tables]
        return [
            Pairs(part[0], part[1], part[2], part[3], count)
            for part, count in zip(parts, counts, strict=True)
        ]

    def _pair(self, cost: Floats, visible: Bools, counts: Sequence[int]) -> Ints:
        """`[4 P]` clips, frames, queries and instances of one layer's cost `[N M]`."""
        tables = [np.zeros((4, 0), dtype=np.int64)]
        # Clips are assigned apart: a query shows an instance of its own clip alone.
        clips_and_groups = itertools.product(enumerate(_rows(counts)), range(self.groups))
        for (clip, rows), group in clips_and_groups:
            first = group * len(cost) // self.groups
            part = cost[first : first + len(cost) // self.groups, rows]
            queries, instances = cheapest(part)
            match, frames = np.nonzero(self.visibility(visible[rows], instances))
            clips, queries = np.full_like(match, clip), first + queries[match]
            tables.append(np.stack((clips, frames, queries, instances[match] + rows.start)))
        return np.concatenate(tables, axis=1)


def _stack(layers: list[Tensor]) -> Tensor:
    """`[L][B T N C]` -> `[B T L N C]`, at least in single precision."""
    stacked = torch.stack(layers, dim=2)
    return stacked.to(torch.promote_types(stacked.dtype, torch.float32))


def _mean(cost: Tensor, counted: Tensor) -> Tensor:
    """`[M T L N]` -> `[L N M]` mean over the counted frames."""
    # A mean, not a sum: an instance of few frames must not be cheap.
    weight = counted[:, :, None, None].to(cost)
    total = (cost * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
    defined = counted.any(dim=1)[:, None, None]
    return total.where(defined, FORBIDDEN).permute(1, 2, 0)


def _to_host(cost: Tensor, truth: Truth) -> tuple[Floats, Ints, Bools]:
    """Cost, labels and visibility as arrays, in one copy: each copy halts the device."""
    parts = (cost, truth.labels, truth.visible)
    flat = torch.cat([part.to(cost.dtype).flatten() for part in parts]).cpu().numpy()
    costs, labels, visible = np.split(flat, np.cumsum([part.numel() for part in parts])[:-1])
    # A diverged model is reported through its loss; the assignment itself must not fail on it.
    # Scipy refuses NaN and infinity, which a diverged model gives.
    limited = np.nan_to_num(costs.astype(np.float64), nan=FORBIDDEN, posinf=FORBIDDEN)
    return (
        limited.reshape(cost.shape),
        labels.reshape(truth.labels.shape).astype(np.int64),
        visible.reshape(truth.visible.shape).astype(np.bool_),
    )


def _rows(counts: Sequence[int]) -> Iterator[slice]:
    start = 0
    for count in counts:
        yield slice(start, start + count)
        start += count


def cheapest(cost: Floats) -> tuple[Ints, Ints]:
    """Slots, ascending, and the instance of each, for a cost `[N M]` of finite numbers."""
    from scipy.optimize import linear_sum_assignment

    queries, instances = linear_sum_assignment(cost)
    return queries.astype(np.int64), instances.astype(np.int64)
