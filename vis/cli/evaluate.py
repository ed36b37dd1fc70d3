"""`vis evaluate`: results, or a model on a data set, measured against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vis.cli.arguments import Command
from vis.cli.saying import say, say_table
from vis.errors import EXIT_DAMAGED, EXIT_OK, UsageError
from vis.storage.whole_file import already_there

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from vis.formats.opening import DataSet
    from vis.pipeline.evaluation import Evaluation
    from vis.pipeline.team import Team
    from vis.records import Track

    _Given = tuple[str | DataSet, str | dict[int, list[Track]], list[str]]


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
    frames: str | None = None,
    videos: list[str] | None = None,
    key: str = "name",
    rename: list[str] | None = None,
    window: int | None = None,
    stride: int | None = None,
    size: int | None = None,
    batch: int = 1,
    device: str = "auto",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
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
        frames: The folder that the file names are relative to, if it is not beside the file.
        videos: Names or ids of the videos that the model looks at, instead of all.
        key: Entry of a category that names its class, if that is not its name.
        rename: Classes that the model calls otherwise, as two-wheeler=bicycle (data set=model).
        window: Frames that the model sees at once.
        stride: Frames from one window to the next.
        size: Short side that the model sees in pixels.
        batch: Windows that the model sees side by side.
        device: Where the model computes: auto, cpu, cuda, cuda:1.
        precision: Of the model's computing.
        lenient: Leave faulty results out and count them by kind; the exit code is then 1.
        overwrite: Replace files that are there.
    """
    part: dict[str, Any] = {"videos": videos, "key": key, "frames": frames, "window": window}
    part |= {"renamed": _renamed(rename or []), "stride": stride, "size": size, "batch": batch}
    asked = {"threshold": threshold, "frames": frames, "lenient": lenient, "protocol": protocol}
    given = _checked(truth=truth, results=results, model=model, data=data, save=save)
    written = _free(overwrite, json=json, save=save, report=report and f"{report}/report.html")
    with _launched() as team:
        if model and data:
            given = _predicted(model, data, team, device, precision=precision, **part)
        if not team.first:
            return EXIT_OK
        found = _measured(given, metrics, bool(report), by_category=not any_category, **asked)
        return _told(found, written, overwrite=overwrite, per_category=per_category)


def _launched() -> AbstractContextManager[Team]:
    from vis.pipeline.team import launched

    return launched()


def _predicted(model: str, data: str, team: Team, device: str, **settings: Any) -> _Given:
    from vis.pipeline.evaluating import predict_set
    from vis.pipeline.team import own_device

    place = own_device(device)
    return predict_set(model, data, team=team, progress=True, device=place, **settings)


def _measured(given: _Given, metrics: str, errors: bool, **asked: Any) -> Evaluation:
    from vis.pipeline.evaluating import evaluate as measure

    names = metrics.replace(" ", "").split(",") + ["errors"] * errors
    truth, results, notes = given
    return measure(truth, results, metrics=names, notes=notes, progress=True, **asked)


def _checked(
    *, truth: str | None, results: str | None, model: str | None, data: str | None, save: str | None
) -> _Given:
    """Truth and results, where these are named, not a model and its data set."""
    named = [bool(name) for name in (truth, results, model, data)]
    if named not in ([True, True, False, False], [False, False, True, True]):
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


def _renamed(pairs: list[str]) -> dict[str, str]:
    table = {}
    for pair in pairs:
        name, equals, new = pair.partition("=")
        if not (name and equals and new):
            raise UsageError(
                f"{pair!r} renames nothing", remedy="Write the data set's name = the model's."
            )
        table[name] = new
    return table


def _write(found: Evaluation, written: Mapping[str, str | None], overwrite: bool) -> None:
    if save := written["save"]:
        found.save_results(save, overwrite=overwrite)
    if json := written["json"]:
        found.save(json, overwrite=overwrite)
    if report := written["report"]:
        found.report(Path(report).parent, overwrite=overwrite, progress=True)
    for path in filter(None, written.values()):
        say(f"wrote {path}")


def _told(
    found: Evaluation, written: Mapping[str, str | None], *, overwrite: bool, per_category: bool
) -> int:
    """Write and print everything; the exit code."""
    _write(found, written, overwrite)
    for name, said in found.facts().items():
        say(f"{name:<8} {said}")
    for note in found.notes:
        say(f"note: {note}")
    say("")
    say_table(list(found.table()))
    if per_category:
        say("")
        say_table([("category", "AP", "objects"), *found.categories()])
    if found.skipped:
        say("")
        say(f"skipped {sum(found.skipped.values())} faulty records")
        say_table([(f"  {count}", kind) for kind, count in found.skipped.items()])
    return EXIT_DAMAGED if found.skipped else EXIT_OK


COMMAND = Command(
    evaluate,
    """
    vis evaluate --truth valid.json --results results.json
    vis evaluate --truth valid.json --results results.json --metrics ap,identity --report report
    vis evaluate --model best.safetensors --data ytvis/local_val.json --json numbers.json
    torchrun --nproc-per-node 8 -m vis evaluate --model best.safetensors --data ovis.json
    """,
)
