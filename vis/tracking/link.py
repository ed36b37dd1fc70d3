"""Which answer of a window goes on with which live object: one assignment over all evidence."""

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

    from vis.tracking.candidates import Candidates
    from vis.tracking.config import Config
    from vis.tracking.known import Known
    from vis.tracking.live import Live

Pairs = list[tuple[int, int]]

_FADE = 0.99
"""What is left of the agreement in place after one more frame unseen."""
_INSIDE = 0.8
"""Agreement of an answer that lies wholly inside the expected mask."""
_PART = 0.6
"""Agreement in size of an answer that is very small: perhaps most of the object is hidden."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for each pair of live object and answer."""

    similarity: Floats
    """`[M N]` 0..1."""
    place: Floats
    """`[M N]` 0..1, its part that is of the place."""
    kind: Floats
    """`[M N]` 0..1, agreement of class probabilities."""
    apart: Bools
    """`[M N]` frames show both, in different places: certainly two objects."""


def compare(
    live: Sequence[Live], found: Candidates, offset: int, clock: int, config: Config
) -> Evidence:
    """Compare live objects with answers.

    Args:
        live: M objects.
        found: N answers.
        offset: place of the window's first frame among the pending ones.
        clock: of the first pending frame.
        config: weights of the parts.
    """
    place, both = _on_shared_frames(live, found, offset)
    apart = (both > 0) & (place < config.nearest)
    unmet = both == 0
    if unmet.any():
        place = np.where(unmet, _by_motion(live, found, unmet, clock + offset), place)
    known = [one.known for one in live]
    kind = class_agreement(known, found)
    parts = [(config.mask_weight, place), (config.class_weight, kind)]
    looks = embedding_agreement(known, found)
    weights = np.full(place.shape, config.mask_weight + config.class_weight)
    total = sum(weight * part for weight, part in parts)
    if looks is not None:
        given = ~np.isnan(looks)
        total = total + config.embedding_weight * np.where(given, looks, 0)
        weights = weights + config.embedding_weight * given
    return Evidence(np.asarray(total / np.maximum(weights, 1e-9)), place, kind, apart)


def assign(
    similarity: Floats, allowed: Bools, minimum: float, trust: Floats | None = None
) -> Pairs:
    """Pairs of the highest total; each row and column at most once.

    Pairs below the minimum weigh nothing, so that a hopeless one never takes a good one's partner.

    Args:
        similarity: `[M N]` 0..1.
        allowed: `[M N]`.
        minimum: what a pair needs.
        trust: `[M N]` how sure it is that both are objects; None where that does not matter. With
            it a pair weighs similarity times trust, so that among many doubtful answers about the
            same thing the sure ones find each other first (the aim of Zhang et al., 2022:
            ByteTrack); without, what it has above the minimum.
    """
    worth = similarity - minimum + 1e-6 if trust is None else similarity * trust.clip(min=1e-6)
    gain = np.where(allowed & (similarity >= minimum), worth, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if gain[i, j] > 0]


def class_agreement(known: Sequence[Known], found: Candidates) -> Floats:
    """`[M N]` cosine of class probabilities."""
    mine = np.stack([one.chances for one in known])
    mine /= np.linalg.norm(mine, axis=1, keepdims=True).clip(min=1e-12)
    theirs = found.chances / np.linalg.norm(found.chances, axis=1, keepdims=True).clip(min=1e-12)
    return np.asarray(mine @ theirs.T)


def embedding_agreement(known: Sequence[Known], found: Candidates) -> Floats | None:
    """`[M N]` cosine, at least 0; NaN for an object without, None for answers without."""
    if found.embeddings is None:
        return None
    none = np.full(found.embeddings.shape[1], np.nan)
    mine = np.stack([none if one.embedding is None else one.embedding for one in known])
    mine /= np.linalg.norm(mine, axis=1, keepdims=True).clip(min=1e-12)
    return np.asarray((mine @ found.embeddings.T).clip(min=0))


