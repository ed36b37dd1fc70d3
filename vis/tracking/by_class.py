"""Regions of classes instead of objects: a region is known by its class, nothing is linked."""

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
        """`[K]` of the scores of each class over frames."""
        self.frames = np.zeros(classes, np.int64)
        """`[K]` frames in which each class has a region."""

    def step(
        self, predictions: ClipPredictions, stamps: Sequence[Stamp], settled: int
    ) -> list[FrameTracks]:
        """The regions of the settled frames of a window; as `Tracker.step`."""
        # frames that a later window repeats are left to it: nothing is averaged over windows
        return [self._frame(predictions, t, stamp) for t, stamp in enumerate(stamps[:settled])]

    def current(self) -> list[Identity]:
        """All classes that have had a region, by index."""
        return [self._identity(label) for label in np.flatnonzero(self.frames).tolist()]

    def ended(self) -> list[Identity]:
        """None: a class may always come back."""
        return []

    def finish(self) -> list[Identity]:
        """All classes that have had a region; ready for another video."""
        identities = self.current()
        self.sums[:], self.frames[:] = 0, 0
        return identities

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"sums": self.sums.tolist(), "frames": self.frames.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another one of the same classes was saved.

        Raises:
            UsageError: that one's classes were others.
        """
        # a tracker of objects saves no sums: its state is refused here as well
        if len(state.get("sums", ())) != len(self.sums):
            raise UsageError("the state is of other classes, or of objects")
        self.sums, self.frames = np.array(state["sums"]), np.array(state["frames"], np.int64)

    def _frame(self, predictions: ClipPredictions, t: int, stamp: Stamp) -> FrameTracks:
        inside = (predictions.masks[:, t] > 0.5).flatten(1).any(dim=1)
        masks, boxes = predictions.masks[inside, t], predictions.boxes[inside, t]
        labels = _array(predictions.labels[inside]).astype(np.int64)
        scores = _array(predictions.scores[inside]).astype(np.float32)
        # `+=` by index adds once per class: a class has one region in a frame, so none is lost
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
        class_probs = np.zeros(len(self.sums), np.float32)
        class_probs[label] = score
        return Identity(label, label, score, class_scores=class_probs, mean=score)


def _array(values: Tensor) -> Any:
    return values.detach().cpu().numpy()
