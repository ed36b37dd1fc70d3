"""What evaluation needs of one video: scores, mean areas, and the overlap of each pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vis.evaluation.overlaps import mean_area, track_iou

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.overlaps import Ratios
    from vis.records import Track

MOST = 100
"""Results of one category in one video that are looked at."""


class Subject(NamedTuple):
    """A track without its masks."""

    id: int
    label: int
    score: float
    area: float
    """Mean pixels of the frames in which it is visible."""
    crowd: bool


class Facts(NamedTuple):
    """One video; small, however long it is."""

    video_id: int
    truth: Sequence[Subject]
    results: Sequence[Subject]
    iou: Ratios
    """`[D G]` through the video."""


def facts(
    video_id: int,
    truth: Sequence[Track],
    results: Sequence[Track],
    *,
    stated_areas: Mapping[int, float] | None = None,
    by_category: bool = True,
    most: int = MOST,
) -> Facts:
    """Compare the tracks of one video.

    Args:
        video_id: of the video.
        truth: true tracks.
        results: found tracks; those beyond the best `most` (of a category) are left out.
        stated_areas: mean area by id of a true track, where it is not that of the masks.
        by_category: leave the overlap of tracks of different categories at 0.
        most: as evaluation looks at.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    groups = sorted({track.label for track in [*truth, *results]}) if by_category else [None]
    kept: list[Track] = []
    iou = np.zeros((len(results), len(truth)))
    for label in groups:
        columns = [g for g, track in enumerate(truth) if label in (None, track.label)]
        found = [track for track in results if label in (None, track.label)]
        # COCO's evaluator lines them up by category, then sorts by score and keeps ties in order
        best = sorted(found, key=lambda track: (-track.score, track.label))[:most]
        rows = slice(len(kept), len(kept) + len(best))
        iou[rows, columns] = track_iou(best, [truth[g] for g in columns])
        kept += best
    stated = stated_areas or {}
    return Facts(
        video_id=video_id,
        truth=[subject(track, stated.get(track.id)) for track in truth],
        results=[subject(track) for track in kept],
        iou=iou[: len(kept)],
    )


def mean_of_areas(areas: Sequence[float | None]) -> float:
    """Mean of the areas of the frames in which a track is visible: neither null nor 0."""
    visible = [area for area in areas if area]
    return float(np.mean(visible)) if visible else 0.0


def subject(track: Track, area: float | None = None) -> Subject:
    """A track without its masks, of the stated mean area or of that of the masks."""
    mean = mean_area(track) if area is None else area
    return Subject(track.id, track.label, track.score, mean, track.crowd)
