"""The answers of one window that may be objects: sorted, without doubles, measured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.tracking.overlap import Bools, Floats, Ints, mean_iou

if TYPE_CHECKING:
    from torch import Tensor

    from vis.records import ClipPredictions
    from vis.tracking.config import Config


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Answers of one window, best first; all but the masks are small and lie on the CPU."""

    scores: Floats
    """`[N]`."""
    labels: Ints
    """`[N]`."""
    chances: Floats
    """`[N K]` class probabilities."""
    boxes: Floats
    """`[N T 4]`."""
    presence: Floats
    """`[N T]`."""
    shown: Bools
    """`[N T]`; present, and with a mask."""
    places: Floats
    """`[N T 3]` centre y, x and size (root of the area) in cells; zero where nothing is shown."""
    embeddings: Floats | None
    """`[N C]` of length 1."""
    masks: tuple[Tensor, ...]
    """N times `[T h w]` float32, where the model put them; its own where they are float32."""

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, frame: int, rows: Ints | None = None) -> Tensor:
        """`[N h w]` the masks of one frame; of these rows alone."""
        chosen = self.masks if rows is None else [self.masks[row] for row in rows.tolist()]
        return torch.stack([mask[frame] for mask in chosen])

    def of(self, rows: Ints) -> Candidates:
        """These rows in this order."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        names = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        chosen = {name: getattr(self, name)[rows] for name in names if name != "masks"}
        return replace(self, **chosen, masks=tuple(self.masks[row] for row in rows.tolist()))


def take(predictions: ClipPredictions, frames: int, config: Config) -> Candidates:
    """What the tracker may use of a window's predictions.

    The order is by score, then by place: nothing depends on the order of the model's slots.

    Args:
        predictions: of one window.
        frames: how many of its first frames count; the rest is padding.
        config: the tracker's.
    """
    scores = _array(predictions.scores)
    found = _measured(predictions, frames, np.flatnonzero(scores >= config.weakest), config)
    seen = np.flatnonzero(found.shown.any(axis=1))
    first = found.places[seen, found.shown[seen].argmax(axis=1)]
    keys = (first[:, 2], first[:, 1], first[:, 0], -found.scores[seen])
    found = found.of(seen[np.lexsort(keys)])
    return found.of(_single(found, config.duplicates)) if config.duplicates < 1 else found


def _measured(predictions: ClipPredictions, frames: int, rows: Ints, config: Config) -> Candidates:
    masks = tuple(predictions.masks[row, :frames].float() for row in rows.tolist())
    places = np.stack([_places(mask) for mask in masks]) if masks else np.zeros((0, frames, 3))
    presence = _array(predictions.presence)[rows, :frames]
    shown = (presence >= config.presence) & (places[..., 2] > 0)
    embeddings = None
    if predictions.embeddings is not None:
        embeddings = _array(predictions.embeddings)[rows]
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True).clip(min=1e-12)
    return Candidates(
        scores=_array(predictions.scores)[rows],
        labels=_array(predictions.labels)[rows].astype(np.int64),
        chances=_array(predictions.class_scores)[rows],
        boxes=_array(predictions.boxes)[rows, :frames],
        presence=presence,
        shown=shown,
        places=places * shown[..., None],
        embeddings=embeddings,
        masks=masks,
    )


def _places(mask: Tensor) -> Floats:
    """`[T h w]` -> `[T 3]` centre y, x and root of the area of what is likely inside."""
    height, width = mask.shape[1:]
    ys = torch.arange(height, device=mask.device, dtype=mask.dtype) + 0.5
    xs = torch.arange(width, device=mask.device, dtype=mask.dtype) + 0.5
    inside = (mask > 0.5).to(mask.dtype)
    rows, columns = inside.sum(dim=2), inside.sum(dim=1)
    area = rows.sum(dim=1)
    centre = torch.stack((rows @ ys, columns @ xs), dim=1) / area.clamp(min=1)[:, None]
    return _array(torch.cat((centre, area.sqrt()[:, None]), dim=1))


def _single(found: Candidates, most: float) -> Ints:
    """Rows that are not yet said better by a row before them."""
    if not len(found):
        return np.zeros(0, np.int64)
    each = (found.at(frame) for frame in range(found.shown.shape[1]))
    frames = ((masks, masks) for masks in each)
    overlaps, _ = mean_iou(frames, found.shown, found.shown)
    kept: list[int] = []
    for row in range(len(found)):
        if (overlaps[row, kept] < most).all():
            kept.append(row)
    return np.array(kept, np.int64)


def _array(values: Tensor) -> Floats:
    return values.detach().cpu().double().numpy()
