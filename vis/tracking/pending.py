"""The frames of one object that later windows may still repeat: running sums of what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from vis.tracking.candidates import Candidates
    from vis.tracking.overlap import Bools, Floats

_LIGHTEST = 1e-6
"""Weight of a window that shows an object at no presence at all, where that is asked for."""


@dataclass(slots=True, eq=False)
class Pending:
    """Sums over the windows that the object was seen in, frame by frame.

    A window's masks and boxes weigh as its presence, so that one that sees nothing erases nothing.
    """

    masks: list[Tensor]
    """P times `[h w]` weighted sum. Each has its own memory, of one size: so it is used again, and
    frames that are dropped leave no holes."""
    boxes: Floats
    """`[P 4]` weighted sum."""
    weights: Floats
    """`[P]`; 0 where no window shows the object."""
    presence: Floats
    """`[P]` sum."""
    windows: Floats
    """`[P]` how many windows the sums are of."""

    @classmethod
    def none(cls) -> Pending:
        """Of no frames."""
        return cls([], np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0))

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def shown(self) -> Bools:
        """`[P]`."""
        return self.weights > 0

    def mask(self, frame: int) -> Tensor:
        """`[h w]` mean probabilities of a frame that shows the object."""
        return self.masks[frame] / float(self.weights[frame])

    def box(self, frame: int) -> Floats:
        """`[4]` mean of a frame that shows the object."""
        return np.asarray(self.boxes[frame] / self.weights[frame])

    def visible(self, frame: int, presence: float) -> bool:
        """Whether the windows on the whole say that the object is there."""
        if frame >= len(self) or not self.weights[frame]:
            return False
        return bool(self.presence[frame] >= presence * self.windows[frame])

    def add(self, found: Candidates, row: int, offset: int) -> None:
        """Add what a window says whose first frame has this place; it reaches to the end."""
        weights = found.presence[row].clip(min=_LIGHTEST) * found.shown[row]
        self._lengthen(offset + len(weights), found.masks[row][0])
        pairs = zip(found.masks[row], weights.tolist(), strict=True)
        for place, (mask, weight) in enumerate(pairs, offset):
            # not in place: a saved state shares the sum
            self.masks[place] = self.masks[place].add(mask, alpha=weight)
        self.boxes[offset:] += found.boxes[row] * weights[:, None]
        self.weights[offset:] += weights
        self.presence[offset:] += found.presence[row]
        self.windows[offset:] += 1

    def drop(self, frames: int) -> None:
        """Forget the first frames."""
        self.masks = self.masks[frames:]
        self.boxes, self.weights = self.boxes[frames:], self.weights[frames:]
        self.presence, self.windows = self.presence[frames:], self.windows[frames:]

    def _lengthen(self, frames: int, like: Tensor) -> None:
        more = max(frames - len(self), 0)
        self.masks += [torch.zeros_like(like)] * more
        self.boxes = np.pad(self.boxes, ((0, more), (0, 0)))
        self.weights, self.presence, self.windows = (
            np.pad(sums, (0, more)) for sums in (self.weights, self.presence, self.windows)
        )
