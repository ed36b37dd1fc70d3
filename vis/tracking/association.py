"""Which detection of a window goes on with which track: one assignment over all affinities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from vis.tracking.motion import expected, shifted
from vis.tracking.overlap import Bools, Floats, Ints, mean_iou, soft_iou, soft_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.tracking.active_track import ActiveTrack
    from vis.tracking.config import Config
    from vis.tracking.detections import Detections
    from vis.tracking.track_state import TrackState

Pairs = list[tuple[int, int]]

_DECAY = 0.99
"""What is left of the agreement in place after one more frame unseen."""
_CONTAINED = 0.8
"""Agreement of a detection that lies wholly inside the expected mask."""
_SMALL = 0.6
"""Agreement in size of a detection that is very small: perhaps most of the object is hidden."""


@dataclass(frozen=True, slots=True, eq=False)
class Affinity:
    """How well each pair of track and detection fits."""

    similarity: Floats
    """`[M N]` 0..1, the weighted mean of all parts."""
    spatial: Floats
    """`[M N]` 0..1, its part that is of the place."""
    class_agreement: Floats
    """`[M N]` 0..1, agreement of class probabilities."""
    distinct: Bools
    """`[M N]` frames show both, in different places: certainly two objects."""


def affinity(
    tracks: Sequence[ActiveTrack],
    detections: Detections,
    offset: int,
    buffer_start: int,
    config: Config,
) -> Affinity:
    """Compare tracks with detections.

    Args:
        tracks: M active ones.
        detections: N.
        offset: position of the window's first frame in the buffers.
        buffer_start: number of the first buffered frame.
        config: weights of the parts.
    """
    spatial, shared = _on_shared_frames(tracks, detections, offset)
    distinct = (shared > 0) & (spatial < config.min_iou)
    # motion is a guess: it speaks only for pairs that no frame shows together
    unmet = shared == 0
    if unmet.any():
        by_motion = _by_motion(tracks, detections, unmet, buffer_start + offset)
        spatial = np.where(unmet, by_motion, spatial)
    states = [track.state for track in tracks]
    classes = class_agreement(states, detections)
    parts = [(config.mask_weight, spatial), (config.class_weight, classes)]
    appearance = embedding_agreement(states, detections)
    weights = np.full(spatial.shape, config.mask_weight + config.class_weight)
    total = sum(weight * part for weight, part in parts)
    if appearance is not None:
        # without an embedding the other parts carry the whole weight: missing is not unlike
        is_known = ~np.isnan(appearance)
        total = total + config.embedding_weight * np.where(is_known, appearance, 0)
        weights = weights + config.embedding_weight * is_known
    return Affinity(np.asarray(total / np.maximum(weights, 1e-9)), spatial, classes, distinct)


def assign(
    similarity: Floats, allowed: Bools, threshold: float, confidence: Floats | None = None
) -> Pairs:
    """Pairs of the highest total; each row and column at most once.

    Pairs below the threshold weigh nothing, so that a hopeless one never takes a good one's
    partner.

    Args:
        similarity: `[M N]` 0..1.
        allowed: `[M N]`.
        threshold: similarity that a pair needs.
        confidence: `[M N]` how sure it is that both are objects; None where that does not matter.
            With it a pair weighs similarity times confidence, so that among many doubtful
            detections of the same thing the sure ones find each other first (the aim of Zhang et
            al., 2022: ByteTrack); without, what it has above the threshold.
    """
    # the small terms keep a pair exactly at the threshold, or of no confidence, above 0: a gain of
    # 0 means "no pair" below
    if confidence is None:
        worth = similarity - threshold + 1e-6
    else:
        worth = similarity * confidence.clip(min=1e-6)
    gain = np.where(allowed & (similarity >= threshold), worth, 0)
    # of equal totals one is taken by the order of rows and columns, which is fixed: tracks come by
    # id, detections by score and place
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if gain[i, j] > 0]


def class_agreement(states: Sequence[TrackState], detections: Detections) -> Floats:
    """`[M N]` cosine of class probabilities."""
    ours = np.stack([state.class_prob_sum for state in states])
    ours /= np.linalg.norm(ours, axis=1, keepdims=True).clip(min=1e-12)
    norms = np.linalg.norm(detections.class_probs, axis=1, keepdims=True)
    theirs = detections.class_probs / norms.clip(min=1e-12)
    return np.asarray(ours @ theirs.T)


def embedding_agreement(states: Sequence[TrackState], detections: Detections) -> Floats | None:
    """`[M N]` cosine, at least 0; NaN for a track without, None for detections without."""
    if detections.embeddings is None:
        return None
    unknown = np.full(detections.embeddings.shape[1], np.nan)
    ours = np.stack([unknown if one.embedding is None else one.embedding for one in states])
    # the running mean of unit vectors is shorter than 1
    ours /= np.linalg.norm(ours, axis=1, keepdims=True).clip(min=1e-12)
    return np.asarray((ours @ detections.embeddings.T).clip(min=0))


def size_agreement(track_sizes: Floats, detection_sizes: Floats) -> Floats:
    """0..1 of sizes; a detection may be a part of the object, hardly more than it."""
    smaller = np.minimum(detection_sizes / track_sizes.clip(min=1e-9), 1)
    larger = np.minimum(track_sizes / detection_sizes.clip(min=1e-9), 1)
    return np.asarray(larger * (_SMALL + (1 - _SMALL) * smaller))


def _on_shared_frames(
    tracks: Sequence[ActiveTrack], detections: Detections, offset: int
) -> tuple[Floats, Ints]:
    """Mean overlap, and how many frames show both; `[M N]` each."""
    longest = max(len(track.buffer) for track in tracks)
    count = max(min(longest - offset, detections.visible.shape[1]), 0)
    # a track that the last window missed has a shorter buffer: False beyond its end
    visible = np.zeros((len(tracks), count), np.bool_)
    for row, track in enumerate(tracks):
        buffered = track.buffer.visible[offset : offset + count]
        visible[row, : len(buffered)] = buffered
    frames = ((_means(tracks, visible[:, t], offset + t), detections.at(t)) for t in range(count))
    return mean_iou(frames, visible, detections.visible[:, :count])


def _means(tracks: Sequence[ActiveTrack], visible: Bools, frame: int) -> Tensor:
    """`[M h w]` of a buffered frame; zero for tracks that it does not show."""
    zeros = torch.zeros_like(tracks[0].last_mask)
    pairs = zip(tracks, visible.tolist(), strict=True)
    return torch.stack([track.buffer.mask(frame) if here else zeros for track, here in pairs])


def _by_motion(
    tracks: Sequence[ActiveTrack], detections: Detections, unmet: Bools, first_frame: int
) -> Floats:
    """`[M N]` agreement of where objects should be with where detections are, for unmet pairs."""
    motions = np.stack([track.state.motion() for track in tracks])
    sizes = np.array([track.state.size for track in tracks])
    frames = _comparison_frames(motions[:, 0] - first_frame, detections.visible)
    positions = detections.positions[np.arange(len(detections)), frames]
    gaps = frames + first_frame - motions[:, :1]
    distance = np.linalg.norm(expected(motions, gaps) - positions[..., :2], axis=-1)
    size = np.maximum(sizes[:, None], positions[..., 2])
    # in cells: 0.4 of the size, more with every frame unseen, 1.5 of it at most; and one cell,
    # because small masks move by whole cells
    slack = size * np.minimum(0.4 + 0.05 * np.abs(gaps), 1.5) + 1
    sizes_agree = size_agreement(sizes[:, None], positions[..., 2])
    nearness = np.exp(-0.5 * (distance / slack) ** 2) * sizes_agree
    # past 3 sigma nearness is below 0.012: masks need not be moved and compared
    near = unmet & (distance < 3 * slack)
    overlap = _moved_overlap(tracks, detections, near, frames, first_frame)
    return np.asarray((overlap + nearness) / 2 * _DECAY ** (np.abs(gaps) - 1))


def _comparison_frames(last_seen: Floats, visible: Bools) -> Ints:
    """`[M N]` the first frame that shows the detection after the track was seen, else the last."""
    frames = np.arange(visible.shape[1])
    after = visible[None] & (frames > last_seen[:, None, None])
    last = visible.shape[1] - 1 - visible[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(after.any(axis=2), after.argmax(axis=2), last[None]))


def _moved_overlap(
    tracks: Sequence[ActiveTrack],
    detections: Detections,
    near: Bools,
    frames: Ints,
    first_frame: int,
) -> Floats:
    """`[M N]` overlap of last masks, moved on, with detections; 0 for pairs that are not near.

    A detection inside the full mask agrees too: what goes behind something, or comes out from it,
    is a part of itself.
    """
    overlap = np.zeros(near.shape)
    for frame in np.unique(frames[near]).tolist():
        here = near & (frames == frame)
        rows, columns = here.any(axis=1).nonzero()[0], here.any(axis=0).nonzero()[0]
        masks = detections.at(frame, columns)
        agreed = _moved_agreement(
            [tracks[row] for row in rows.tolist()], masks, first_frame + frame
        )
        block = np.ix_(rows, columns)
        values = agreed.cpu().double().numpy()
        # the block holds every row with every column; only pairs that meet in this frame count
        overlap[block] = np.where(here[block], values, overlap[block])
    return overlap


def _moved_agreement(tracks: Sequence[ActiveTrack], masks: Tensor, frame_number: int) -> Tensor:
    """`[M N]` of tracks' masks, moved to this frame, with detections `[N h w]`."""
    moved, full = [], []
    for track in tracks:
        motion = track.state.motion()
        step = motion[3:] * (frame_number - motion[0])
        moved.append(shifted(track.last_mask, *step.tolist()))
        # the full mask may be old: it moves from where it was to where the object is now, and on
        offset = motion[1:3] + step - track.full_position[:2]
        full.append(shifted(track.full_mask, *offset.tolist()))
    contained = _CONTAINED * soft_share(torch.stack(full), masks)
    return torch.maximum(soft_iou(torch.stack(moved), masks), contained)
