"""The boxes of a detector in as many rows whatever is in the picture, as a graph needs them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_iou, roi_align

from vis.layers.rois import SAMPLES, STRIDES, level_of
from vis.layers.same_conv import SameConv
from vis.models._box_selection import CANDIDATES, STRIDE, confidence, embeddings, filled, widened
from vis.ops.boxes import boxes_of
from vis.ops.crops import put_back
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.models.ssd_mask import Output, SSDMask
    from vis.records import Clip


class FixedBoxes(nn.Module):
    """`ssd_mask` with `keep` rows for each picture: what is no object has a score of 0.

    The same objects in the same order as the model's own `predictions`, of a batch of one.

    Args:
        model: copied, not changed.
    """

    def __init__(self, model: SSDMask) -> None:
        super().__init__()
        self.model = _with_padded_maps(deepcopy(model))
        if self.model.masks is not None:
            self.model.masks.pooled = pooled_from_all
        self.selection = model.selection

    def forward(self, clip: Clip) -> ClipPredictions:
        """The rows of the one picture."""
        output: Output = self.model(clip)
        boxes, scores = output.boxes[0].float(), output.logits[0].float().sigmoid()
        rows, valid, boxes = self._unsuppressed(scores, boxes)
        around = widened(boxes, self.model.margin)
        masks = self._masks(output, around)
        height, width = (-(-side // STRIDE) for side in output.sizes.tolist()[0])
        whole = put_back(masks, around, (height, width))
        inside = whole > 0.5
        valid = valid & inside.flatten(1).any(dim=1)
        class_scores = scores[rows]
        best, labels = class_scores.max(dim=1)
        valid = self._wholes(inside.flatten(1).float(), labels, valid)
        best = best * confidence(masks)
        levels = [level[0] for level in output.levels]
        return ClipPredictions(
            scores=torch.where(valid, best, torch.zeros_like(best)),
            labels=labels,
            class_scores=class_scores,
            boxes=boxes_of(inside[:, None]),
            masks=whole[:, None],
            presence=torch.ones_like(whole[:, :1, 0]),
            embeddings=embeddings(levels, masks, around, output.network_size),
        )

    def _masks(self, output: Output, around: Tensor) -> Tensor:
        """Probabilities `[keep m m]` within the boxes."""
        head = self.model.masks
        if head is None:
            return filled(around, self.model.margin)
        first = torch.zeros(len(around), dtype=torch.int64)
        return self.model._masks(head, output, first, around).fine.float().sigmoid()

    def _unsuppressed(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of `keep` anchors, whether each is a detection, and their boxes `[keep 4]`."""
        best, rows = scores.amax(dim=1).topk(min(CANDIDATES, len(scores)))
        boxes = boxes[rows].clamp(0, 1)
        large = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(dim=1)
        left = torch.where((best >= self.selection.min_score) & large, best, -torch.ones_like(best))
        overlapping = box_iou(boxes, boxes) > self.selection.overlap
        places, valid = [], []
        # greedy, a step for each row: a graph has no loop of unknown length
        for _ in range(self.selection.keep):
            score, place = left.max(dim=0, keepdim=True)
            places.append(place)
            valid.append(score >= 0)
            suppressed = overlapping[place][0] | (torch.arange(len(left)) == place)
            left = torch.where(suppressed, -torch.ones_like(left), left)
        picks = torch.cat(places)
        return rows[picks], torch.cat(valid), boxes[picks]

    def _wholes(self, masks: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """Which of the valid masks `[N P]` are no part of a surer one, or it of them."""
        same = self.selection.same_object(masks, labels)
        stays: list[Tensor] = []
        for row in range(len(masks)):
            alone = valid[row : row + 1]
            if stays:
                alone = alone & ~(same[row, :row] & torch.cat(stays)).any(dim=0, keepdim=True)
            stays.append(alone)
        return torch.cat(stays)


def pooled_from_all(levels: Sequence[Tensor], pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """As `vis.layers.rois.pooled`: looks at every level, and takes of each box what fits it."""
    indexed_boxes = torch.cat((pictures[:, None].to(boxes.dtype), boxes), dim=1)
    fitting = level_of(boxes)
    features = boxes.new_zeros(len(boxes), levels[0].shape[1], side, side)
    for number, (level, stride) in enumerate(zip(levels, STRIDES, strict=True)):
        pooled = roi_align(
            level.to(boxes.dtype),
            indexed_boxes,
            side,
            spatial_scale=1 / stride,
            sampling_ratio=SAMPLES,
            aligned=True,
        )
        features = torch.where((fitting == number)[:, None, None, None], pooled, features)
    return features


class PaddedMapConv(SameConv):
    """A `SameConv` that pads its map: padded weights are lost on the way to ONNX (torch 2.15)."""

    def forward(self, x: Tensor) -> Tensor:
        """As `SameConv`."""
        if self.kernel_size[0] > 1:
            # before a side that is odd, or with a stride of 1, a cell; after it always one
            before = [1 if self.stride[0] == 1 else side % 2 for side in x.shape[-2:]]
            x = functional.pad(x, (before[1], 1, before[0], 1))
        x = functional.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)
        return functional.relu6(x) if self.active else x


def _with_padded_maps(model: SSDMask) -> SSDMask:
    for module in model.modules():
        if type(module) is SameConv:
            module.__class__ = PaddedMapConv  # its parameters and settings are all that it has
    return model
