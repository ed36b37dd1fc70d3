"""The loss of a single-shot detector with a mask head: anchors, and masks within boxes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    interpolate,
    smooth_l1_loss,
)
from torchvision.ops import box_iou, roi_align

from vis.layers.anchors import encode
from vis.layers.true_rows import true_rows
from vis.losses.grid import focal_sum
from vis.losses.set_loss import mean_over_ranks
from vis.losses.targets import annotated_classes, check_classes
from vis.ops.boxes import to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.layers.roi_masks import RoiMasks
    from vis.records import ClipTargets

MATCHED = 0.5
"""Overlap from which an anchor is an object's (Liu et al., 2016, 2.2), and a box a good one."""
# The fine mask is what is drawn; the coarse one only steers the step before it.
WEIGHTS = {"class": 1.0, "box": 1.0, "mask_bce": 2.0, "mask_dice": 1.0, "mask_coarse": 1.0}


class Rois(NamedTuple):
    """Boxes whose masks are learnt."""

    pictures: Tensor
    """`[R]` which of the batch."""
    instances: Tensor
    """`[R]` which object of that picture."""
    boxes: Tensor
    """`[R 4]` corners as fractions of the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiSampling:
    """Which boxes of a picture the mask head learns from."""

    jitter: float = 0.1
    """Standard deviation of what a true box is moved and grown by, in parts of its sides."""
    most: int = 8
    """Boxes of a picture; objects are drawn by lot where there are more."""

    def __call__(self, detected: Tensor, scores: Tensor, targets: Sequence[ClipTargets]) -> Rois:
        """Of each object its box, moved at random, and the surest one that was detected.

        Args:
            detected: `[B A 4]` corners.
            scores: `[B A]` of the surest class.
            targets: of the B pictures.
        """
        visible = true_rows([target.visible[:, 0] for target in targets])
        subsets = [self._some(rows) for rows in visible]
        true = [t.boxes[rows, 0].to(detected) for t, rows in zip(targets, subsets, strict=True)]
        hits = [_surest(*one) for one in zip(true, detected, scores, strict=True)]
        matched = true_rows([best > 0 for best, _ in hits])
        per_picture = []
        for number, rows in enumerate(matched):
            # True boxes alone would teach masks for boxes that no detector gives.
            best = detected[number][hits[number][1][rows]]
            every = torch.cat((self._jittered(true[number]), best))
            instances = torch.cat((subsets[number], subsets[number][rows]))
            subset = self._some(torch.arange(len(every), device=every.device))
            pictures = torch.full_like(subset, number)
            per_picture.append((pictures, instances[subset], every[subset]))
        return Rois(*(torch.cat(parts) for parts in zip(*per_picture, strict=True)))

    def _some(self, rows: Tensor) -> Tensor:
        return rows[torch.randperm(len(rows), device=rows.device)[: self.most]]

    def _jittered(self, boxes: Tensor) -> Tensor:
        sides = boxes[:, 2:] - boxes[:, :2]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + self.jitter * sides * torch.randn_like(sides)
        # The exponent keeps sides positive, and growing is as likely as shrinking.
        halves = sides * (self.jitter * torch.randn_like(sides)).exp() / 2
        return torch.cat((centres - halves, centres + halves), dim=1)


def detector_terms(
    logits: Tensor, offsets: Tensor, anchors: Tensor, targets: Sequence[ClipTargets]
) -> dict[str, Tensor]:
    """The weighted terms `class` (focal) and `box` (smooth L1), over the number of matched anchors.

    An anchor is of the object that it overlaps most, if by half; each object has one at least.

    Args:
        logits: `[B A K]`, a sigmoid each.
        offsets: `[B A 4]` from the anchors.
        anchors: `[A 4]` centres and sides.
        targets: of the B pictures.

    Raises:
        DataError: a label is not one of the model's classes.
    """
    check_classes(targets, logits.shape[-1])
    offsets = offsets.to(torch.promote_types(offsets.dtype, torch.float32))
    anchors = anchors.to(offsets.dtype)
    pictures, rows, instances = _matched(anchors, targets)
    labels = torch.cat([target.labels for target in targets])[instances]
    boxes = torch.cat([target.boxes[:, 0] for target in targets])[instances]
    class_targets = torch.zeros_like(logits)
    class_targets[pictures, rows, labels] = 1
    truth = encode(boxes.to(anchors.dtype), anchors[rows])
    # A sum over nothing: without a match the boxes still have a gradient, of zero.
    box = smooth_l1_loss(offsets[pictures, rows], truth, reduction="sum")
    counted = annotated_classes(targets, logits.shape[-1])[:, None].expand_as(logits)
    total = mean_over_ranks(offsets.new_tensor(float(len(rows))), least=1.0)
    focal = focal_sum(logits, class_targets, counted.to(logits.dtype))
    return {"class": WEIGHTS["class"] * focal / total, "box": WEIGHTS["box"] * box / total}


def mask_terms(masks: RoiMasks, rois: Rois, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
    """The weighted terms `mask_bce`, `mask_dice` and `mask_coarse`, each a mean over the boxes."""
    # half precision cannot add up thousands of cells
    masks = type(masks)(*(x.to(torch.promote_types(x.dtype, torch.float32)) for x in masks))
    terms = dict.fromkeys(("mask_bce", "mask_dice", "mask_coarse"), masks.fine.sum() * 0)
    terms["mask_coarse"] = masks.coarse.sum() * 0
    total = mean_over_ranks(masks.fine.new_tensor(float(len(masks.fine))), least=1.0)
    if len(masks.fine):
        truth = _truth(rois, targets, masks.fine.shape[-1]).to(masks.fine.dtype)
        # An area mean: coarse cells at the border are to be as sure as they are covered.
        small = interpolate(truth[:, None], masks.coarse.shape[-2:], mode="area")[:, 0]
        terms["mask_bce"] = _cross_entropy(masks.fine, truth)
        terms["mask_dice"] = _dice(masks.fine, truth)
        terms["mask_coarse"] = _cross_entropy(masks.coarse, small)
    return {name: WEIGHTS[name] * value / total for name, value in terms.items()}


def _surest(boxes: Tensor, detected: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Of the detections that hit each object the score of the surest, 0 without one, and its place.

    It is what the mask head will meet in use.
    """
    if not len(boxes):
        return boxes.new_zeros(0), boxes.new_zeros(0, dtype=torch.int64)
    best, place = (box_iou(boxes, detected).ge(MATCHED) * scores).max(dim=1)
    return best, place


