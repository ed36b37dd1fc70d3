"""`vis track`: videos in, annotated videos and results out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

from vis.cli.arguments import Command
from vis.cli.better_model import say_better_model
from vis.cli.console import say, say_table
from vis.errors import EXIT_OK, UsageError, printable
from vis.inference.options import TrackOptions  # noqa: TC001  its fields become options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.jobs.job import Job, JobResult

_ROWS = 40
"""Objects of one video in the table."""


def track(
    sources: list[str],
    /,
    *,
    output: str | None = None,
    model: str | None = None,
    save: list[str] | None = None,
    options: TrackOptions,
    frame_rate: float | None = None,
    device: str = "auto",
    show: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    checkpoint: int = 32,
    shard: str | None = None,
    on: Literal["local", "ray"] = "local",
    quiet: bool = False,
) -> int:
    """Find, outline, name and follow every object in videos.

    Of one source, the output is a file, such as out.mp4; other results get the same name: out.json,
    out.jsonl, out.coco.json, out.csv, out.mots/, out.davis/, out.frames/. Of one or more, it is a
    folder, in which the outputs have the names of their sources: folder/holiday.mp4,
    folder/holiday.json. Without --output, holiday.mp4 becomes holiday-tracked.mp4 beside it.

    Until all is whole, it grows in a hidden folder beside: .holiday.part. After Ctrl-C, a full disk
    or a kill, the same command with --resume goes on there; the results are the same as without the
    break. A source that is done with the same settings is skipped. One that fails is named at the
    end, and does not stop the others. Under torchrun, the ranks share the sources.

    Args:
        sources: Video files, folders (of videos, of pictures, or of folders of pictures), globs, a
            camera (0, /dev/video0), rtsp/http URLs, or - for what comes in by a pipe. A camera is
            ended by Ctrl-C.
        output: The folder to write, or the file: .mp4 .mov .mkv .webm .avi .gif .json .coco.json
            .jsonl .csv. Needed for several sources, and for cameras, URLs and pipes.
        model: A weight file, or the name of one; a folder of transformers, or hf:OWNER/NAME of the
            hub; without it, the one that ships with vis.
        save: What is written: video (annotated, with sound), json (YouTube-VIS results), jsonl (a
            line a frame), coco (CocoVID), mots (text), davis (PNGs of numbers), csv (a line for
            each object of a frame), frames (annotated PNGs). Without it: what the file's ending
            says, in a folder video json jsonl.
        options: How videos are tracked.
        frame_rate: Frames per second of pictures and TIFF stacks without stated times; without it,
            25.
        device: auto, cpu, cuda, cuda:1, ...
        show: Show the frames in a window too; closing it stops.
        overwrite: Replace outputs that are there, and what an unfinished run left.
        resume: Go on with what an unfinished run left, if there is one.
        checkpoint: Windows from one saved state to the next; the first come earlier.
        shard: Do part i of n of the sources, such as 0/4.
        on: local, or ray: the sources are shared among the machines of a Ray cluster.
        quiet: Say nothing but what failed.
    """
    from vis.jobs.many import plan_jobs
    from vis.jobs.many import shard as shard_of
    from vis.video.pipe import STANDARD_INPUT

    if show and on == "ray":
        raise UsageError("no window shows what other machines do", remedy="Leave --show out.")
    if STANDARD_INPUT in sources and on == "ray":
        raise UsageError("no other machine has this one's standard input", remedy="Name a file.")
    jobs = shard_of(plan_jobs(sources, output, save, frame_rate=frame_rate), shard)
    progress = on == "local" and not quiet
    settings: dict[str, Any] = {"device": device, "progress": progress}
    settings |= {"resume": resume, "overwrite": overwrite, "checkpoint": checkpoint}
    return _run(jobs, model, options, settings, show=show, on=on, quiet=quiet)


def _run(
    jobs: list[Job],
    model: str | None,
    options: TrackOptions,
    settings: dict[str, Any],
    *,
    show: bool,
    on: str,
    quiet: bool,
) -> int:
    """Track the sources and say what became of them; the exit code."""
    from vis.jobs.job import RunOptions
    from vis.jobs.many import track_all
    from vis.jobs.ray_jobs import track_on_ray
    from vis.outputs.preview_window import open_preview

    with ExitStack() as stack:
        preview = open_preview() if show else None
        if preview is not None:
            stack.callback(preview.close)
        run_options = RunOptions(preview=preview, **settings)
        run = track_on_ray if on == "ray" else track_all
        job_results = run(jobs, model, options=options, run_options=run_options)
        return _report(job_results, len(jobs), shipped=model is None, quiet=quiet)


def _report(job_results: Iterator[JobResult], count: int, *, shipped: bool, quiet: bool) -> int:
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
        if not quiet:
            _say_result(job_result, progress)
    if failed:
        return _report_failures(failed, count)
    if shipped and not quiet:
        say_better_model()
    return EXIT_OK


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
    vis track holiday.mp4
    vis track holiday.mp4 -o tracked.mp4
    vis track *.mp4 -o tracked/ --save video json csv --classes person,dog
    vis track holiday.mp4 -o tracked/ --resume
    vis track 0 -o camera.mp4 --show
    ffmpeg -i tape.vob -f matroska - | vis track - -o tracked.mp4
    torchrun --nproc-per-node 2 -m vis track videos/ -o tracked/
    vis track videos/ -o tracked/ --on ray
    """,
)
