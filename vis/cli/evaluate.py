"""`vis evaluate`: results, or a model on a data set, measured against the truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vis.cli.arguments import Command
from vis.cli.console import say, say_table
from vis.cli.data_options import DataOptions  # noqa: TC001  its fields become options
from vis.errors import EXIT_DAMAGED, EXIT_OK, UsageError
from vis.inference.options import ModelOptions  # noqa: TC001  its fields become options
from vis.storage.whole_file import already_there

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from vis.evaluation.distributed import DistributedContext
    from vis.evaluation.results import Evaluation
    from vis.formats.opening import DataSet
    from vis.records import Track

    _TruthAndResults = tuple[str | DataSet, str | dict[int, list[Track]], list[str]]


Protocol = Literal["semi-supervised", "unsupervised"]


def evaluate(
    *,
    truth: str | None = None,
    results: str | None = None,
    model: str | None = None,
    data: str | None = None,
    metrics: str = "ap",
    any_category: bool = False,
    protocol: Protocol | None = None,
    per_category: bool = False,
    json: str | None = None,
    report: str | None = None,
    save: str | None = None,
    threshold: float | None = None,
    data_options: DataOptions,
    model_options: ModelOptions,
    batch: int = 1,
    device: str = "auto",
    lenient: bool = False,
    overwrite: bool = False,
) -> int:
    """Measure results, or a model on a data set, against the truth.

    Either --truth and --results, or --model and --data. AP and AR follow the YouTube-VIS reference
    exactly; the interval of AP is a bootstrap over videos. A model's classes are matched with those
    of the data set by name. Started by torchrun, each process takes its videos.

    Args:
        truth: The data set that the results are of, in any format; see vis data check.
        results: A YouTube-VIS results file (of pictures a COCO one), or a DAVIS or MOTS folder.
        model: A weight file, or the name of one.
        data: A data set with its frames: folders of pictures, or video files of their names.
        metrics: Any of ap, identity (HOTA, IDF1, ...), jf (J and F of DAVIS), miou and errors (what
            each kind costs), with commas.
        any_category: Take all categories for one when AP is measured.
        protocol: Of jf: whether results follow objects that were shown, by their numbers, or each
            object is compared with the result that fits it best. Without it: by their numbers where
            results are a folder.
        per_category: Print the AP of each category too.
        json: Write all numbers to this file.
        report: Write a page with plots and pictures, report.html, into this folder.
        save: Write what the model found to this YouTube-VIS results file.
        threshold: Score from which results count for the metrics without scores and are shown in
            the report, instead of that of the highest F1.
        data_options: What of the data set is meant.
        model_options: How the model sees the videos.
        batch: Windows that the model sees side by side.
        device: Where the model computes: auto, cpu, cuda, cuda:1.
        lenient: Leave faulty results out and count them by kind; the exit code is then 1.
        overwrite: Replace files that are there.
    """
    pair = _checked(truth=truth, results=results, model=model, data=data, save=save)
    written = _free(overwrite, json=json, save=save, report=report and f"{report}/report.html")
    place = data_options.place()
    part: dict[str, Any] = {
        "videos": data_options.videos,
        "key": data_options.key,
        "renamed": data_options.renamed(),
    }
    how = {"frames": place, "device": device, "batch": batch, **asdict(model_options)}
    rules: dict[str, Any] = {"frames": place, "threshold": threshold, "protocol": protocol}
    with _launched() as processes:
        if model and data:
            pair = _predicted(model, data, processes, **part, **how)
        if not processes.is_first:
            return EXIT_OK
        rules |= {"lenient": lenient, "errors": bool(report), "by_category": not any_category}
        evaluation = _measured(pair, metrics, **rules)
        return _report(evaluation, written, overwrite=overwrite, per_category=per_category)


def _launched() -> AbstractContextManager[DistributedContext]:
    from vis.evaluation.distributed import launched

    return launched()


def _predicted(
    model: str, data: str, processes: DistributedContext, *, device: str, **settings: Any
) -> _TruthAndResults:
    from vis.evaluation.distributed import own_device
    from vis.evaluation.evaluate import predict_set

    own = own_device(device)
    return predict_set(model, data, distributed=processes, progress=True, device=own, **settings)


def _measured(pair: _TruthAndResults, metrics: str, *, errors: bool, **settings: Any) -> Evaluation:
    from vis.evaluation.evaluate import evaluate as measure

    names = metrics.replace(" ", "").split(",") + ["errors"] * errors
    truth, results, notes = pair
    return measure(truth, results, metrics=names, notes=notes, progress=True, **settings)


def _checked(
    *, truth: str | None, results: str | None, model: str | None, data: str | None, save: str | None
) -> _TruthAndResults:
    """Truth and results, where these are named, not a model and its data set."""
    stated = [bool(name) for name in (truth, results, model, data)]
    if stated not in ([True, True, False, False], [False, False, True, True]):
        raise UsageError(
            "it is not said what to measure",
            remedy="Give --truth and --results, or --model and --data.",
        )
    if save and not model:
        raise UsageError("there is nothing to save", remedy="Leave --save out, or give --model.")
    return truth or "", results or "", []


def _free(overwrite: bool, **written: str | None) -> Mapping[str, str | None]:
    """The files to write, refused before the work, not after it, where they are there."""
    for path in written.values():
        if path and Path(path).exists() and not overwrite:
            raise already_there(Path(path))
    return written


def _write(evaluation: Evaluation, written: Mapping[str, str | None], overwrite: bool) -> None:
    if save := written["save"]:
        evaluation.save_results(save, overwrite=overwrite)
    if json := written["json"]:
        evaluation.save(json, overwrite=overwrite)
    if report := written["report"]:
        evaluation.report(Path(report).parent, overwrite=overwrite, progress=True)
    for path in filter(None, written.values()):
        say(f"wrote {path}")


def _report(
    evaluation: Evaluation,
    written: Mapping[str, str | None],
    *,
    overwrite: bool,
    per_category: bool,
) -> int:
    """Write and print everything; the exit code."""
    _write(evaluation, written, overwrite)
    for name, text in evaluation.description().items():
        say(f"{name:<8} {text}")
    for note in evaluation.notes:
        say(f"note: {note}")
    say("")
    say_table(list(evaluation.table()))
    if per_category:
        say("")
        say_table([("category", "AP", "objects"), *evaluation.categories()])
    if evaluation.skipped:
        say("")
        say(f"skipped {sum(evaluation.skipped.values())} faulty records")
        say_table([(f"  {count}", kind) for kind, count in evaluation.skipped.items()])
    return EXIT_DAMAGED if evaluation.skipped else EXIT_OK


COMMAND = Command(
    evaluate,
    """
    vis evaluate --truth valid.json --results results.json
    vis evaluate --truth valid.json --results results.json --metrics ap,identity --report report
    vis evaluate --model best.safetensors --data ytvis/local_val.json --json numbers.json
    torchrun --nproc-per-node 8 -m vis evaluate --model best.safetensors --data ovis.json
    """,
)
