"""Where AP was lost: how much each kind of error costs, each repaired alone by an oracle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from vis.evaluation.average_precision import evaluate_matches, stated_areas
from vis.evaluation.error_attribution import attribute_errors
from vis.evaluation.evaluator import NONE
from vis.evaluation.fitting import check_results, check_videos
from vis.evaluation.oracles import ORACLES
from vis.evaluation.video_matches import VideoMatches, track_summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.error_attribution import ErrorAttribution
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

MEANINGS: Mapping[str, str] = {
    "missed objects": "no result is about the object",
    "false tracks": "a result is about no object, or about one that has a better result",
    "wrong class": "a result shows an object under another category",
    "poor masks": "from its birth on, a result's masks differ from the object's",
    "identity switches": "an object's frames are spread over results, or a result's over objects",
    "late births": "an object's result begins after the object",
}
"""By the name of the error; `vis.evaluation.error_attribution` says when a result is about one."""


@dataclass(frozen=True, slots=True)
class ErrorSplit:
    """What each kind of error costs."""

    ap: float
    """As the results are; -1 where there is nothing to find."""
    lost: Mapping[str, float]
    """By the name of the error: AP if it alone were repaired, less AP as it is.

    They need not add up to what is missing: two errors of one object may each hide the other.
    """
    tracks: Mapping[str, int]
    """Number of true tracks or results that each repair touches."""


def error_split(
    truth: AnnotationSet, results: Mapping[int, Sequence[Track]], *, progress: bool = False
) -> ErrorSplit:
    """Repair one kind of error at a time and evaluate again, as TIDE does for single pictures.

    Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors"; here with
    two kinds that only videos have, and poor masks for its poor places.

    Args:
        truth: videos, categories and true tracks.
        results: found tracks by id of the video; each entry is asked for once.
        progress: whether a bar is shown on the error stream.

    Raises:
        DataError: a result does not fit the truth: video, category, frame, size or score.
    """
    check_videos(truth, results)
    unrepaired: list[VideoMatches] = []
    by_oracle: dict[str, list[VideoMatches]] = {name: [] for name in ORACLES}
    touched: Counter[str] = Counter()
    for video_id in tqdm(
        truth.videos, "splitting errors", unit="video", disable=None if progress else True
    ):
        check_results(truth.videos[video_id], truth.categories, results.get(video_id, ()))
        attribution = attribute_errors(results.get(video_id, ()), truth.tracks.get(video_id, ()))
        unrepaired.append(_video_matches(truth, video_id, attribution))
        for name, repair in ORACLES.items():
            result = repair(attribution, unrepaired[-1])
            by_oracle[name].append(result.matches)
            touched[name] += result.tracks
    return _split(unrepaired, by_oracle, touched, list(truth.categories))


def _video_matches(
    truth: AnnotationSet, video_id: int, attribution: ErrorAttribution
) -> VideoMatches:
    areas = stated_areas(truth, attribution.truth)
    return VideoMatches(
        video_id=video_id,
        truth=[track_summary(track, areas.get(track.id)) for track in attribution.truth],
        results=[track_summary(track) for track in attribution.results],
        iou=attribution.iou,
    )


def _split(
    unrepaired: Sequence[VideoMatches],
    by_oracle: Mapping[str, Sequence[VideoMatches]],
    touched: Mapping[str, int],
    labels: Sequence[int],
) -> ErrorSplit:
    base = evaluate_matches(unrepaired, labels)
    with_truth = [label for label, value in base.per_category.items() if value > NONE]
    before = np.array([base.per_category[label] for label in with_truth])
    lost = {}
    for name, videos in by_oracle.items():
        each = evaluate_matches(videos, labels).per_category
        # a category whose objects were all missed has nothing left to lose
        after = np.array([each[label] if each[label] > NONE else 1.0 for label in with_truth])
        lost[name] = float(np.mean(after - before)) if with_truth else 0.0
    ap = base.numbers["AP"]
    return ErrorSplit(ap=ap, lost=lost, tracks={name: touched[name] for name in by_oracle})
