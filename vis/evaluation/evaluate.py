"""`vis.evaluate`: results, or a model on a data set, measured against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, UsageError
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.bootstrap import bootstrap
from vis.evaluation.error_split import error_split
from vis.evaluation.given_results import is_numbered, is_path, read_given
from vis.evaluation.metrics import MEASURES, Asked
from vis.evaluation.picture_numbers import (
    is_of_pictures,
    picture_numbers,
    picture_results,
    tracks_of,
)
from vis.evaluation.predicting import chosen, predict, shared_classes
from vis.evaluation.report.summary import surest
from vis.evaluation.results import Evaluation
from vis.formats.opening import DataSet, open_set
from vis.formats.reading import kinds_of
from vis.formats.ytvis_records import AnnotationSet
from vis.inference.resolved_options import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.evaluation.average_precision import AveragePrecision
    from vis.evaluation.distributed import Team
    from vis.evaluation.given_results import Given, Results
    from vis.evaluation.metrics import Protocol
    from vis.evaluation.predicting import Shared
    from vis.models import Model
    from vis.records import Track

METRICS = ("ap", *MEASURES, "errors")
"""What can be measured; AP always is. All but `errors` look at the results that are sure enough."""


def evaluate(
    truth: str | Path | DataSet | AnnotationSet,
    results: Given,
    *,
    metrics: Sequence[str] = ("ap",),
    by_category: bool = True,
    protocol: Protocol | None = None,
    threshold: float | None = None,
    frames: str | Path | None = None,
    lenient: bool = False,
    notes: Sequence[str] = (),
    progress: bool = False,
) -> Evaluation:
    """Measure results against the truth.

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
    paired = _checked(metrics, protocol, results)
    data, wanted = _opened(truth, frames)
    faults: list[DataError] = []
    caught = faults if lenient else None
    pictures = is_of_pictures(data)
    listed = picture_results(results, wanted, caught) if pictures and is_path(results) else None
    found = read_given(results, wanted, caught) if listed is None else tracks_of(listed, wanted)
    precision = evaluate_tracks(wanted, found, by_category=by_category, progress=progress)
    least = _least(precision, data) if threshold is None else threshold
    asked = Asked(wanted, _sure(found, least), paired, progress)
    measured = {name: measure(asked) for name, measure in MEASURES.items() if name in metrics}
    return Evaluation(
        truth=wanted,
        results=found,
        precision=precision,
        interval=bootstrap(precision),
        threshold=least,
        pictures=picture_numbers(wanted, found, listed, by_category) if pictures else {},
        others={name: one.numbers for name, one in measured.items()},
        parts={name: one.parts for name, one in measured.items()},
        frames=data.frames if data else None,
        sources=(_called(truth), _called(results)),
        errors=error_split(wanted, found, progress=progress) if "errors" in metrics else None,
        skipped=kinds_of(faults),
        notes=tuple(notes),
    )


def predict_set(
    model: Model[Any] | str | Path | None,
    data: str | Path | DataSet,
    *,
    videos: Sequence[str] | int | None = None,
    frames: str | Path | None = None,
    key: str = "name",
    renamed: Mapping[str, str] | None = None,
    team: Team | None = None,
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
        team: the processes that share the videos; all get all results.
        progress: show a bar of videos where standard error is a terminal.
        settings: further ones of `vis.track`.

    Raises:
        UsageError: a setting is wrong.
        InputError: a file is missing.
        DataError: a file is faulty, or the data set has no class of the model.
    """
    opened_set = data if isinstance(data, DataSet) else open_set(data, frames)
    network = opened(model)
    part = chosen(opened_set.annotations, videos)
    try:
        shared = shared_classes(part, network, key=key, renamed=renamed)
    except DataError as error:
        raise error.at(str(opened_set.path)) from None
    found = predict(network, opened_set, shared, team=team, progress=progress, **settings)
    return replace(opened_set, annotations=shared.truth), found, _left_out(shared, part)


def evaluate_model(
    model: Model[Any],
    data: str | Path | DataSet,
    *,
    videos: Sequence[str] | int | None = None,
    metrics: Sequence[str] = ("ap",),
    team: Team | None = None,
    **settings: Any,
) -> dict[str, float]:
    """The numbers of a model in the midst of training, on a data set or a part of it.

    It works where its parameters are, and afterwards is in the mode in which it was.

    Args:
        model: the network itself, not its wrapper for several processes.
        data: a data set with its frames; opened once, it need not be read each time.
        videos: names or ids of those that are looked at, or how many, spread evenly; None for all.
        metrics: any of `METRICS`.
        team: the processes that share the videos; all get the numbers.
        settings: further ones of `predict_set`.

    Returns:
        All numbers by their names, -1 or NaN where there is nothing to take them from.

    Raises:
        UsageError, InputError, DataError: as `predict_set`.
    """
    place = str(next(model.parameters()).device)
    with _mode_kept(model):
        part, found, _ = predict_set(
            model, data, videos=videos, team=team, **({"device": place} | settings)
        )
    evaluation = evaluate(part, found, metrics=metrics)
    groups = [evaluation.precision.numbers, *evaluation.others.values()]
    return {name: float(value) for numbers in groups for name, value in numbers.items()}


@contextmanager
def _mode_kept(model: Model[Any]) -> Iterator[None]:
    """Every part is in its own mode afterwards: frozen ones may be in another than the rest."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _opened(
    truth: str | Path | DataSet | AnnotationSet,
    frames: str | Path | None,
) -> tuple[DataSet | None, AnnotationSet]:
    if isinstance(truth, AnnotationSet):
        return None, truth
    data = truth if isinstance(truth, DataSet) else open_set(truth, frames)
    return data, data.annotations


def _least(found: AveragePrecision, data: DataSet | None) -> float:
    """Score from which results are looked at where nobody says."""
    if data is not None and data.kind == "semantic":
        return 0.0  # every pixel has a class, however unsure
    return surest(found.matches)


def _sure(results: Results, least: float) -> Results:
    return {key: [t for t in tracks if t.score >= least] for key, tracks in results.items()}


def _checked(metrics: Sequence[str], asked: Protocol | None, results: Given) -> Protocol:
    """How J and F pair results with objects.

    Raises:
        UsageError: there is no such metric, or objects have no numbers to be paired by.
    """
    if unknown := sorted(set(metrics) - set(METRICS)):
        raise UsageError(f"no metric {unknown[0]!r}", remedy=f"One of: {', '.join(METRICS)}.")
    if "jf" not in metrics:
        return "unsupervised"
    numbered = is_numbered(results)
    if asked == "semi-supervised" and not numbered and not isinstance(results, Mapping):
        raise UsageError(
            "these results have no numbers of objects, which semi-supervised results follow",
            remedy="Give a DAVIS or MOTS folder, or leave --protocol out.",
        )
    return asked or ("semi-supervised" if numbered else "unsupervised")


def _left_out(shared: Shared, part: AnnotationSet) -> list[str]:
    if not shared.unknown:
        return []
    before, after = (
        sum(map(len, annotations.tracks.values())) for annotations in (part, shared.truth)
    )
    named = ", ".join(shared.unknown[:12]) + (", ..." if len(shared.unknown) > 12 else "")
    return [
        f"The model does not know {len(shared.unknown)} of {len(part.categories)} categories "
        f"({named}): their {before - after} objects are left out."
    ]


def _called(source: object) -> str:
    """The name alone: a report is passed on, and the folders of a machine are nobody's business."""
    if isinstance(source, DataSet):
        return source.path.name
    return Path(source).name if is_path(source) else ""
