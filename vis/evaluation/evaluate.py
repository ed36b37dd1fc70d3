"""`vis.evaluate`: results, or a model on a data set, measured against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, UsageError
from vis.evaluation.annotated_frames import in_annotated_frames
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.bootstrap import bootstrap
from vis.evaluation.box_only import with_boxes
from vis.evaluation.error_split import error_split
from vis.evaluation.given_results import is_numbered, is_path, read_given
from vis.evaluation.metrics import OTHER_METRICS, MetricRequest
from vis.evaluation.picture_numbers import (
    is_of_pictures,
    picture_numbers,
    picture_results,
    tracks_of,
)
from vis.evaluation.predicting import OPTIONS, predict, select_videos, shared_classes
from vis.evaluation.report.summary import surest
from vis.evaluation.results import Evaluation
from vis.formats.opening import DataSet, open_set
from vis.formats.reading import kinds_of
from vis.formats.ytvis_records import AnnotationSet
from vis.inference.model_classes import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.evaluation.average_precision import AveragePrecision
    from vis.evaluation.distributed import DistributedContext
    from vis.evaluation.given_results import AnyResults, Results
    from vis.evaluation.metrics import Protocol
    from vis.evaluation.predicting import Shared
    from vis.formats.coco_results import PictureResult
    from vis.formats.prefixes import AnyFrames
    from vis.models import Model
    from vis.records import Track

METRICS = ("ap", *OTHER_METRICS, "errors")
"""AP is always measured. The others but `errors` count results of a high enough score alone."""


def evaluate(
    truth: str | Path | DataSet | AnnotationSet,
    results: AnyResults,
    *,
    metrics: Sequence[str] = ("ap",),
    by_category: bool = True,
    protocol: Protocol | None = None,
    threshold: float | None = None,
    frames: AnyFrames = None,
    lenient: bool = False,
    notes: Sequence[str] = (),
    progress: bool = False,
) -> Evaluation:
    """Measure results against the truth.

    In frames that are not annotated, results do not count. Where the truth has boxes alone, results
    are compared by their boxes.

    Args:
        truth: a data set in any format that `open_set` reads.
        results: a YouTube-VIS results file (of single pictures a COCO one too), a DAVIS or MOTS
            folder, tracks by id of the video, or what `vis.track` collected of videos of these
            names, matched by name and class.
        metrics: any of `METRICS`.
        by_category: whether AP asks for the right category; False: all count as one.
        protocol: of J and F; None is semi-supervised for a folder of results, whose objects have
            numbers, and unsupervised for others. Of tracks by video the ids are these numbers.
        threshold: score from which results count for the metrics without scores and are shown in
            the report; None for that of the highest F1.
        frames: the folder of the frames, for the report, where it is not found by itself.
        lenient: leave faulty records out and count them instead of raising the first.
        notes: what a reader must know of the results.
        progress: show bars where standard error is a terminal.

    Raises:
        UsageError: there is no such metric.
        InputError: a file cannot be read.
        DataError: truth or results are faulty, or do not belong together.
    """
    protocol, faults = _checked(metrics, protocol, results), list[DataError]()
    data, annotations = _opened(truth, frames)
    pictures = is_of_pictures(data)
    caught = faults if lenient else None
    in_pictures, tracks = _read(results, annotations, caught, pictures=pictures)
    judged, judged_tracks, remarks = with_boxes(*in_annotated_frames(annotations, tracks))
    precision = evaluate_tracks(judged, judged_tracks, by_category=by_category, progress=progress)
    least = _least(precision, data) if threshold is None else threshold
    request = MetricRequest(judged, _above(judged_tracks, least), protocol, progress)
    others = {name: OTHER_METRICS[name](request) for name in OTHER_METRICS if name in metrics}
    errors = error_split(judged, judged_tracks, progress=progress) if "errors" in metrics else None
    return Evaluation(
        truth=annotations,
        results=tracks,
        precision=precision,
        interval=bootstrap(precision),
        threshold=least,
        pictures=picture_numbers(annotations, tracks, in_pictures, by_category) if pictures else {},
        others={name: one.numbers for name, one in others.items()},
        parts={name: one.parts for name, one in others.items()},
        frames=data.frames if data else None,
        sources=(_base_name(truth), _base_name(results)),
        errors=errors,
        skipped=kinds_of(faults),
        notes=(*notes, *remarks),
    )


def predict_set(
    model: Model[Any] | str | Path | None,
    data: str | Path | DataSet,
    *,
    videos: Sequence[str] | int | None = None,
    frames: AnyFrames = None,
    key: str = "name",
    renamed: Mapping[str, str] | None = None,
    distributed: DistributedContext | None = None,
    device: str = "auto",
    batch: int = 1,
    progress: bool = False,
    **settings: Any,
) -> tuple[DataSet, dict[int, list[Track]], list[str]]:
    """The truth of a data set and what a model finds in it, and what was left out.

    Args:
        model: as for `vis.track`.
        data: a data set with its frames.
        videos: names or ids of those that are looked at, or how many, spread evenly; None for all.
        frames: the folder of the frames, where it is not found by itself.
        key: which entry of a category names its class: `name`, or another that the file has.
        renamed: what the data set calls a class -> what the model calls it.
        distributed: the processes that share the videos; all get all results.
        device: as for `vis.track`.
        batch: as for `vis.track`.
        progress: show a bar of videos where standard error is a terminal.
        **settings: fields of `TrackOptions` that differ from `vis.evaluation.predicting.OPTIONS`.

    Raises:
        UsageError: a setting is wrong.
        InputError: a file is missing.
        DataError: a file is faulty, or the data set has no class of the model.
    """
    opened_set = data if isinstance(data, DataSet) else open_set(data, frames)
    network = load_model(model)
    part = select_videos(opened_set.annotations, videos)
    shared = shared_classes(part, network, key=key, renamed=renamed, where=str(opened_set.path))
    tracks = predict(
        network,
        opened_set,
        shared,
        distributed=distributed,
        options=OPTIONS.updated(settings),
        device=device,
        batch=batch,
        progress=progress,
    )
    return replace(opened_set, annotations=shared.truth), tracks, _left_out(shared, part)


def evaluate_model(
    model: Model[Any],
    data: str | Path | DataSet,
    *,
    videos: Sequence[str] | int | None = None,
    metrics: Sequence[str] = ("ap",),
    distributed: DistributedContext | None = None,
    **settings: Any,
) -> dict[str, float]:
    """The numbers of a model in the midst of training, on a data set or a part of it.

    It works where its parameters are, and afterwards is in the mode in which it was.

    Args:
        model: the network itself, not its wrapper for several processes.
        data: a data set with its frames; opened once, it need not be read each time.
        videos: names or ids of those that are looked at, or how many, spread evenly; None for all.
        metrics: any of `METRICS`.
        distributed: the processes that share the videos; all get the numbers.
        **settings: further ones of `predict_set`.

    Returns:
        All numbers by their names, -1 or NaN where there is nothing to take them from.

    Raises:
        UsageError, InputError, DataError: as `predict_set`.
    """
    place = str(next(model.parameters()).device)
    with _same_mode_after(model):
        part, tracks, _ = predict_set(
            model, data, videos=videos, distributed=distributed, **({"device": place} | settings)
        )
    evaluation = evaluate(part, tracks, metrics=metrics)
    groups = [evaluation.precision.numbers, *evaluation.others.values()]
    return {name: float(value) for numbers in groups for name, value in numbers.items()}


@contextmanager
def _same_mode_after(model: Model[Any]) -> Iterator[None]:
    """Every part is in its own mode afterwards: frozen ones may be in another than the rest."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _opened(
    truth: str | Path | DataSet | AnnotationSet,
    frames: AnyFrames,
) -> tuple[DataSet | None, AnnotationSet]:
    if isinstance(truth, AnnotationSet):
        return None, truth
    data = truth if isinstance(truth, DataSet) else open_set(truth, frames)
    return data, data.annotations