def _matched(anchors: Tensor, targets: Sequence[ClipTargets]) -> tuple[Tensor, Tensor, Tensor]:
    """`[P]` pictures, anchors, and the object of each: its row in the objects of all targets."""
    parts = [_owners(anchors, target) for target in targets]
    most, owner = (torch.stack(part) for part in zip(*parts, strict=True))
    pictures, rows = (most >= MATCHED).nonzero(as_tuple=True)
    counts = [len(target.labels) for target in targets]
    first = owner.new_tensor([0, *accumulate(counts[:-1])])
    return pictures, rows, owner[pictures, rows] + first[pictures]


def _owners(anchors: Tensor, target: ClipTargets) -> tuple[Tensor, Tensor]:
    """`[A]` each: the largest overlap, below 0 with what is not visible, and whose it is."""
    visible = target.visible[:, 0]
    if not len(visible):
        nothing = anchors.new_zeros(len(anchors))
        return nothing, nothing.long()
    overlaps = box_iou(target.boxes[:, 0].to(anchors.dtype), to_corners(anchors))
    free = overlaps.where(visible[:, None], -1.0)
    most, owner = free.max(dim=0)
    # SSD's bipartite step (Liu et al., 2016, 2.2): each object first takes its best anchor.
    for number, here in enumerate(visible):
        # an object too small or long for all anchors keeps its nearest that no other one keeps
        nearest = free[number].argmax(dim=0, keepdim=True)  # as a number it would be waited for
        owner[nearest] = owner[nearest].where(~here, number)
        most[nearest] = most[nearest].where(~here, 1.0)
        free[:, nearest] = free[:, nearest].where(~here, -1.0)
    return most, owner


def _truth(rois: Rois, targets: Sequence[ClipTargets], side: int) -> Tensor:
    """`[R side side]` how much of each cell of a box its object covers, 0..1."""
    truth = rois.boxes.new_zeros(len(rois.boxes), side, side)
    by_picture = true_rows([rois.pictures == number for number in range(len(targets))])
    for target, rows in zip(targets, by_picture, strict=True):
        if len(rows):
            masks = target.masks[rois.instances[rows], 0].to(truth.dtype)
            height, width = masks.shape[1:]
            corners = rois.boxes[rows] * truth.new_tensor((width, height, width, height))
            own = torch.arange(len(rows), device=rows.device)[:, None].to(truth.dtype)
            indexed_boxes = torch.cat((own, corners), dim=1)
            truth[rows] = roi_align(
                masks[:, None], indexed_boxes, side, sampling_ratio=2, aligned=True
            )[:, 0]
    return truth


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Sum over boxes of the mean over cells."""
    each = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return each.mean(dim=(1, 2)).sum()


def _dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Sum over boxes of one minus dice, smoothed by a cell."""
    probabilities = logits.sigmoid()
    both = (probabilities * truth).sum(dim=(1, 2))
    either = probabilities.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
    return (1 - (2 * both + 1) / (either + 1)).sum()
