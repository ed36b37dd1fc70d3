"""regions of classes instead of objects: a region is known by its class, nothing is linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import UsageError
from vis.records import FrameTracks, Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.records import ClipPredictions
    from vis.tracking.windows import Stamp


class ByClass:
    """A `Tracker` for models that name every pixel; its state is two numbers for each class.

    Two dogs side by side are one region "dog", and a dog that leaves and another that comes are one
    identity: such models tell no objects apart.

    Args:
        classes: how many the model knows.
    """

    def __init__(self, *, classes: int) -> None:
        self.sums = np.zeros(classes)
        """Of the scores of each class."""
        self.frames = np.zeros(classes, np.int64)
        """That showed each class."""

    def step(
        self, predictions: ClipPredictions, stamps: Sequence[Stamp], settled: int
    ) -> list[FrameTracks]:
        """The regions of the settled frames of a window; as `Tracker.step`."""
        return [self._frame(predictions, t, stamp) for t, stamp in enumerate(stamps[:settled])]

    def standing(self) -> list[Identity]:
        """All classes that were seen."""
        return [self._identity(label) for label in np.flatnonzero(self.frames).tolist()]

    def ended(self) -> list[Identity]:
        """None: a class may always come back."""
        return []

    def finish(self) -> list[Identity]:
        """All classes that were seen; ready for another video."""
        found = self.standing()
        self.sums[:], self.frames[:] = 0, 0
        return found

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"sums": self.sums.tolist(), "frames": self.frames.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another one of the same classes was saved.

        Raises:
            UsageError: that one's classes were others.
        """
        if len(state.get("sums", ())) != len(self.sums):
            raise UsageError("the state is of other classes, or of objects")
        self.sums, self.frames = np.array(state["sums"]), np.array(state["frames"], np.int64)

    def _frame(self, predictions: ClipPredictions, t: int, stamp: Stamp) -> FrameTracks:
        inside = (predictions.masks[:, t] > 0.5).flatten(1).any(dim=1)
        masks, boxes = predictions.masks[inside, t], predictions.boxes[inside, t]
        labels = _array(predictions.labels[inside]).astype(np.int64)
        scores = _array(predictions.scores[inside]).astype(np.float32)
        self.sums[labels] += scores
        self.frames[labels] += 1
        means = (self.sums[labels] / self.frames[labels]).astype(np.float32)
        return FrameTracks(
            index=stamp.index,
            time=stamp.time,
            ids=labels.copy(),
            labels=labels,
            scores=means,
            boxes=_array(boxes).astype(np.float32),
            masks=_array(masks).astype(np.float32),
        )

    def _identity(self, label: int) -> Identity:
        score = float(self.sums[label] / self.frames[label])
        chances = np.zeros(len(self.sums), np.float32)
        chances[label] = score
        return Identity(label, label, score, class_scores=chances, mean=score)


def _array(values: Tensor) -> Any:
    return values.detach().cpu().numpy()
