"""What evaluation needs of one video: scores, mean areas, and the overlap of each pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vis.evaluation.overlaps import mean_area, track_iou

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.overlaps import Ratios
    from vis.records import Track

MAX_RESULTS = 100
"""Results of one category in one video that are looked at."""


class TrackSummary(NamedTuple):
    """A track without its masks."""

    id: int
    label: int
    score: float
    area: float
    """Mean pixels of the frames in which it is visible."""
    crowd: bool


class VideoMatches(NamedTuple):
    """One video; small, however long it is."""

    video_id: int
    truth: Sequence[TrackSummary]
    results: Sequence[TrackSummary]
    iou: Ratios
    """`[D G]` through the video."""


def compare_tracks(
    video_id: int,
    truth: Sequence[Track],
    results: Sequence[Track],
    *,
    stated_areas: Mapping[int, float] | None = None,
    by_category: bool = True,
    max_results: int = MAX_RESULTS,
) -> VideoMatches:
    """Compare the tracks of one video.

    Args:
        video_id: of the video.
        truth: true tracks.
        results: found tracks; those beyond the best `max_results` (of a category) are left out.
        stated_areas: mean area by id of a true track, where it is not that of the masks.
        by_category: leave the overlap of tracks of different categories at 0.
        max_results: of a category, or of the video where categories are not told apart.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    groups = sorted({track.label for track in [*truth, *results]}) if by_category else [None]
    ranked: list[Track] = []
    iou = np.zeros((len(results), len(truth)))
    for label in groups:
        columns = [g for g, track in enumerate(truth) if label in (None, track.label)]
        candidates = [track for track in results if label in (None, track.label)]
        # COCO's evaluator lines them up by category, then sorts by score and keeps ties in order
        best = sorted(candidates, key=lambda track: (-track.score, track.label))[:max_results]
        rows = slice(len(ranked), len(ranked) + len(best))
        iou[rows, columns] = track_iou(best, [truth[g] for g in columns])
        ranked += best
    stated = stated_areas or {}
    return VideoMatches(
        video_id=video_id,
        truth=[track_summary(track, stated.get(track.id)) for track in truth],
        results=[track_summary(track) for track in ranked],
        iou=iou[: len(ranked)],
    )


def mean_of_areas(areas: Sequence[float | None]) -> float:
    """Mean of the areas of the frames in which a track is visible: neither null nor 0."""
    visible = [area for area in areas if area]
    return float(np.mean(visible)) if visible else 0.0


def track_summary(track: Track, area: float | None = None) -> TrackSummary:
    """A track without its masks, of the stated mean area or of that of the masks."""
    mean = mean_area(track) if area is None else area
    return TrackSummary(track.id, track.label, track.score, mean, track.crowd)
