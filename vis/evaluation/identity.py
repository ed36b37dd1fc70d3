"""Are objects found, and do they keep their names: HOTA, IDF1, CLEAR on masks, with timelines."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from vis.errors import DataError, MaskError
from vis.evaluation.clear import Clear, Cover, clear, ratio
from vis.evaluation.hota import Hota, hota
from vis.evaluation.pairing import EPSILON, FrameComparison, compare_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

Timeline = dict[int, Cover]
"""True object's id -> frame in which it is visible -> id of the result that covers it, or None."""


@dataclass(frozen=True, slots=True)
class Identities:
    """The numbers of a set of videos; ratios are 0..1, and NaN where they divide by nothing."""

    numbers: Mapping[str, float]
    """Over all categories, each mask of equal weight."""
    per_category: Mapping[int, Mapping[str, float]]
    """The same keys for each category that truth or results have."""
    timelines: Mapping[int, Timeline]
    """By video, for each that the truth has; an object is covered by its own category only."""


class Fit(NamedTuple):
    """What adds up for IDF1: masks, and those in the one best naming of all results."""

    idtp: int
    truths: int
    results: int

    def numbers(self) -> dict[str, float]:
        """IDF1, and its precision and recall."""
        return {
            "IDF1": ratio(2 * self.idtp, self.truths + self.results),
            "IDP": ratio(self.idtp, self.results),
            "IDR": ratio(self.idtp, self.truths),
        }


class _Tally(NamedTuple):
    hota: Hota
    fit: Fit
    clear: Clear

    def plus(self, other: _Tally) -> _Tally:
        return _Tally(
            Hota(*map(add, self.hota, other.hota)),
            Fit(*map(add, self.fit, other.fit)),
            Clear(*map(add, self.clear, other.clear)),
        )

    def numbers(self) -> dict[str, float]:
        return self.hota.numbers() | self.fit.numbers() | self.clear.numbers()


def identity(
    truth: AnnotationSet,
    results: Mapping[int, Sequence[Track]],
    *,
    threshold: float = 0.5,
    progress: bool = False,
) -> Identities:
    """Compare results with the truth, each category by itself; linear in tracks x frames.

    HOTA and IDF1 are TrackEval's. CLEAR (MOTSA, MOTSP, switches, ...) is py-motmetrics', which
    differs from TrackEval where masks overlap (an object keeps the result it had before a gap), in
    fragmentations (frames without the object interrupt nothing) and at 80 % (that is mostly
    tracked). Crowd regions of any category excuse results that match nothing and lie within.

    Args:
        truth: videos and objects; crowds are regions to ignore.
        results: tracks by video; a video may be missing. Scores play no part, so leave out
            beforehand what would not be shown.
        threshold: least intersection over union of a match for IDF1 and CLEAR.
        progress: show a bar on stderr.

    Raises:
        DataError: results for a video that the truth does not have.
        MaskError: masks of different sizes; names video and frame.
    """
    if unknown := sorted(set(results) - set(truth.videos)):
        raise DataError(
            f"there are results for video {unknown[0]}, which the truth does not have",
            remedy="Give the truth that the results were made for.",
        )
    tallies: dict[int, _Tally] = {}
    timelines: dict[int, Timeline] = {video: {} for video in truth.videos}
    for video in tqdm(truth.videos, "identities", disable=None if progress else True):
        true_tracks, found_tracks = truth.tracks.get(video, []), results.get(video, [])
        for label, compared in _by_category(true_tracks, found_tracks, threshold, video):
            tally, timeline = _tally(compared, threshold)
            tallies[label] = tallies[label].plus(tally) if label in tallies else tally
            timelines[video] |= timeline
    total = _nothing()
    for tally in tallies.values():
        total = total.plus(tally)
    per_category = {label: tallies[label].numbers() for label in sorted(tallies)}
    return Identities(total.numbers(), per_category, timelines)


def identity_f1(
    truths: Sequence[Track], results: Sequence[Track], *, threshold: float = 0.5
) -> float:
    """IDF1 of one video, categories aside; NaN if neither has a mask.

    The share of masks that are right under the best one-to-one naming of the results (Ristani et
    al., Performance Measures and a Data Set for Multi-Target Multi-Camera Tracking, 2016).

    Raises:
        MaskError: masks of different sizes in one frame.
    """
    return _fit(compare_frames(truths, results, threshold), threshold).numbers()["IDF1"]


def _by_category(
    truths: Sequence[Track], results: Sequence[Track], threshold: float, video: int
) -> Iterator[tuple[int, FrameComparison]]:
    crowds = [track for track in truths if track.crowd]
    labels = {track.label for track in (*truths, *results) if not track.crowd}
    for label in sorted(labels):
        same_truths = [track for track in truths if track.label == label and not track.crowd]
        same_results = [track for track in results if track.label == label]
        try:
            yield label, compare_frames([*same_truths, *crowds], same_results, threshold)
        except MaskError as error:
            raise error.at(f"video {video}") from None


def _tally(video: FrameComparison, threshold: float) -> tuple[_Tally, Timeline]:
    counts, covers = clear(video, threshold)
    covers_by_id = [
        {frame: None if column is None else video.results[column].id for frame, column in c.items()}
        for c in covers
    ]
    timeline = {track.id: cover for track, cover in zip(video.truths, covers_by_id, strict=True)}
    return _Tally(hota(video), _fit(video, threshold), counts), timeline


def _fit(video: FrameComparison, threshold: float) -> Fit:
    together = np.zeros((len(video.truths), len(video.results)), np.int64)
    for frame in video.frames:
        # every pair that fits, not one to one: the assignment of whole tracks decides (TrackEval)
        fits = frame.iou >= threshold - EPSILON
        together[frame.truths[:, None], frame.results] += fits
    best = linear_sum_assignment(together, maximize=True)
    idtp = int(together[best].sum())
    return Fit(idtp, int(video.truth_frames.sum()), int(video.result_frames.sum()))


def _nothing() -> _Tally:
    return _tally(compare_frames([], [], 0.5), 0.5)[0]
