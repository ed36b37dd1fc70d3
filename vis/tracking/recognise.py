"""Knowing an object again that was lost from sight, without inventing that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vis.tracking.link import Pairs, assign, class_agreement, embedding_agreement, size_agreement
from vis.tracking.motion import expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.tracking.candidates import Candidates
    from vis.tracking.config import Config
    from vis.tracking.known import Known
    from vis.tracking.overlap import Bools, Floats


def recognise(
    lost: Sequence[Known], found: Candidates, allowed: Bools, clock: int, config: Config
) -> Pairs:
    """Which answers are lost objects that came back.

    By embeddings where both have one; else the class, the size and the place must all agree.

    Args:
        lost: M objects.
        found: N answers.
        allowed: `[M N]`; False where frames show both at once.
        clock: of the first frame of the answers' window.
        config: the tracker's.
    """
    similarity = _without_looks(lost, found, clock, config)
    looks = embedding_agreement(lost, found)
    if looks is not None:
        weight = config.embedding_weight, config.class_weight
        both = weight[0] * looks + weight[1] * class_agreement(lost, found)
        similarity = np.where(np.isnan(looks), similarity, both / max(sum(weight), 1e-9))
    similarity = np.where(allowed, similarity, 0)
    pairs = assign(similarity, allowed, config.recognise)
    return [pair for pair in pairs if _clear(pair, pairs, similarity, config.margin)]


def _without_looks(lost: Sequence[Known], found: Candidates, clock: int, config: Config) -> Floats:
    """`[M N]` product of class agreement, likeness of size, and nearness."""
    first = found.shown.argmax(axis=1)
    answers = found.places[np.arange(len(found)), first]
    area = np.array(found.masks[0].shape[1:])
    motions = np.stack([one.motion() for one in lost])
    sizes = np.array([one.size for one in lost])[:, None]
    gaps = (clock + first)[None] - motions[:, :1]
    ahead = expected(motions, gaps).clip(0, area)
    stayed = expected(motions, np.zeros_like(gaps)).clip(0, area)
    away = np.minimum(
        np.linalg.norm(ahead - answers[:, :2], axis=-1),
        np.linalg.norm(stayed - answers[:, :2], axis=-1),
    ) / np.linalg.norm(area)
    near = np.where(away <= config.reach, 1 - 0.5 * away / max(config.reach, 1e-9), 0)
    return class_agreement(lost, found) * size_agreement(sizes, answers[:, 2]) * near


def _clear(pair: tuple[int, int], pairs: Pairs, similarity: Floats, margin: float) -> bool:
    """Whether nothing that stays without a partner would do about as well."""
    row, column = pair
    rows, columns = {i for i, _ in pairs}, {j for _, j in pairs}
    rivals = [similarity[i, column] for i in range(similarity.shape[0]) if i not in rows]
    rivals += [similarity[row, j] for j in range(similarity.shape[1]) if j not in columns]
    return bool(similarity[row, column] >= max(rivals, default=-np.inf) + margin)
