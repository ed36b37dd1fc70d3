"""The frames of one object that later windows may still repeat: running sums over windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from vis.tracking.detections import Detections
    from vis.tracking.overlap import Bools, Floats

_MIN_WEIGHT = 1e-6
"""Weight of a window that shows an object at no presence at all, where that is asked for."""


@dataclass(slots=True, eq=False)
class FrameBuffer:
    """Sums over the windows that the object was seen in, frame by frame.

    A window's masks and boxes weigh as its presence, so that one that sees nothing erases nothing.
    P is the number of frames that are not emitted yet: at most those of a window.
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
    def empty(cls) -> FrameBuffer:
        """Of no frames."""
        return cls([], np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0))

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def visible(self) -> Bools:
        """`[P]` frames in which at least one window shows the object."""
        return self.weights > 0

    def mask(self, frame: int) -> Tensor:
        """`[h w]` mean probabilities of a frame that shows the object."""
        return self.masks[frame] / float(self.weights[frame])

    def box(self, frame: int) -> Floats:
        """`[4]` mean of a frame that shows the object."""
        return np.asarray(self.boxes[frame] / self.weights[frame])

    def is_present(self, frame: int, min_presence: float) -> bool:
        """Whether the windows on the whole say that the object is there."""
        if frame >= len(self) or not self.weights[frame]:
            return False
        # windows that do not show the object in this frame count too: most of them decide
        return bool(self.presence[frame] >= min_presence * self.windows[frame])

    def add(self, detections: Detections, row: int, offset: int) -> None:
        """Add a detection of a window whose first frame is frame `offset` of the buffer.

        The window reaches to the buffer's end or beyond it.
        """
        weights = detections.presence[row].clip(min=_MIN_WEIGHT) * detections.visible[row]
        self._lengthen(offset + len(weights), detections.masks[row][0])
        pairs = zip(detections.masks[row], weights.tolist(), strict=True)
        for frame, (mask, weight) in enumerate(pairs, offset):
            # not in place: a saved state shares the sum
            self.masks[frame] = self.masks[frame].add(mask, alpha=weight)
        self.boxes[offset:] += detections.boxes[row] * weights[:, None]
        self.weights[offset:] += weights
        self.presence[offset:] += detections.presence[row]
        self.windows[offset:] += 1

    def drop(self, frames: int) -> None:
        """Forget the first frames."""
        self.masks = self.masks[frames:]
        self.boxes, self.weights = self.boxes[frames:], self.weights[frames:]
        self.presence, self.windows = self.presence[frames:], self.windows[frames:]

    def _lengthen(self, frames: int, like: Tensor) -> None:
        missing = max(frames - len(self), 0)
        # one tensor of zeros for all new frames: `add` replaces it, and never writes into it
        self.masks += [torch.zeros_like(like)] * missing
        self.boxes = np.pad(self.boxes, ((0, missing), (0, 0)))
        self.weights, self.presence, self.windows = (
            np.pad(sums, (0, missing)) for sums in (self.weights, self.presence, self.windows)
        )