def _least(precision: AveragePrecision, data: DataSet | None) -> float:
    """Score from which results count where nobody says."""
    if data is not None and data.kind == "semantic":
        return 0.0  # every pixel has a class, however unsure
    return surest(precision.matches)


def _read(
    results: AnyResults, truth: AnnotationSet, faults: list[DataError] | None, *, pictures: bool
) -> tuple[list[PictureResult] | None, Results]:
    """Results as a COCO file of pictures has them, where it is one, and as tracks."""
    in_pictures = picture_results(results, truth, faults) if pictures and is_path(results) else None
    if in_pictures is None:
        return None, read_given(results, truth, faults)
    return in_pictures, tracks_of(in_pictures, truth)


def _above(results: Results, least: float) -> Results:
    return {key: [t for t in tracks if t.score >= least] for key, tracks in results.items()}


def _checked(metrics: Sequence[str], protocol: Protocol | None, results: AnyResults) -> Protocol:
    """How J and F pair results with objects.

    Raises:
        UsageError: there is no such metric, or objects have no numbers to be paired by.
    """
    if unknown := sorted(set(metrics) - set(METRICS)):
        raise UsageError(f"no metric {unknown[0]!r}", remedy=f"One of: {', '.join(METRICS)}.")
    if "jf" not in metrics:
        return "unsupervised"
    numbered = is_numbered(results)
    if protocol == "semi-supervised" and not numbered and not isinstance(results, Mapping):
        raise UsageError(
            "these results have no numbers of objects, which semi-supervised results follow",
            remedy="Give a DAVIS or MOTS folder, or leave --protocol out.",
        )
    return protocol or ("semi-supervised" if numbered else "unsupervised")


def _left_out(shared: Shared, part: AnnotationSet) -> list[str]:
    if not shared.unknown:
        return []
    before, after = (
        sum(map(len, annotations.tracks.values())) for annotations in (part, shared.truth)
    )
    some = ", ".join(shared.unknown[:12]) + (", ..." if len(shared.unknown) > 12 else "")
    return [
        f"The model does not know {len(shared.unknown)} of {len(part.categories)} categories "
        f"({some}): their {before - after} objects are left out."
    ]


def _base_name(source: object) -> str:
    """The name alone: a report is passed on, and the folders of a machine are nobody's business."""
    if isinstance(source, DataSet):
        return source.path.name
    return Path(source).name if is_path(source) else ""
