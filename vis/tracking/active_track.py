"""A track that is followed: its state, its last mask, its frames that are not emitted yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.records import FrameTracks
from vis.tracking.frame_buffer import FrameBuffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.tracking.detections import Detections
    from vis.tracking.overlap import Floats
    from vis.tracking.track_state import TrackState
    from vis.tracking.windows import Stamp

_MOSTLY_VISIBLE = 0.9
"""Share of an object's size from which a frame is said to show most of it."""


@dataclass(slots=True, eq=False)
class ActiveTrack:
    """An object that is followed."""

    state: TrackState
    last_mask: Tensor
    """`[h w]` in the last frame that showed it."""
    full_mask: Tensor
    """`[h w]` in the last frame that showed most of it."""
    full_position: Floats
    """`[3]` centre y, x and size of `full_mask`."""
    buffer: FrameBuffer

    @classmethod
    def empty(cls, state: TrackState, masks: Tensor) -> ActiveTrack:
        """Without any frame yet; the masks `[... h w]` say where its own will lie."""
        zeros = masks.new_zeros(masks.shape[-2:])
        return cls(state, zeros, zeros, np.zeros(3), FrameBuffer.empty())

    def update(
        self,
        detections: Detections,
        row: int,
        offset: int,
        *,
        first_frame: int,
        history_length: int,
    ) -> None:
        """Go on with a detection.

        Args:
            detections: of a window.
            row: which of them.
            offset: position of the window's first frame in the buffer.
            first_frame: number of that frame.
            history_length: frames to estimate motion from.
        """
        frames = np.flatnonzero(detections.visible[row])
        # a window may end before the last sight of another one; the later mask stays
        if self.state.history is None or first_frame + frames[-1] >= self.state.last_seen:
            # cloned: a view would hold the masks of the whole window in memory
            self.last_mask = detections.masks[row][int(frames[-1])].clone()
        self.state.update(detections, row, first_frame, history_length)
        sizes = detections.positions[row, frames, 2]
        # the state's size comes after its update: the window itself counts in what is full size
        large = frames[sizes >= _MOSTLY_VISIBLE * min(self.state.size, sizes.max())]
        if sizes.max() >= _MOSTLY_VISIBLE * self.state.size or not self.full_position[2]:
            self.full_mask = detections.masks[row][int(large[-1])].clone()
            self.full_position = detections.positions[row, int(large[-1])]
        self.buffer.add(detections, row, offset)

    def move_to(self, masks: Tensor) -> None:
        """Bring its masks to the device and type of these: a loaded state lies on the CPU."""
        self.last_mask, self.full_mask = self.last_mask.to(masks), self.full_mask.to(masks)
        self.buffer.masks = [mask.to(masks) for mask in self.buffer.masks]


def frame_tracks(
    tracks: Sequence[ActiveTrack],
    stamp: Stamp,
    frame: int,
    *,
    min_presence: float,
    size: tuple[int, int],
) -> FrameTracks:
    """One buffered frame: objects that are present and whose mean mask is not empty.

    Args:
        tracks: active ones.
        stamp: of the frame.
        frame: its position in the buffers.
        min_presence: least mean probability of being visible.
        size: cells of a mask, height and width.
    """
    present = [track for track in tracks if track.buffer.is_present(frame, min_presence)]
    masks = np.zeros((0, *size), np.float32)
    if present:
        # one copy to the host for the whole frame, not one per object
        masks = torch.stack([track.buffer.mask(frame) for track in present]).cpu().numpy()
    # windows may each show it in another place: their mean can be nowhere above a half
    inside = np.array([(mask > 0.5).any() for mask in masks], np.bool_)
    visible = [track for track, is_inside in zip(present, inside, strict=True) if is_inside]
    return FrameTracks(
        index=stamp.index,
        time=stamp.time,
        ids=np.array([track.state.id for track in visible], np.int64),
        labels=np.array([track.state.label for track in visible], np.int64),
        scores=np.array([track.state.score for track in visible], np.float32),
        boxes=np.array([track.buffer.box(frame) for track in visible], np.float32).reshape(-1, 4),
        masks=masks if inside.all() else masks[inside],
    )
