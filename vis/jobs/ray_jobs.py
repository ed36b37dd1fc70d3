"""Sources shared among the workers of a Ray cluster, each of which loads the model once."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis import errors
from vis.errors import DeviceError, VisError, VisWarning
from vis.inference.model_classes import load_model
from vis.jobs.job import JobResult
from vis.jobs.many import track_all
from vis.outputs.summary import Sighting

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from vis.inference.options import TrackOptions
    from vis.jobs.job import Job, RunOptions


def track_on_ray(
    jobs: Sequence[Job],
    model: str | os.PathLike[str] | None = None,
    *,
    options: TrackOptions,
    run_options: RunOptions,
) -> Iterator[JobResult]:
    """Track each source by Ray Data; what became of it, in the order in which they end.

    There is a worker for each GPU of the cluster, or without any for each processor. All machines
    must see sources, outputs and weights under the same names. The cluster is the one that
    `RAY_ADDRESS` names; without it, one is made on this machine.

    Args:
        jobs: as `track_all` takes them.
        model: a weight file or the name of one.
        options: how they are tracked.
        run_options: how each run goes; there is no screen and no bar.

    Raises:
        InputError, DataError, UsageError: the model cannot be had.
        DeviceError: Ray is not installed, or its workers die.
    """
    ray = _ray()
    load_model(model)  # what is wrong with it is raised here, not by each worker
    if not jobs:
        return
    if not ray.is_initialized():
        ray.init()
    ray.data.DataContext.get_current().enable_progress_bars = False
    there = ray.cluster_resources()
    gpus = int(there.get("GPU", 0))
    workers = max(1, min(len(jobs), gpus or int(there.get("CPU", 1))))
    silent = replace(run_options, preview=None, progress=False)
    items = [{"number": number} for number in range(len(jobs))]
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _Worker,
        fn_constructor_args=([_absolute(one) for one in jobs], _where(model), options, silent),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=None if gpus else 1,
        num_gpus=1 if gpus else None,
    )
    try:
        for row in rows.iter_rows():
            yield _from_plain(jobs[row["number"]], json.loads(row["result"]))
    except ray.exceptions.RayError as error:
        raise DeviceError(
            f"the work on Ray stopped ({str(error).strip().splitlines()[-1]:.200})",
            done="What was done is kept.",
            remedy="Go on with the same command and --resume.",
        ) from error


def _ray() -> Any:
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError:
        raise DeviceError(
            "Ray is not installed here", remedy="Install it: pip install 'vis-kit[ray]'."
        ) from None
    return ray


class _Worker:
    """A process that tracks one source after the other."""

    def __init__(
        self, jobs: Sequence[Job], model: str | None, options: TrackOptions, run_options: RunOptions
    ) -> None:
        self._jobs, self._model = jobs, load_model(model)
        self._options, self._run_options = options, run_options

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        job = self._jobs[row["number"]]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", VisWarning)
            results = track_all(
                [job], self._model, options=self._options, run_options=self._run_options
            )
            fields = _to_plain(next(results))
        messages = [warning.message for warning in caught]
        fields["warnings"] = [
            [type(one).__name__, str(one)] for one in messages if isinstance(one, VisWarning)
        ]
        return {"number": row["number"], "result": json.dumps(fields)}


def _to_plain(job_result: JobResult) -> dict[str, Any]:
    """As JSON can hold it."""
    error = job_result.error
    return {
        "outputs": [str(path) for path in job_result.outputs],
        "frames": job_result.frames,
        "seconds": job_result.seconds,
        "sightings": [asdict(one) for one in job_result.sightings],
        "names": sorted(job_result.names.items()),
        "skipped": job_result.skipped,
        "error": error
        and [type(error).__name__, error.what, error.where, error.done, error.remedy],
    }


def _from_plain(job: Job, fields: dict[str, Any]) -> JobResult:
    """The inverse of `_to_plain`; its warnings are raised here."""
    for kind, text in fields["warnings"]:
        warnings.warn(getattr(errors, kind)(text), stacklevel=3)
    error: VisError | None = None
    if fields["error"]:
        kind, what, where, done, remedy = fields["error"]
        error = getattr(errors, kind)(what, where=where, done=done, remedy=remedy)
    return JobResult(
        job.source,
        [Path(path) for path in fields["outputs"]],
        frames=fields["frames"],
        seconds=fields["seconds"],
        sightings=[Sighting(**one) for one in fields["sightings"]],
        names=dict(fields["names"]),
        skipped=fields["skipped"],
        error=error,
    )


def _absolute(job: Job) -> Job:
    """The same, for a process in another folder."""
    source = job.source
    place = Path(source.place)
    if place.exists() and not place.is_char_device():
        source = replace(source, place=str(place.absolute()))
    return replace(job, source=source, folder=job.folder.absolute())


def _where(model: str | os.PathLike[str] | None) -> str | None:
    if model is None:
        return None
    path = Path(model)
    return str(path.absolute()) if path.exists() else str(model)
