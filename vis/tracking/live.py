"""An object that is followed: what is known of it, its last mask, its frames not given out yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.records import FrameTracks
from vis.tracking.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.tracking.candidates import Candidates
    from vis.tracking.known import Known
    from vis.tracking.overlap import Floats
    from vis.tracking.windows import Stamp

_MOST = 0.9
"""Share of an object's size from which a frame is said to show most of it."""


@dataclass(slots=True, eq=False)
class Live:
    """An object that is followed."""

    known: Known
    last: Tensor
    """`[h w]` its mask in the last frame that showed it."""
    whole: Tensor
    """`[h w]` its mask in the last frame that showed most of it."""
    whole_at: Floats
    """`[3]` centre y, x and size of that mask."""
    pending: Pending

    @classmethod
    def begun(cls, known: Known, masks: Tensor) -> Live:
        """Without any frame yet; the masks `[... h w]` say where its own will lie."""
        none = masks.new_zeros(masks.shape[-2:])
        return cls(known, none, none, np.zeros(3), Pending.none())

    def take(self, found: Candidates, row: int, offset: int, *, clock: int, tail: int) -> None:
        """Go on with an answer.

        Args:
            found: the answers of a window.
            row: which of them.
            offset: place of the window's first frame among the pending ones.
            clock: of that frame.
            tail: frames to estimate motion from.
        """
        shown = np.flatnonzero(found.shown[row])
        if self.known.trail is None or clock + shown[-1] >= self.known.seen:
            self.last = found.masks[row][int(shown[-1])].clone()
        self.known.learn(found, row, clock, tail)
        sizes = found.places[row, shown, 2]
        large = shown[sizes >= _MOST * min(self.known.size, sizes.max())]
        if sizes.max() >= _MOST * self.known.size or not self.whole_at[2]:
            self.whole = found.masks[row][int(large[-1])].clone()
            self.whole_at = found.places[row, int(large[-1])]
        self.pending.add(found, row, offset)

    def near(self, masks: Tensor) -> None:
        """Bring its masks to where these lie."""
        self.last, self.whole = self.last.to(masks), self.whole.to(masks)
        self.pending.masks = [mask.to(masks) for mask in self.pending.masks]


def frame_tracks(
    live: Sequence[Live], stamp: Stamp, place: int, *, presence: float, size: tuple[int, int]
) -> FrameTracks:
    """What one pending frame shows: objects that are present and whose mean mask is not empty.

    Args:
        live: objects.
        stamp: of the frame.
        place: of the frame among the pending ones.
        presence: least mean probability of being visible.
        size: cells of a mask, height and width.
    """
    shown = [one for one in live if one.pending.visible(place, presence)]
    masks = np.zeros((0, *size), np.float32)
    if shown:
        masks = torch.stack([one.pending.mask(place) for one in shown]).cpu().numpy()
    inside = np.array([(mask > 0.5).any() for mask in masks], np.bool_)
    shown = [one for one, seen in zip(shown, inside, strict=True) if seen]
    return FrameTracks(
        index=stamp.index,
        time=stamp.time,
        ids=np.array([one.known.id for one in shown], np.int64),
        labels=np.array([one.known.label for one in shown], np.int64),
        scores=np.array([one.known.score for one in shown], np.float32),
        boxes=np.array([one.pending.box(place) for one in shown], np.float32).reshape(-1, 4),
        masks=masks if inside.all() else masks[inside],
    )