def size_agreement(objects: Floats, answers: Floats) -> Floats:
    """0..1 of sizes; an answer may be a part of the object, hardly more than it."""
    smaller = np.minimum(answers / objects.clip(min=1e-9), 1)
    larger = np.minimum(objects / answers.clip(min=1e-9), 1)
    return np.asarray(larger * (_PART + (1 - _PART) * smaller))


def _on_shared_frames(live: Sequence[Live], found: Candidates, offset: int) -> tuple[Floats, Ints]:
    longest = max(len(one.pending) for one in live)
    count = max(min(longest - offset, found.shown.shape[1]), 0)
    shown = np.zeros((len(live), count), np.bool_)
    for row, one in enumerate(live):
        here = one.pending.shown[offset : offset + count]
        shown[row, : len(here)] = here
    frames = ((_means(live, shown[:, t], offset + t), found.at(t)) for t in range(count))
    return mean_iou(frames, shown, found.shown[:, :count])


def _means(live: Sequence[Live], shown: Bools, frame: int) -> Tensor:
    """`[M h w]` of a pending frame; zero for objects that it does not show."""
    none = torch.zeros_like(live[0].last)
    pairs = zip(live, shown.tolist(), strict=True)
    return torch.stack([one.pending.mask(frame) if here else none for one, here in pairs])


def _by_motion(live: Sequence[Live], found: Candidates, unmet: Bools, clock: int) -> Floats:
    """`[M N]` agreement of where objects should be with where answers are, for unmet pairs."""
    motions = np.stack([one.known.motion() for one in live])
    sizes = np.array([one.known.size for one in live])
    steps = _meeting(motions[:, 0] - clock, found.shown)
    answers = found.places[np.arange(len(found)), steps]
    gaps = steps + clock - motions[:, :1]
    away = np.linalg.norm(expected(motions, gaps) - answers[..., :2], axis=-1)
    size = np.maximum(sizes[:, None], answers[..., 2])
    slack = size * np.minimum(0.4 + 0.05 * np.abs(gaps), 1.5) + 1
    close = np.exp(-0.5 * (away / slack) ** 2) * size_agreement(sizes[:, None], answers[..., 2])
    near = unmet & (away < 3 * slack)
    overlap = _moved_overlap(live, found, near, steps, clock)
    return np.asarray((overlap + close) / 2 * _FADE ** (np.abs(gaps) - 1))


def _meeting(seen: Floats, shown: Bools) -> Ints:
    """`[M N]` the first frame that shows the answer after the object was seen, else the last."""
    frames = np.arange(shown.shape[1])
    after = shown[None] & (frames > seen[:, None, None])
    last = shown.shape[1] - 1 - shown[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(after.any(axis=2), after.argmax(axis=2), last[None]))


def _moved_overlap(
    live: Sequence[Live], found: Candidates, near: Bools, steps: Ints, clock: int
) -> Floats:
    """`[M N]` overlap of last masks, moved on, with answers; 0 for pairs that are not near.

    An answer inside the whole mask agrees too: what goes behind something, or comes out from it,
    is a part of itself.
    """
    overlap = np.zeros(near.shape)
    for step in np.unique(steps[near]).tolist():
        here = near & (steps == step)
        rows, columns = here.any(axis=1).nonzero()[0], here.any(axis=0).nonzero()[0]
        masks = found.at(step, columns)
        agreed = _agreed([live[row] for row in rows.tolist()], masks, clock + step)
        block = np.ix_(rows, columns)
        values = agreed.cpu().double().numpy()
        overlap[block] = np.where(here[block], values, overlap[block])
    return overlap


def _agreed(live: Sequence[Live], masks: Tensor, clock: int) -> Tensor:
    """`[M N]` of objects' masks, moved to this clock, with answers `[N h w]`."""
    moved, wholes = [], []
    for one in live:
        motion = one.known.motion()
        step = motion[3:] * (clock - motion[0])
        moved.append(shifted(one.last, *step.tolist()))
        wholes.append(shifted(one.whole, *(motion[1:3] + step - one.whole_at[:2]).tolist()))
    inside = _INSIDE * soft_share(torch.stack(wholes), masks)
    return torch.maximum(soft_iou(torch.stack(moved), masks), inside)
