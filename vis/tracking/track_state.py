"""State of one track: class, score, embedding, where the object was and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vis.records import Identity

if TYPE_CHECKING:
    from vis.tracking.detections import Detections
    from vis.tracking.overlap import Floats

_MIN_MOMENTUM = 0.1
"""Least share of a new embedding in the mean, so that slow change is followed."""


@dataclass(slots=True, eq=False)
class TrackState:
    """One object; no masks, so that it can be kept in the gallery."""

    id: int
    class_prob_sum: Floats
    """`[K]` sum of class probabilities over frames."""
    frames: float = 0.0
    """Frames in the sums; one that two windows show counts twice."""
    score_sum: float = 0.0
    """Sum of the detections' scores over frames."""
    label_prob_sum: float = 0.0
    """Sum of the probabilities of the detections' own labels, over frames."""
    windows: int = 0
    """Windows that showed it."""
    embedding: Floats | None = None
    """`[C]` running mean."""
    history: Floats | None = None
    """`[n 4]` frame number, centre y, x and size in cells of the last frames that showed it."""

    @property
    def label(self) -> int:
        """The class of the highest accumulated probability."""
        # argmax takes the first of equals: ties go to the lower class index
        return int(self.class_prob_sum.argmax())

    @property
    def score(self) -> float:
        """Mean probability of the class, times what the model's score is of its probabilities.

        A mean and no maximum, so that a long track does not score higher for its length.
        """
        ratio = self.score_sum / self.label_prob_sum if self.label_prob_sum else 0.0
        # a model may score above its probability (times mask quality, say); a score ends at 1
        return min(float(self.class_prob_sum.max()) / max(self.frames, 1.0) * ratio, 1.0)

    @property
    def last_seen(self) -> int:
        """Number of the last frame that showed it."""
        assert self.history is not None
        return int(self.history[-1, 0])

    @property
    def size(self) -> float:
        """Of the object in cells, where least was hidden."""
        assert self.history is not None
        return float(self.history[:, 3].max())

    def identity(self) -> Identity:
        """As of now."""
        means = (self.class_prob_sum / max(self.frames, 1.0)).astype(np.float32)
        score = self.score
        return Identity(self.id, self.label, score, class_scores=means, mean=score)

    def update(
        self, detections: Detections, row: int, first_frame: int, history_length: int
    ) -> None:
        """Take in a detection.

        Args:
            detections: of a window.
            row: which of them.
            first_frame: number of the window's first frame.
            history_length: frames of the past that are kept.
        """
        # a window weighs as its visible frames: one glimpse does not outvote a whole clip
        count = float(detections.visible[row].sum())
        self.class_prob_sum = self.class_prob_sum + detections.class_probs[row] * count
        self.score_sum += detections.scores[row] * count
        self.label_prob_sum += detections.class_probs[row, detections.labels[row]] * count
        self.frames += count
        self.windows += 1
        if detections.embeddings is not None:
            new = detections.embeddings[row]
            old = new if self.embedding is None else self.embedding
            # a plain mean at first, an exponential one from the tenth window on
            self.embedding = old + (new - old) * max(1 / self.windows, _MIN_MOMENTUM)
        self._extend_history(detections, row, first_frame, history_length)

    def motion(self) -> Floats:
        """`[5]`: frame number, centre y, x, and their change per frame, by a fit to the history.

        Small sights weigh less: half hidden, the centre of an object is not its centre.
        """
        assert self.history is not None
        numbers, sizes = self.history[:, 0], self.history[:, 3]
        # power 8: half the size (a quarter of the area) weighs 1/256, so it hardly bends the fit
        weights = (sizes / sizes.max()) ** 8
        weights /= weights.sum()
        mean = weights @ self.history[:, :3]
        steps = numbers - mean[0]
        variance = weights @ steps**2
        # a single frame has no variance: the speed is 0 then, not NaN
        speed = (weights * steps) @ (self.history[:, 1:3] - mean[1:]) / max(variance, 1e-9)
        now = mean[1:] + speed * (numbers[-1] - mean[0])
        return np.concatenate(([numbers[-1]], now, speed))

    def _extend_history(
        self, detections: Detections, row: int, first_frame: int, history_length: int
    ) -> None:
        frames = np.flatnonzero(detections.visible[row])
        steps = np.column_stack((first_frame + frames, detections.positions[row, frames]))
        if self.history is not None:
            # of a frame that two windows show, the newer window counts: it sees more of the future
            repeated = (self.history[:, :1] == steps[:, 0]).any(axis=1)
            steps = np.concatenate((self.history[~repeated], steps))
            steps = steps[steps[:, 0].argsort(kind="stable")]
        self.history = steps[-history_length:]
