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
from vis.evaluation.identity import identity
from vis.evaluation.regions import unsupervised
from vis.evaluation.report.summary import surest
from vis.evaluation.semantic_tracks import semantic_tracks
from vis.formats.opening import DataSet, open_set
from vis.formats.reading import kinds_of
from vis.formats.ytvis import read_results
from vis.formats.ytvis_records import AnnotationSet
from vis.pipeline.evaluation import Evaluation
from vis.pipeline.picture_numbers import (
    is_of_pictures,
    picture_numbers,
    picture_results,
    tracks_of,
)
from vis.pipeline.plan import opened
from vis.pipeline.predicting import chosen, predict, shared_classes
from vis.pipeline.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import TypeIs

    from vis.models import Model
    from vis.pipeline.predicting import Shared
    from vis.pipeline.team import Team
    from vis.records import Track

    Results = Mapping[int, Sequence[Track]]

METRICS = ("ap", "identity", "jf", "miou", "errors")
"""What can be measured; AP always is. All but `errors` look at the results that are sure enough."""
_MOST_FOLLOWED = 20
"""Results of a video that DAVIS compares with its objects."""


def evaluate(
    truth: str | Path | DataSet | AnnotationSet,
    results: str | Path | Results | Result | Sequence[Result],
    *,
    metrics: Sequence[str] = ("ap",),
    threshold: float | None = None,
    frames: str | Path | None = None,
    lenient: bool = False,
    notes: Sequence[str] = (),
    progress: bool = False,
) -> Evaluation:
    """Measure results against the truth.

    Args:
        truth: a data set in any format that `open_set` reads.
        results: a YouTube-VIS results file (of single pictures a COCO one too), tracks by id of
            the video, or what `vis.track` collected of videos of these names, matched by name and
            class.
        metrics: any of `METRICS`.
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
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise UsageError(f"no metric {unknown[0]!r}", remedy=f"One of: {', '.join(METRICS)}.")
    data, wanted = _opened(truth, frames)
    faults: list[DataError] = []
    caught = faults if lenient else None
    pictures = is_of_pictures(data)
    listed = picture_results(results, wanted, caught) if pictures and _is_path(results) else None
    found = _read(results, wanted, caught) if listed is None else tracks_of(listed, wanted)
    precision = evaluate_tracks(wanted, found, progress=progress)
    if threshold is None and data is not None and data.kind == "semantic":
        threshold = 0.0  # every pixel has a class, however unsure
    least = surest(precision.matches) if threshold is None else threshold
    sure = {
        key: [track for track in tracks if track.score >= least] for key, tracks in found.items()
    }
    return Evaluation(
        truth=wanted,
        results=found,
        precision=precision,
        interval=bootstrap(precision),
        threshold=least,
        pictures=picture_numbers(wanted, found, listed) if pictures else {},
        others={name: _OTHERS[name](wanted, sure, progress) for name in _OTHERS if name in metrics},
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


def _read(
    results: str | Path | Results | Result | Sequence[Result],
    truth: AnnotationSet,
    faults: list[DataError] | None,
) -> Results:
    if isinstance(results, Result):
        results = [results]
    if _is_path(results):
        return read_results(results, truth, faults)
    if isinstance(results, Mapping):
        return results
    return dict(_of_video(result, truth) for result in results)


def _of_video(result: Result, truth: AnnotationSet) -> tuple[int, list[Track]]:
    """Id of the video that was tracked, and its tracks by the truth's categories."""
    names = {result.info.name, Path(result.info.name).name, Path(result.info.name).stem}
    fitting = [id_ for id_, video in truth.videos.items() if video.name in names]
    if not fitting and len(truth.videos) == 1:
        fitting = list(truth.videos)
    if len(fitting) != 1:
        raise DataError(
            f"{len(fitting)} videos of the truth are called as the tracked one",
            where=result.info.name,
            remedy="Give the tracks by id of the video.",
        )
    ids = {category.name: category.id for category in truth.categories.values()}
    tracks = [
        replace(track, label=ids[result.names[track.label]])
        for track in result.tracks
        if result.names[track.label] in ids
    ]
    return fitting[0], tracks


def _identity(truth: AnnotationSet, results: Results, progress: bool) -> Mapping[str, float]:
    return identity(truth, results, progress=progress).numbers


def _regions(truth: AnnotationSet, results: Results, progress: bool) -> Mapping[str, float]:
    best = {
        key: sorted(tracks, key=lambda track: -track.score)[:_MOST_FOLLOWED]
        for key, tracks in results.items()
    }
    return unsupervised(truth, best, progress=progress).numbers


def _classes(truth: AnnotationSet, results: Results, progress: bool) -> Mapping[str, float]:
    return semantic_tracks(truth, results, progress=progress).numbers


_OTHERS = {"identity": _identity, "jf": _regions, "miou": _classes}


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


def _is_path(source: object) -> TypeIs[str | Path]:
    return isinstance(source, str | Path)


def _called(source: object) -> str:
    if isinstance(source, DataSet):
        return str(source.path)
    return str(source) if _is_path(source) else ""
