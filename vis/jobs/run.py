"""One source to all its outputs, unless that is done already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.jobs.job import JobResult
from vis.jobs.runner import JobRunner
from vis.outputs.sinks import output_names
from vis.storage.staged_outputs import StagedOutputs
from vis.version import __version__
from vis.video import open_video

if TYPE_CHECKING:
    from vis.inference.options import TrackOptions
    from vis.jobs.job import Job, RunOptions
    from vis.jobs.sources import Source
    from vis.models import Model


def run(
    job: Job, model: Model[Any], sha256: str, *, options: TrackOptions, run_options: RunOptions
) -> JobResult:
    """Track one source and write its outputs; they get their names when all are whole.

    Args:
        job: source and outputs.
        model: what looks at it.
        sha256: of the model, by which a later run knows it again.
        options: how it is tracked.
        run_options: how the run goes.

    Raises:
        InputError, VideoError: the source cannot be read.
        OutputError: an output cannot be written, or is there already.
        UsageError: an argument is wrong, or not that of the run that is to go on; or an output
            would replace the source.
    """
    part = StagedOutputs(
        job.folder,
        job.source.name,
        outputs=output_names(job.kinds, job.source.name, job.video_suffix),
        settings=_settings(job, sha256, options),
        overwrite=run_options.overwrite,
    )
    _check_apart(job.source, part)
    if part.is_done() and not run_options.overwrite:
        part.sweep()
        return JobResult(job.source, part.outputs, skipped=True)
    with part.owned(resume=run_options.resume) as goes_on:
        if goes_on and part.is_finished:
            part.publish()
            return JobResult(job.source, part.outputs, skipped=True)
        runner = JobRunner(job, part, run_options)
        try:
            with open_video(job.source.opened_as(), frame_rate=job.frame_rate) as reader:
                runner.run(reader, model, options, goes_on=goes_on)
        except BaseException:
            if not runner.frames and not goes_on:
                part.discard()
            raise
    return JobResult(
        job.source,
        part.outputs,
        frames=runner.frames,
        seconds=runner.seconds,
        sightings=list(runner.summary.sightings.values()),
        names=runner.names,
        stopped=runner.stopped,
    )


def _check_apart(source: Source, part: StagedOutputs) -> None:
    """Refuse to replace the source itself, whatever may be overwritten."""
    place = Path(source.place)
    for path in part.outputs:
        if place.exists() and path.exists() and path.samefile(place):
            raise UsageError(
                "the output would replace its source",
                where=str(path),
                done="Nothing was changed.",
                remedy="Choose another name or folder.",
            )


def _settings(job: Job, sha256: str, options: TrackOptions) -> dict[str, Any]:
    source = {"source": job.source.facts(), "model": sha256}
    outputs = {"save": list(job.kinds), "video_suffix": job.video_suffix, "vis": __version__}
    # only where it is stated: runs of before the option can be gone on with
    rate = {} if job.frame_rate is None else {"frame_rate": job.frame_rate}
    return {**source, **options.plain(), **outputs, **rate}
