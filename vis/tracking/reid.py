"""Re-identification of an object that was lost from sight, without inventing that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vis.tracking.association import (
    Pairs,
    assign,
    class_agreement,
    embedding_agreement,
    size_agreement,
)
from vis.tracking.motion import expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.tracking.config import Config
    from vis.tracking.detections import Detections
    from vis.tracking.overlap import Bools, Floats
    from vis.tracking.track_state import TrackState


def reidentify(
    lost: Sequence[TrackState],
    detections: Detections,
    allowed: Bools,
    first_frame: int,
    config: Config,
) -> Pairs:
    """Which detections are lost objects that came back.

    By embeddings where both have one; else the class, the size and the place must all agree.

    Args:
        lost: M tracks.
        detections: N.
        allowed: `[M N]`; False where frames show both at once.
        first_frame: number of the first frame of the detections' window.
        config: the tracker's.
    """
    similarity = _without_embeddings(lost, detections, first_frame, config)
    appearance = embedding_agreement(lost, detections)
    if appearance is not None:
        # no place here: whoever left may come back anywhere, and looks the same
        weight = config.embedding_weight, config.class_weight
        both = weight[0] * appearance + weight[1] * class_agreement(lost, detections)
        similarity = np.where(np.isnan(appearance), similarity, both / max(sum(weight), 1e-9))
    similarity = np.where(allowed, similarity, 0)
    pairs = assign(similarity, allowed, config.reid_threshold)
    return [pair for pair in pairs if _is_clear(pair, pairs, similarity, config.reid_margin)]


def _without_embeddings(
    lost: Sequence[TrackState], detections: Detections, first_frame: int, config: Config
) -> Floats:
    """`[M N]` product of class agreement, likeness of size, and nearness."""
    first = detections.visible.argmax(axis=1)
    positions = detections.positions[np.arange(len(detections)), first]
    area = np.array(detections.masks[0].shape[1:])
    motions = np.stack([state.motion() for state in lost])
    sizes = np.array([state.size for state in lost])[:, None]
    gaps = (first_frame + first)[None] - motions[:, :1]
    # it went on as it went, or stopped out of sight; past the edge it is expected at the edge
    ahead = expected(motions, gaps).clip(0, area)
    stopped = expected(motions, np.zeros_like(gaps)).clip(0, area)
    distance = np.minimum(
        np.linalg.norm(ahead - positions[:, :2], axis=-1),
        np.linalg.norm(stopped - positions[:, :2], axis=-1),
    ) / np.linalg.norm(area)
    # 1 in the expected place, 1/2 at the radius, 0 beyond it: place alone never decides
    radius = config.reid_radius
    nearness = np.where(distance <= radius, 1 - 0.5 * distance / max(radius, 1e-9), 0)
    # a product, no mean: one that is 0 refuses the pair
    return class_agreement(lost, detections) * size_agreement(sizes, positions[:, 2]) * nearness


def _is_clear(pair: tuple[int, int], pairs: Pairs, similarity: Floats, margin: float) -> bool:
    """Whether nothing that stays without a partner would do about as well."""
    row, column = pair
    # only those left over are rivals: a track with a partner of its own casts no doubt
    rows, columns = {i for i, _ in pairs}, {j for _, j in pairs}
    rivals = [similarity[i, column] for i in range(similarity.shape[0]) if i not in rows]
    rivals += [similarity[row, j] for j in range(similarity.shape[1]) if j not in columns]
    return bool(similarity[row, column] >= max(rivals, default=-np.inf) + margin)
