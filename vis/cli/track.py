"""`vis track`: videos in, annotated videos and results out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from vis.cli.arguments import Command
from vis.cli.console import say, say_table
from vis.errors import EXIT_OK, UsageError, printable
from vis.inference.options import TrackOptions  # noqa: TC001  its fields become options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.jobs.job import JobResult

_ROWS = 40
"""Objects of one video in the table."""


def track(
    sources: list[str],
    /,
    *,
    output: str,
    model: str | None = None,
    save: list[str] | None = None,
    options: TrackOptions,
    device: str = "auto",
    show: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    checkpoint: int = 32,
    shard: str | None = None,
    on: Literal["local", "ray"] = "local",
) -> int:
    """Find, outline, name and follow every object in videos.

    Of one source, the output is a file, such as out.mp4; other results get the same name: out.json,
    out.jsonl, out.coco.json, out.csv, out.mots/, out.davis/, out.frames/. Of one or more, it is a
    folder, in which the outputs have the names of their sources: folder/holiday.mp4,
    folder/holiday.json.

    Until all is whole, it grows in a hidden folder beside: .holiday.part. After Ctrl-C, a full disk
    or a kill, the same command with --resume goes on there; the results are the same as without the
    break. A source that is done with the same settings is skipped. One that fails is named at the
    end, and does not stop the others. Under torchrun, the ranks share the sources.

    Args:
        sources: Video files, folders (of videos, of pictures, or of folders of pictures), globs, a
            camera (0, /dev/video0), rtsp/http URLs. A camera is ended by Ctrl-C.
        output: The folder to write, or the file: .mp4 .mov .mkv .webm .gif .json .coco.json .jsonl
            .csv.
        model: A weight file, or the name of one; a folder of transformers, or hf:OWNER/NAME of the
            hub; without it, the one that ships with vis.
        save: What is written: video (annotated, with sound), json (YouTube-VIS results), jsonl (a
            line a frame), coco (CocoVID), mots (text), davis (PNGs of numbers), csv (a line for
            each object of a frame), frames (annotated PNGs). Without it: what the file's ending
            says, in a folder video json jsonl.
        options: How videos are tracked.
        device: auto, cpu, cuda, cuda:1, ...
        show: Show the frames in a window too; closing it stops.
        overwrite: Replace outputs that are there, and what an unfinished run left.
        resume: Go on with what an unfinished run left, if there is one.
        checkpoint: Windows from one saved state to the next; the first come earlier.
        shard: Do part i of n of the sources, such as 0/4.
        on: local, or ray: the sources are shared among the machines of a Ray cluster.
    """
    from vis.jobs.job import RunOptions
    from vis.jobs.many import plan_jobs, track_all
    from vis.jobs.many import shard as shard_of
    from vis.jobs.ray_jobs import track_on_ray
    from vis.outputs.preview_window import open_preview

    if show and on == "ray":
        raise UsageError("no window shows what other machines do", remedy="Leave --show out.")
    jobs = shard_of(plan_jobs(sources, output, save), shard)
    with ExitStack() as stack:
        preview = open_preview() if show else None
        if preview is not None:
            stack.callback(preview.close)
        run_options = RunOptions(
            device=device,
            resume=resume,
            overwrite=overwrite,
            checkpoint=checkpoint,
            preview=preview,
            progress=on == "local",
        )
        run = track_on_ray if on == "ray" else track_all
        return _report(run(jobs, model, options=options, run_options=run_options), len(jobs))


def _report(job_results: Iterator[JobResult], count: int) -> int:
    """Say what became of each source; the exit code."""
    failed: list[JobResult] = []
    for number, job_result in enumerate(job_results, 1):
        if job_result.error is not None:
            if count == 1:
                raise job_result.error
            failed.append(job_result)
            sys.stderr.write(f"vis: {printable(job_result.source.place)} failed\n")
            continue
        progress = f"[{number}/{count}] " if count > 1 else ""
        _say_result(job_result, progress)
    return _report_failures(failed, count) if failed else EXIT_OK


def _report_failures(failed: list[JobResult], count: int) -> int:
    """Name the sources that failed; the exit code of the first."""
    say(f"{len(failed)} of {count} sources failed:")
    for job_result in failed:
        say(f"    {_error_of(job_result)}")
    say("Run again with --resume: finished sources are skipped, unfinished ones go on.")
    error = failed[0].error
    assert error is not None
    return error.exit_code


def _error_of(job_result: JobResult) -> str:
    """The error with the name of its source, once."""
    place, text = printable(job_result.source.place), str(job_result.error)
    return text if text.startswith(place) else f"{place}: {text}"


def _say_result(job_result: JobResult, progress: str) -> None:
    from vis.outputs.summary import by_class, rows

    outputs = ", ".join(str(path) for path in job_result.outputs)
    if job_result.skipped:
        say(f"{progress}{job_result.source.place}: done before ({outputs})")
        return
    rate = f", {job_result.frames / job_result.seconds:.1f} frames/s" if job_result.seconds else ""
    say(f"{progress}wrote {outputs} ({job_result.frames} frames{rate})")
    count = len(job_result.sightings)
    if not count:
        say("no objects were found")
        return
    say_table(rows(job_result.sightings, job_result.names, most=_ROWS))
    if count > _ROWS:
        say(f"... and {count - _ROWS} more objects")
    counts = by_class(job_result.sightings, job_result.names)
    say(", ".join(f"{number} x {name}" for name, number in counts.items()))


COMMAND = Command(
    track,
    """
    vis track holiday.mp4 -o tracked.mp4
    vis track *.mp4 -o tracked/ --save video json csv --classes person,dog
    vis track holiday.mp4 -o tracked/ --resume
    vis track 0 -o camera.mp4 --show
    torchrun --nproc-per-node 2 -m vis track videos/ -o tracked/
    vis track videos/ -o tracked/ --on ray
    """,
)
