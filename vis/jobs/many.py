"""Many sources, one after the other, each on its own: done ones are skipped, failed ones listed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import InputError, UsageError, VisError
from vis.inference.model_classes import load_model, model_sha256
from vis.inference.options import TrackOptions
from vis.inference.predictor import device_of
from vis.inference.resolved_options import resolve
from vis.jobs.job import Job, JobResult, RunOptions
from vis.jobs.run import run
from vis.jobs.sources import VIDEO_SUFFIXES, Source, list_sources
from vis.ops.pictures import SUFFIXES as PICTURES
from vis.outputs.sinks import check_kinds
from vis.outputs.video_name import plain
from vis.video.writer_file import VIDEO_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.models import Model

IN_FOLDER = ("video", "json", "jsonl")
"""Kinds that are saved in a folder where nobody says otherwise."""
_LONE = {".coco.json": "coco", ".json": "json", ".jsonl": "jsonl", ".csv": "csv"}
"""Ending of a lone output that is no video -> its kind."""
_REFUSED = (VIDEO_SUFFIXES | PICTURES | {".txt", ".xml", ".zip"}) - VIDEO_FORMATS.keys()
"""Endings of files that are not written; who gives one does not mean a folder."""


def plan_jobs(
    sources: Sequence[str],
    output: str | os.PathLike[str] | None = None,
    save: Sequence[str] | None = None,
    *,
    frame_rate: float | None = None,
) -> list[Job]:
    """What is to be made of which source.

    Args:
        sources: files, folders, globs, cameras, URLs; see `list_sources`.
        output: a file name (.mp4 .mov .mkv .webm .avi .gif, or .json .coco.json .jsonl .csv) for
            one source, whose other outputs get the same name with their own endings; else a folder,
            in which outputs have the names of their sources. None, of one file or folder of
            pictures: NAME-tracked, beside it.
        save: kinds of outputs; None for that of the file, or in a folder for `IN_FOLDER`.
        frame_rate: frames per second of pictures without stated times; 25 if not given.

    Raises:
        UsageError: there is no source, or several for one file; or an unknown kind or ending.
        InputError: a folder holds no videos.
    """
    videos = list_sources(sources)
    if not videos:
        raise UsageError("there are no videos", where=", ".join(sources), remedy="Check the names.")
    if output is None:
        folder, name = _beside(videos)
        kinds = check_kinds(["video"] if save is None else save)
        source = Source(videos[0].place, f"{name}-tracked")
        return [Job(source, folder, kinds, plain(name), frame_rate=frame_rate)]
    path = Path(output)
    ending, kind = _ending_and_kind(os.fspath(output))
    if kind is None:
        kinds = check_kinds(IN_FOLDER if save is None else save)
        return [
            Job(source, path, kinds, plain(source.name), frame_rate=frame_rate) for source in videos
        ]
    if len(videos) > 1:
        raise UsageError(
            f"{len(videos)} videos do not go into one file",
            where=os.fspath(output),
            remedy="Name a folder.",
        )
    kinds = check_kinds([kind] if save is None else save)
    if kind not in kinds:
        raise UsageError(
            f"{path.name} is to be written, but {kind} is not among what is saved",
            remedy=f"Add {kind}, or name a folder.",
        )
    suffix = ending if kind == "video" else ".mp4"
    [video] = videos
    target = Source(video.place, path.name.removesuffix(ending))
    return [Job(target, path.parent, kinds, plain(video.name), suffix, frame_rate)]


def track_all(
    jobs: Sequence[Job],
    model: Model[Any] | str | os.PathLike[str] | None = None,
    *,
    options: TrackOptions = TrackOptions(),  # noqa: B008 - frozen
    run_options: RunOptions = RunOptions(),  # noqa: B008 - frozen
) -> Iterator[JobResult]:
    """Track each source; what became of it, as soon as that is known.

    A source that fails does not stop the others. A live one that the user ends is the last.

    Args:
        jobs: see `plan_jobs`.
        model: as `vis.track` takes it; loaded once.
        options: how they are tracked.
        run_options: how the run goes.

    Raises:
        InputError, DataError, UsageError: the model cannot be had.
        UsageError, DeviceError: a choice cannot be.
    """
    network = load_model(model)
    device_of(run_options.device)
    resolve(options, network)  # what would fail with every source fails once
    sha256 = model_sha256(network)
    for job in jobs:
        try:
            job_result = run(job, network, sha256, options=options, run_options=run_options)
        except VisError as error:
            job_result = JobResult(job.source, error=error)
        yield job_result
        if job_result.stopped:
            return


def shard(jobs: Sequence[Job], part: str | None) -> list[Job]:
    """The part of a list that is this process's: `i/n`, from 0, or that of its rank.

    Under `torchrun`, each rank takes every n-th source; nothing is sent between them, so that one
    may be done, or gone, long before the others.

    Raises:
        UsageError: `part` is not of that form.
    """
    if part is None:
        # torchrun's variables; without it this process is the only one
        index, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    else:
        first, slash, second = part.partition("/")
        if not (slash and first.isdecimal() and second.isdecimal()):
            raise UsageError(f"{part!r} is no part of a list", remedy="Write 0/4, 1/4, 2/4, 3/4.")
        index, count = int(first), int(second)
    if not 0 <= index < count:
        raise UsageError(f"there is no part {index} of {count}", remedy="Count from 0.")
    return list(jobs[index::count])


def _beside(videos: Sequence[Source]) -> tuple[Path, str]:
    """Folder and name of outputs that lie beside their one source.

    Raises:
        UsageError: it lies nowhere, or there are several.
        InputError: it is not there.
    """
    [source, *others] = videos
    path = Path(source.place)
    if others:
        raise UsageError(f"{len(videos)} videos need a folder", remedy="Name one: -o tracked/")
    if source.is_stream:
        raise UsageError(
            "there is no folder that the output could lie in, beside its source",
            where=source.place,
            remedy="Name the output: -o out.mp4",
        )
    is_glob = not path.exists() and any(sign in path.name for sign in "*?[")
    if not path.exists() and not is_glob:  # its folder would be made for the output
        raise InputError("no such file", where=source.place, remedy="Check the path.")
    # beside the folder of pictures, of a glob too: a video among them would be a source of its own
    if is_glob:
        path = path.parent
    return path.resolve().parent if path.name in ("", "..") else path.parent, source.name


def _ending_and_kind(output: str) -> tuple[str, str | None]:
    """Ending and kind of a file that is to be written; no kind where a folder is meant."""
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return "", None
    kinds = dict.fromkeys(VIDEO_FORMATS, "video") | _LONE
    for ending in sorted(kinds, key=len, reverse=True):
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return path.name[-len(ending) :], kinds[ending]
    if path.suffix.lower() in _REFUSED:
        raise UsageError(
            f"nothing is written as {path.suffix}",
            where=output,
            remedy=f"Take one of {' '.join(kinds)}, or end the name of a folder with /.",
        )
    return "", None
