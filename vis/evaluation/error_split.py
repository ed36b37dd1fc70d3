"""where AP was lost: how much each kind of error costs, each repaired alone by an oracle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from vis.evaluation.average_precision import NONE, evaluate_facts, stated_areas
from vis.evaluation.facts import Facts, subject
from vis.evaluation.fitting import check_results, check_videos
from vis.evaluation.following import following
from vis.evaluation.repairs import REPAIRS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.following import Following
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
"""By the name of the error; `vis.evaluation.following` says exactly when a result is about one."""


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
    given: list[Facts] = []
    repaired: dict[str, list[Facts]] = {name: [] for name in REPAIRS}
    touched: Counter[str] = Counter()
    for video_id in tqdm(
        truth.videos, "splitting errors", unit="video", disable=None if progress else True
    ):
        check_results(truth.videos[video_id], truth.categories, results.get(video_id, ()))
        found = following(results.get(video_id, ()), truth.tracks.get(video_id, ()))
        given.append(_facts(truth, video_id, found))
        for name, repair in REPAIRS.items():
            better = repair(found, given[-1])
            repaired[name].append(better.facts)
            touched[name] += better.tracks
    return _split(given, repaired, touched, list(truth.categories))


def _facts(truth: AnnotationSet, video_id: int, found: Following) -> Facts:
    areas = stated_areas(truth, found.truth)
    return Facts(
        video_id=video_id,
        truth=[subject(track, areas.get(track.id)) for track in found.truth],
        results=[subject(track) for track in found.results],
        iou=found.iou,
    )


def _split(
    given: Sequence[Facts],
    repaired: Mapping[str, Sequence[Facts]],
    touched: Mapping[str, int],
    labels: Sequence[int],
) -> ErrorSplit:
    base = evaluate_facts(given, labels)
    wanted = [label for label, value in base.per_category.items() if value > NONE]
    before = np.array([base.per_category[label] for label in wanted])
    lost = {}
    for name, known in repaired.items():
        each = evaluate_facts(known, labels).per_category
        # a category whose objects were all missed has nothing left to lose
        after = np.array([each[label] if each[label] > NONE else 1.0 for label in wanted])
        lost[name] = float(np.mean(after - before)) if wanted else 0.0
    ap = base.numbers["AP"]
    return ErrorSplit(ap=ap, lost=lost, tracks={name: touched[name] for name in repaired})
