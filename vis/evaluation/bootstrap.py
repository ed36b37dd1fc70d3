"""How far AP would swing with other videos: an interval from drawing the videos again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.average_precision import AveragePrecision, Matches

Weights = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

NONE = -1.0
_AT_ONCE = 50
"""Draws that are looked at together: it bounds the memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where AP lies in the middle share of the draws."""

    low: float
    high: float
    level: float
    """The share, 0..1."""
    draws: int
    """In which any object was left to be found."""


class _Category(NamedTuple):
    """All results of one category, best score first."""

    right: Flags
    """`[10 D]`."""
    wrong: Flags
    """`[10 D]`; neither: ignored."""
    videos: Weights
    """`[D]` place of the video of each result."""
    truth_videos: Weights
    """`[G]` place of the video of each object to be found."""


def bootstrap(
    ap: AveragePrecision, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile interval of AP when as many videos are drawn with replacement (Efron 1979).

    Nothing is matched again: a video that is drawn twice brings its matches twice. A category
    without truth in a draw does not count in it. Results of equal score keep the order of the whole
    set. It tells how much AP owes to the choice of videos, not to the training. A single video
    leaves no choice, and so has no interval: no draw counts.

    Raises:
        UsageError: no draw, or a level outside 0..1.
    """
    if draws < 1 or not 0 < level < 1:
        raise UsageError(
            f"draws is {draws} and level {level}", remedy="Give 1 or more, and a share as 0.95."
        )
    generator = np.random.default_rng(seed)
    videos = len(ap.video_ids)
    categories = _categories(ap)
    values = [np.zeros(0)]
    for first in range(0, draws if videos > 1 else 0, _AT_ONCE):
        samples = generator.integers(videos, size=(min(_AT_ONCE, draws - first), videos))
        weights = np.array([np.bincount(row, minlength=videos) for row in samples])
        values.append(_mean_ap(categories, weights, ap))
    each = np.concatenate(values)
    valid = each[each > NONE]
    if not valid.size:
        return Interval(NONE, NONE, level, 0)
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(low, high, level, valid.size)


def ap_by_video(ap: AveragePrecision) -> Mapping[int, float]:
    """AP of each video as if there were no other, by its id; -1 where nothing is to be found."""
    categories = _categories(ap)
    alone = np.eye(len(ap.video_ids), dtype=np.int64)
    each = _mean_ap(categories, alone, ap).tolist()
    return dict(zip(ap.video_ids, each, strict=True))


def _categories(ap: AveragePrecision) -> list[_Category]:
    groups: dict[int, list[Matches]] = {}
    for matches in ap.matches:
        groups.setdefault(matches.label, []).append(matches)
    places = {video: place for place, video in enumerate(ap.video_ids)}
    return [_category(group, places) for group in groups.values()]


def _category(group: Sequence[Matches], places: Mapping[int, int]) -> _Category:
    # stable, as COCO sorts: equal scores keep the order of the videos
    order = np.argsort(-np.concatenate([matches.scores for matches in group]), kind="stable")
    matched = np.concatenate([matches.matched for matches in group], axis=1)[:, order] >= 0
    counted = ~np.concatenate([matches.ignored for matches in group], axis=1)[:, order]
    each = [places[matches.video_id] for matches in group]
    videos = np.repeat(each, [len(m.scores) for m in group])
    truth_videos = np.repeat(each, [np.count_nonzero(~m.crowd) for m in group])
    return _Category(matched & counted, ~matched & counted, videos[order], truth_videos)


def _mean_ap(categories: Sequence[_Category], weights: Weights, ap: AveragePrecision) -> Floats:
    """`[B]` AP of each draw, -1 where none has truth; `weights [B V]` count its videos."""
    total, count = np.zeros((2, len(weights)))
    for category in categories:
        truths = weights[:, category.truth_videos].sum(axis=1)
        total += np.where(truths > 0, _ap(category, weights, truths, recalls=ap.recalls), 0)
        count += truths > 0
    return np.where(count > 0, total / np.maximum(count, 1), NONE)


def _ap(category: _Category, weights: Weights, truths: Weights, *, recalls: Floats) -> Floats:
    """`[B]` COCO's accumulation, each video counted `weights` times: area under the envelope."""
    times = weights[:, category.videos]
    areas = []
    for right, wrong in zip(category.right, category.wrong, strict=True):
        # precision falls from each right result to the next, so these alone make the envelope
        hits = np.flatnonzero(right)
        true_positives = np.cumsum(times[:, hits], axis=1)
        positives = np.cumsum(times * (right | wrong), axis=1)[:, hits]
        precision = true_positives / np.maximum(positives, 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        shares = true_positives / np.maximum(truths, 1)[:, None]
        # how many of COCO's 101 recalls each right result reaches; each of them is read once
        places = np.searchsorted(recalls, shares, side="right")
        areas.append((envelope * np.diff(places, axis=1, prepend=0)).sum(axis=1))
    mean: Floats = np.mean(areas, axis=0)
    return mean / len(recalls)
