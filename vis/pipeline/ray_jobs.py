"""Sources shared among the workers of a Ray cluster, each of which loads the model once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DeviceError
from vis.pipeline.runs import track_all

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from vis.pipeline.run import Choices, Manner, Outcome, Wanted


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
        manner: how each run goes; there is no screen and no progress bar.

    Raises:
        DeviceError: Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise DeviceError(
            "Ray is not installed here", remedy="Install it: pip install 'vis-kit[ray]'."
        ) from None
    if not ray.is_initialized():
        ray.init()
    there = ray.cluster_resources()
    gpus = int(there.get("GPU", 0))
    workers = max(1, min(len(wanted), gpus or int(there.get("CPU", 1))))
    items = [{"wanted": _absolute(one)} for one in wanted]
    silent = replace(manner, screen=None, progress=False)
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _Worker,
        fn_constructor_args=(_where(model), choices, silent),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=None if gpus else 1,
        num_gpus=1 if gpus else None,
    )
    for row in rows.iter_rows():
        yield row["outcome"]


class _Worker:
    """A process that tracks one source after the other."""

    def __init__(self, model: str | None, choices: Choices, manner: Manner) -> None:
        from vis.pipeline.plan import opened

        self._model, self._choices, self._manner = opened(model), choices, manner

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        done = track_all([row["wanted"]], self._model, choices=self._choices, manner=self._manner)
        return {"outcome": next(done)}


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
