"""How one video went: which result covers which object, frame by frame, and how well."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from vis.evaluation.overlaps import frame_overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from vis.evaluation.overlaps import FrameOverlap
    from vis.formats.ytvis_records import VideoEntry
    from vis.records import Track

COVERED = 0.5
"""IoU in a frame from which a result covers an object there."""
MOST_SHOWN = 40
"""Results of a video that are shown, the surest; a page with all of them could not be read."""
_MATCHED = 0.1
"""IoU through the video from which a result gets the number of an object."""
_SAME_CLASS = 1e-3
"""What decides between results that fit an object equally well."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Successive frames in which an object is visible, and what covers it there."""

    first: int
    last: int
    number: int | None
    """Of the result; None where the object is missed."""


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """One video: its objects and results, by numbers that agree where they are the same thing."""

    video: VideoEntry
    quality: float
    """Overlap of objects and results that found each other, over the mean count of both; 0..1."""
    truth: Sequence[Track]
    """The ids are the numbers 1, 2, ..."""
    results: Sequence[Track]
    """Results; the id is the number of the object that the result follows, or a new one."""
    records: Mapping[int, int]
    """Number of a result -> its place in the results file, from 1."""
    segments: Mapping[int, Sequence[Segment]]
    """Number of an object -> its life."""


def summarise_video(
    video: VideoEntry, truth: Sequence[Track], results: Sequence[Track], *, threshold: float
) -> VideoSummary:
    """Compare the results of one video that are at least as sure as `threshold` with its truth.

    Crowds are left out. Objects and results find each other one to one so that the sum of their
    overlaps through the video is the largest; in each frame likewise, whatever the class.
    """
    objects = [track for track in truth if not track.crowd]
    # stable: of equal scores the earlier record comes first, so that the page is the same each time
    sure = sorted((t for t in results if t.score >= threshold), key=lambda track: -track.score)
    top = sure[:MOST_SHOWN]
    frames = list(frame_overlaps(top, objects))
    iou = _through(frames, len(top), len(objects))
    same = np.array([[a.label == b.label for b in objects] for a in top]).reshape(iou.shape)
    pairs = _pairs(iou + _SAME_CLASS * same * (iou > 0), _MATCHED)
    shared = sum(iou[a, b] for a, b in pairs.items() if same[a, b])
    count = len(top) + len(objects)
    numbers = _numbers(pairs, len(top), len(objects))
    return VideoSummary(
        video=video,
        quality=float(2 * shared / count) if count else 1.0,
        truth=[replace(track, id=n) for n, track in enumerate(objects, 1)],
        results=[replace(track, id=numbers[place]) for place, track in enumerate(top)],
        records={numbers[place]: track.id for place, track in enumerate(top)},
        segments=_object_segments(frames, numbers, len(objects)),
    )


def _through(frames: Sequence[FrameOverlap], results: int, truth: int) -> npt.NDArray[np.float64]:
    """IoU `[D G]` through the video."""
    shared = np.zeros((results, truth))
    ours, theirs = np.zeros(results), np.zeros(truth)
    for frame in frames:
        shared[np.ix_(frame.results, frame.truth)] += frame.shared
        ours[frame.results] += frame.result_areas
        theirs[frame.truth] += frame.truth_areas
    return shared / np.maximum(ours[:, None] + theirs - shared, 1)


def _pairs(iou: npt.NDArray[np.float64], least: float) -> dict[int, int]:
    """Row -> column of the assignment with the largest sum, pairs below `least` left out."""
    worth = np.where(iou >= least, iou, 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return {int(a): int(b) for a, b in zip(rows, columns, strict=True) if worth[a, b] > 0}


def _numbers(pairs: Mapping[int, int], results: int, truth: int) -> list[int]:
    """The number of each result: that of its object, or one that no object has."""
    free = iter(range(truth + 1, truth + results + 1))
    return [pairs[place] + 1 if place in pairs else next(free) for place in range(results)]


def _object_segments(
    frames: Sequence[FrameOverlap], numbers: Sequence[int], truth: int
) -> dict[int, list[Segment]]:
    covers: dict[int, dict[int, int | None]] = defaultdict(dict)
    for frame in frames:
        visible = {int(place): at for at, place in enumerate(frame.truth)}
        covering = {b: a for a, b in _pairs(frame.iou, COVERED).items()}
        for place, at in visible.items():
            if frame.truth_areas[at]:
                row = covering.get(at)
                number = None if row is None else numbers[int(frame.results[row])]
                covers[place + 1][frame.frame] = number
    return {number: _segments(covers[number]) for number in range(1, truth + 1)}


def _segments(covers: Mapping[int, int | None]) -> list[Segment]:
    """Frames of one cover that follow each other, as one."""
    frames = sorted(covers)
    runs = groupby(enumerate(frames), lambda pair: (pair[1] - pair[0], covers[pair[1]]))
    segments = []
    for (_, number), run in runs:
        places = [frame for _, frame in run]
        segments.append(Segment(places[0], places[-1], number))
    return segments
