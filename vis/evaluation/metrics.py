"""The metrics beside AP, each by its name: means for the table, and all that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vis.evaluation.identity import identity
from vis.evaluation.regions import semi_supervised, unsupervised
from vis.evaluation.semantic_tracks import semantic_tracks
from vis.formats.numbering import object_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vis.evaluation.regions import Fit, Regions
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

    Results = Mapping[int, Sequence[Track]]

Protocol = Literal["semi-supervised", "unsupervised"]
"""Of DAVIS: whether the objects were shown to who followed them."""
MAX_PROPOSALS = 20
"""Results of a video that DAVIS compares with its objects where nobody showed them."""


class Measured(NamedTuple):
    """What one metric says."""

    numbers: Mapping[str, float]
    """By name; NaN where there is nothing to take one from."""
    parts: Mapping[str, Any]
    """What they are made of, as a JSON file holds it but for NaN."""


class MetricRequest(NamedTuple):
    """Truth and results of one metric, and how they are compared."""

    truth: AnnotationSet
    results: Results
    """Those that are sure enough."""
    protocol: Protocol
    """Of J and F."""
    progress: bool
    """Whether bars are shown."""


def _identity(request: MetricRequest) -> Measured:
    identities = identity(request.truth, request.results, progress=request.progress)
    each = {str(label): dict(numbers) for label, numbers in identities.per_category.items()}
    return Measured(identities.numbers, {"per_category": each})


def _regions(request: MetricRequest) -> Measured:
    if request.protocol == "semi-supervised":
        regions = semi_supervised(request.truth, request.results, progress=request.progress)
    else:
        best = {
            key: sorted(tracks, key=lambda track: -track.score)[:MAX_PROPOSALS]
            for key, tracks in request.results.items()
        }
        regions = unsupervised(request.truth, best, progress=request.progress)
    objects = _objects(regions, request.truth)
    return Measured(regions.numbers, {"protocol": request.protocol, "objects": objects})


def _objects(regions: Regions, truth: AnnotationSet) -> list[dict[str, Any]]:
    """How each object of each video is followed, frame by frame."""
    rows = []
    for video_id, fits in regions.objects.items():
        objects = [track for track in truth.tracks.get(video_id, []) if not track.crowd]
        numbers = object_numbers(objects, truth.track_extra)
        for track_id, fit in fits.items():
            place = {"video": truth.videos[video_id].name, "id": track_id}
            rows.append({**place, "number": numbers[track_id], **_followed(fit)})
    return rows


def _followed(fit: Fit) -> dict[str, Any]:
    return {"result": fit.result, **fit.numbers(), "J": fit.j.tolist(), "F": fit.f.tolist()}


def _classes(request: MetricRequest) -> Measured:
    classes = semantic_tracks(request.truth, request.results, progress=request.progress)
    names = ["background", *map(str, sorted(request.truth.categories))]
    each = dict(zip(names, np.asarray(classes.iou).tolist(), strict=True))
    return Measured(classes.numbers, {"IoU_per_category": each})


OTHER_METRICS: Mapping[str, Callable[[MetricRequest], Measured]] = {
    "identity": _identity,
    "jf": _regions,
    "miou": _classes,
}
"""By the name of the metric; all look at results as if they had no score."""
