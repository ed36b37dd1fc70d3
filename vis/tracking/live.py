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
    from vis.tracking.windows import Stamp


@dataclass(slots=True, eq=False)
class Live:
    """An object that is followed."""

    known: Known
    last: Tensor
    """`[h w]` its mask in the last frame that showed it."""
    pending: Pending

    @classmethod
    def begun(cls, known: Known, masks: Tensor) -> Live:
        """Without any frame yet; the masks `[... h w]` say where its own will lie."""
        return cls(known, masks.new_zeros(masks.shape[-2:]), Pending.none(masks))

    def take(self, found: Candidates, row: int, offset: int, *, clock: int, tail: int) -> None:
        """Go on with an answer.

        Args:
            found: the answers of a window.
            row: which of them.
            offset: place of the window's first frame among the pending ones.
            clock: of that frame.
            tail: frames to estimate motion from.
        """
        last = int(np.flatnonzero(found.shown[row])[-1])
        if self.known.trail is None or clock + last >= self.known.seen:
            self.last = found.masks[row, last].clone()
        self.known.learn(found, row, clock, tail)
        self.pending.add(found, row, offset)

    def near(self, masks: Tensor) -> None:
        """Bring its masks to where these lie."""
        self.last = self.last.to(masks)
        self.pending.masks = self.pending.masks.to(masks)


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
    inside = (masks > 0.5).any(axis=(1, 2))
    shown = [one for one, seen in zip(shown, inside.tolist(), strict=True) if seen]
    return FrameTracks(
        index=stamp.index,
        time=stamp.time,
        ids=np.array([one.known.id for one in shown], np.int64),
        labels=np.array([one.known.label for one in shown], np.int64),
        scores=np.array([one.known.score for one in shown], np.float32),
        boxes=np.array([one.pending.box(place) for one in shown], np.float32).reshape(-1, 4),
        masks=masks[inside],
    )
