"""What is known of one object: class, score, looks, where it was and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vis.records import Identity

if TYPE_CHECKING:
    from vis.tracking.candidates import Candidates
    from vis.tracking.overlap import Floats

_SLOWEST = 0.1
"""Least share of a new embedding in the mean, so that slow change is followed."""


@dataclass(slots=True, eq=False)
class Known:
    """One object; no masks, so that it can be kept when the object is gone."""

    id: int
    chances: Floats
    """`[K]` sum of class probabilities over frames."""
    frames: float = 0.0
    """Frames in the sums; one that two windows show counts twice."""
    quality: float = 0.0
    """Sum of the answers' scores over frames."""
    named: float = 0.0
    """Sum of the probabilities of the classes that the answers named, over frames."""
    views: int = 0
    """Windows that showed it."""
    embedding: Floats | None = None
    """`[C]` running mean."""
    trail: Floats | None = None
    """`[n 4]` clock, centre y, x and size in cells of the last frames that showed it."""

    @property
    def label(self) -> int:
        """The class of the highest accumulated probability."""
        return int(self.chances.argmax())

    @property
    def score(self) -> float:
        """Mean probability of the class, times what the model's score is of its probabilities.

        A mean and no maximum, so that a long track does not score higher for its length.
        """
        share = self.quality / self.named if self.named else 0.0
        return min(float(self.chances.max()) / max(self.frames, 1.0) * share, 1.0)

    @property
    def seen(self) -> int:
        """Clock of the last frame that showed it."""
        assert self.trail is not None
        return int(self.trail[-1, 0])

    def identity(self) -> Identity:
        """As of now."""
        means = (self.chances / max(self.frames, 1.0)).astype(np.float32)
        score = self.score
        return Identity(self.id, self.label, score, class_scores=means, mean=score)

    def learn(self, found: Candidates, row: int, clock: int, tail: int) -> None:
        """Take in an answer of a window whose first frame has this clock."""
        count = float(found.shown[row].sum())
        self.chances = self.chances + found.chances[row] * count
        self.quality += found.scores[row] * count
        self.named += found.chances[row, found.labels[row]] * count
        self.frames += count
        self.views += 1
        if found.embeddings is not None:
            new = found.embeddings[row]
            old = new if self.embedding is None else self.embedding
            self.embedding = old + (new - old) * max(1 / self.views, _SLOWEST)
        self._walk(found, row, clock, tail)

    def motion(self) -> Floats:
        """`[5]`: clock, centre y, x, and their change per frame, by a fit through the trail.

        Small sights weigh less: half hidden, the centre of an object is not its centre.
        """
        assert self.trail is not None
        clocks, sizes = self.trail[:, 0], self.trail[:, 3]
        weights = (sizes / sizes.max()) ** 8
        weights /= weights.sum()
        mean = weights @ self.trail[:, :3]
        steps = clocks - mean[0]
        spread = weights @ steps**2
        speed = (weights * steps) @ (self.trail[:, 1:3] - mean[1:]) / max(spread, 1e-9)
        now = mean[1:] + speed * (clocks[-1] - mean[0])
        return np.concatenate(([clocks[-1]], now, speed))

    @property
    def size(self) -> float:
        """Of the object in cells, where least was hidden."""
        assert self.trail is not None
        return float(self.trail[:, 3].max())

    def _walk(self, found: Candidates, row: int, clock: int, tail: int) -> None:
        shown = np.flatnonzero(found.shown[row])
        steps = np.column_stack((clock + shown, found.places[row, shown]))
        if self.trail is not None:
            again = (self.trail[:, :1] == steps[:, 0]).any(axis=1)
            old = self.trail[~again]
            steps = np.concatenate((old, steps))
            steps = steps[steps[:, 0].argsort(kind="stable")]
        self.trail = steps[-tail:]
