"""Measured numbers -> what the report says of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from vis.evaluation.bootstrap import NONE
from vis.evaluation.report.content import CategoryRow, Content, Curve, Headline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.average_precision import AveragePrecision, Matches
    from vis.evaluation.report.content import ErrorRow
    from vis.formats.ytvis_records import AnnotationSet

_CURVES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Overlaps whose curves are drawn; with all ten, none could be told from the next."""
_MEANINGS = {
    "AP": "average precision: right classes, masks and identities, mean over ten overlaps",
    "AP50": "where an overlap (IoU through the video) of 0.5 suffices",
    "AP75": "where an overlap of 0.75 is asked for",
    "AR10": "share of objects found by ten results of a video",
    "HOTA": "finding and following weigh the same",
    "IDF1": "share of masks under one lasting identity",
    "J&F": "overlap of regions and of contours, mean",
    "mIoU": "overlap of the classes' regions, mean of the classes",
}
"""The numbers at the top, in their order."""


def content_of(
    title: str,
    truth: AnnotationSet,
    ap: AveragePrecision,
    *,
    interval: tuple[float, float] | None = None,
    errors: Sequence[ErrorRow] = (),
    others: Mapping[str, Mapping[str, float]] | None = None,
    details: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Content:
    """The numbers of a report.

    Args:
        title: of the page.
        truth: what was measured against.
        ap: average precision.
        interval: of the AP.
        errors: what each kind of error costs.
        others: numbers of further metrics, by the metric's name.
        details: what was measured, in words.
        notes: what limits the numbers.
    """
    precision = {name: or_nan(value) for name, value in ap.numbers.items()}
    groups = {"average precision": precision, **(others or {})}
    return Content(
        title=title,
        details=details or {},
        notes=notes,
        headlines=_headlines(groups, interval),
        categories=_categories(truth, ap),
        overlaps=dict(zip(ap.thresholds.tolist(), ap.per_threshold().tolist(), strict=True)),
        curves=_curves(ap),
        errors=errors,
        numbers=groups,
    )


def or_nan(value: float) -> float:
    """The reference says -1 of a number without any truth; that is NaN elsewhere."""
    return math.nan if value == NONE else value


def surest(matches: Sequence[Matches]) -> float:
    """The score from which results are best kept: there F1 at an overlap of 0.5 is the highest.

    0 where nothing was found at all.
    """
    scores = np.concatenate([np.zeros(0), *(m.scores[~m.ignored[0]] for m in matches)])
    right = np.concatenate([np.zeros(0), *(m.matched[0][~m.ignored[0]] >= 0 for m in matches)])
    objects = sum(int((~m.crowd).sum()) for m in matches)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    if not len(hits) or not hits[-1]:
        return 0.0
    last = np.append(scores[1:] < scores[:-1], True)  # results of one score go together
    f1 = np.where(last, 2 * hits / (np.arange(1, len(hits) + 1) + objects), 0)
    return float(scores[int(f1.argmax())])


def _headlines(
    groups: Mapping[str, Mapping[str, float]], interval: tuple[float, float] | None
) -> list[Headline]:
    every = {name: value for numbers in groups.values() for name, value in numbers.items()}
    return [
        Headline(name, every[name], meaning, interval if name == "AP" else None)
        for name, meaning in _MEANINGS.items()
        if name in every and math.isfinite(every[name])
    ]


def _categories(truth: AnnotationSet, ap: AveragePrecision) -> list[CategoryRow]:
    labels = [
        track.label for tracks in truth.tracks.values() for track in tracks if not track.crowd
    ]
    return [
        CategoryRow(
            truth.categories[label].name, None if value == NONE else value, labels.count(label)
        )
        for label, value in ap.per_category.items()
        if label in truth.categories
    ]


def _curves(ap: AveragePrecision) -> list[Curve]:
    places = [int(np.abs(ap.thresholds - overlap).argmin()) for overlap in _CURVES]
    curves = [(float(ap.thresholds[place]), ap.curve(place)) for place in places]
    return [Curve(overlap, curve.tolist()) for overlap, curve in curves if (curve >= 0).all()]
