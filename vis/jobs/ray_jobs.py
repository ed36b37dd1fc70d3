"""Sources shared among the workers of a Ray cluster, each of which loads the model once."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis import errors
from vis.errors import DeviceError, VisError, VisWarning
from vis.inference.resolved_options import opened
from vis.jobs.job import Outcome
from vis.jobs.many import track_all
from vis.outputs.summary import Sighting

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from vis.jobs.job import Choices, Manner, Wanted


def track_on_ray(
    wanted: Sequence[Wanted],
    model: str | os.PathLike[str] | None = None,
    *,
    choices: Choices,
    manner: Manner,
) -> Iterator[Outcome]:
    """Track each source by Ray Data; what became of it, in the order in which they end.

    There is a worker for each GPU of the cluster, or without any for each processor. All machines
    must see sources, outputs and weights under the same names. The cluster is the one that
    `RAY_ADDRESS` names; without it, one is made on this machine.

    Args:
        wanted: as `track_all` takes them.
        model: a weight file or the name of one.
        choices: how they are tracked.
        manner: how each run goes; there is no screen and no bar.

    Raises:
        InputError, DataError, UsageError: the model cannot be had.
        DeviceError: Ray is not installed, or its workers die.
    """
    ray = _ray()
    opened(model)  # what is wrong with it is told here, not by each worker
    if not wanted:
        return
    if not ray.is_initialized():
        ray.init()
    ray.data.DataContext.get_current().enable_progress_bars = False
    there = ray.cluster_resources()
    gpus = int(there.get("GPU", 0))
    workers = max(1, min(len(wanted), gpus or int(there.get("CPU", 1))))
    silent = replace(manner, screen=None, progress=False)
    items = [{"number": number} for number in range(len(wanted))]
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _Worker,
        fn_constructor_args=([_absolute(one) for one in wanted], _where(model), choices, silent),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=None if gpus else 1,
        num_gpus=1 if gpus else None,
    )
    try:
        for row in rows.iter_rows():
            yield _heard(wanted[row["number"]], json.loads(row["told"]))
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
        self, wanted: Sequence[Wanted], model: str | None, choices: Choices, manner: Manner
    ) -> None:
        self._wanted, self._model, self._choices = wanted, opened(model), choices
        self._manner = manner

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        one = self._wanted[row["number"]]
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", VisWarning)
            done = track_all([one], self._model, choices=self._choices, manner=self._manner)
            told = _told(next(done))
        said = [warning.message for warning in seen]
        told["warnings"] = [
            [type(what).__name__, str(what)] for what in said if isinstance(what, VisWarning)
        ]
        return {"number": row["number"], "told": json.dumps(told)}


def _told(outcome: Outcome) -> dict[str, Any]:
    """As JSON can hold it."""
    error = outcome.error
    return {
        "outputs": [str(path) for path in outcome.outputs],
        "frames": outcome.frames,
        "seconds": outcome.seconds,
        "sightings": [asdict(one) for one in outcome.sightings],
        "names": sorted(outcome.names.items()),
        "skipped": outcome.skipped,
        "error": error
        and [type(error).__name__, error.what, error.where, error.done, error.remedy],
    }


def _heard(wanted: Wanted, told: dict[str, Any]) -> Outcome:
    """What `_told` told; its warnings are warned of here."""
    for kind, text in told["warnings"]:
        warnings.warn(getattr(errors, kind)(text), stacklevel=3)
    error: VisError | None = None
    if told["error"]:
        kind, what, where, done, remedy = told["error"]
        error = getattr(errors, kind)(what, where=where, done=done, remedy=remedy)
    return Outcome(
        wanted.source,
        [Path(path) for path in told["outputs"]],
        frames=told["frames"],
        seconds=told["seconds"],
        sightings=[Sighting(**one) for one in told["sightings"]],
        names=dict(told["names"]),
        skipped=told["skipped"],
        error=error,
    )


def _absolute(wanted: Wanted) -> Wanted:
    """The same, for a process in another folder."""
    source = wanted.source
    place = Path(source.place)
    if place.exists() and not place.is_char_device():
        source = replace(source, place=str(place.absolute()))
    return replace(wanted, source=source, folder=wanted.folder.absolute())


def _where(model: str | os.PathLike[str] | None) -> str | None:
    if model is None:
        return None
    path = Path(model)
    return str(path.absolute()) if path.exists() else str(model)
