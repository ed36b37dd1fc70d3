"""Detections of one window: filtered by score, sorted, without duplicates, measured."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.errors import VisWarning
from vis.tracking.overlap import Bools, Floats, Ints, mean_iou

if TYPE_CHECKING:
    from torch import Tensor

    from vis.records import ClipPredictions
    from vis.tracking.config import Config


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections of one window, best first; all but the masks are small and lie on the CPU."""

    scores: Floats
    """`[N]`."""
    labels: Ints
    """`[N]`."""
    class_probs: Floats
    """`[N K]` class probabilities."""
    boxes: Floats
    """`[N T 4]`."""
    presence: Floats
    """`[N T]`."""
    visible: Bools
    """`[N T]`; present, and with a mask."""
    positions: Floats
    """`[N T 3]` centre y, x and size (root of the area) in cells; zero where not visible."""
    embeddings: Floats | None
    """`[N C]` of length 1."""
    masks: tuple[Tensor, ...]
    """N times `[T h w]` float32, where the model put them; its own where they are float32."""

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, frame: int, rows: Ints | None = None) -> Tensor:
        """`[N h w]` the masks of one frame; of these rows alone."""
        masks = self.masks if rows is None else [self.masks[row] for row in rows.tolist()]
        # stacked frame by frame: all frames of all masks at once would double the memory
        return torch.stack([mask[frame] for mask in masks])

    def of(self, rows: Ints) -> Detections:
        """These rows in this order."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        names = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        arrays = {name: getattr(self, name)[rows] for name in names if name != "masks"}
        return replace(self, **arrays, masks=tuple(self.masks[row] for row in rows.tolist()))


def detect(predictions: ClipPredictions, frames: int, config: Config) -> Detections:
    """Detections of a window's predictions that the tracker may use.

    The order is by score, then by place: nothing depends on the order of the model's queries.

    Args:
        predictions: of one window.
        frames: how many of its first frames count; the rest is padding.
        config: the tracker's.
    """
    scores = _array(predictions.scores)
    rows = np.flatnonzero(scores >= config.low_threshold)
    detections = _measured(predictions, frames, rows, config)
    rows = np.flatnonzero(detections.visible.any(axis=1) & _finite(detections))
    first = detections.positions[rows, detections.visible[rows].argmax(axis=1)]
    # lexsort: the last key counts first. Ties of the score go to the upper, then the left, then
    # the smaller one, all seen from the first visible frame.
    keys = (first[:, 2], first[:, 1], first[:, 0], -detections.scores[rows])
    detections = detections.of(rows[np.lexsort(keys)])
    # at 1 nothing is dropped, not even exact copies: the overlaps need not be computed
    return detections.of(_nms(detections, config.nms_iou)) if config.nms_iou < 1 else detections


def _measured(predictions: ClipPredictions, frames: int, rows: Ints, config: Config) -> Detections:
    # what is no number is outside: one of them would make every overlap of the mask none
    masks = tuple(
        predictions.masks[row, :frames].float().nan_to_num(0.0, posinf=1.0, neginf=0.0)
        for row in rows.tolist()
    )
    positions = (
        np.stack([_positions(mask) for mask in masks]) if masks else np.zeros((0, frames, 3))
    )
    presence = _array(predictions.presence)[rows, :frames]
    # present without a mask is not visible: there would be nothing to link, draw or encode
    visible = (presence >= config.min_presence) & (positions[..., 2] > 0)
    embeddings = None
    if predictions.embeddings is not None:
        embeddings = _array(predictions.embeddings)[rows]
        with np.errstate(invalid="ignore"):  # infinite ones, which `_finite` finds
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True).clip(min=1e-12)
    return Detections(
        scores=_array(predictions.scores)[rows],
        labels=_array(predictions.labels)[rows].astype(np.int64),
        class_probs=_array(predictions.class_scores)[rows],
        boxes=_array(predictions.boxes)[rows, :frames],
        presence=presence,
        visible=visible,
        positions=positions * visible[..., None],
        embeddings=embeddings,
        masks=masks,
    )


def _finite(detections: Detections) -> Bools:
    """`[D]` whether scores and embedding are numbers: others would spoil a track for good."""
    finite = np.isfinite(detections.scores) & np.isfinite(detections.class_probs).all(axis=1)
    if detections.embeddings is not None:
        finite &= np.isfinite(detections.embeddings).all(axis=1)
    if not finite.all():
        what = "the model gave scores or embeddings that are not finite; those objects are left out"
        warnings.warn(what, VisWarning, stacklevel=2)
    return finite


def _positions(mask: Tensor) -> Floats:
    """`[T h w]` -> `[T 3]` centre y, x and root of the area of what is likely inside."""
    height, width = mask.shape[1:]
    # half a cell: coordinates are of cells' centres, so that a mirrored mask has a mirrored centre
    ys = torch.arange(height, device=mask.device, dtype=mask.dtype) + 0.5
    xs = torch.arange(width, device=mask.device, dtype=mask.dtype) + 0.5
    inside = (mask > 0.5).to(mask.dtype)
    rows, columns = inside.sum(dim=2), inside.sum(dim=1)
    area = rows.sum(dim=1)
    centre = torch.stack((rows @ ys, columns @ xs), dim=1) / area.clamp(min=1)[:, None]
    # one copy to the host for all frames of a mask
    return _array(torch.cat((centre, area.sqrt()[:, None]), dim=1))


def _nms(detections: Detections, max_iou: float) -> Ints:
    """Rows that overlap no better row by `max_iou` or more: mask NMS over the window, greedy."""
    if not len(detections):
        return np.zeros(0, np.int64)
    each = (detections.at(frame) for frame in range(detections.visible.shape[1]))
    frames = ((masks, masks) for masks in each)
    overlaps, _ = mean_iou(frames, detections.visible, detections.visible)
    rows: list[int] = []
    # across classes: two names for one mask are one object of unsure class
    for row in range(len(detections)):
        if (overlaps[row, rows] < max_iou).all():
            rows.append(row)
    return np.array(rows, np.int64)


def _array(values: Tensor) -> Floats:
    # float64: sums over hours of frames keep their digits, and numpy and scipy compute in it anyway
    return values.detach().cpu().double().numpy()
