"""Batches of a data set by worker processes: a function of seed and step, for any workers.

Sample `(step * world + rank) * size + place` of the training is the same whoever makes it: so a
run continues at any step, and as many ranks with as much smaller batches see the same samples.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing import set_sharing_strategy
from torch.utils.data import DataLoader, Dataset, get_worker_info

from vis.datasets.order import item_of, random_of
from vis.datasets.packed_batch import PackedBatch, pack, unpack
from vis.datasets.unreadable import UnreadableSamples
from vis.errors import DataError, UsageError, VisError
from vis.records import Clip, ClipTargets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

    from torch import Tensor

    from vis.datasets.sample import ClipSource

PATIENCE = 120.0
"""Seconds that a batch may take before its workers count as hung."""
_POLL = 1.0
"""Seconds between two looks at whether the workers live."""
_NO_ITEM = -1


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step of the training sees."""

    step: int
    clip: Clip
    """Its frames are bytes, as they come from the files: who looks at them makes fractions of them,
    where they are looked at."""
    targets: list[ClipTargets]
    names: list[str]
    """Video and frames of each clip, for messages."""
    lost: list[str]
    """What could not be read and has been replaced."""
    wait: float
    """Seconds that the step waited for this batch."""


def batches(
    source: ClipSource,
    *,
    size: int,
    seed: int,
    stop: int,
    start: int = 0,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
    patience: float = PATIENCE,
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop - 1`.

    Args:
        source: of the clips; with workers it must be picklable.
        size: clips in a batch of one rank.
        seed: of everything random; 0 or more.
        stop: the step after the last.
        start: the first step: 0, or where a run continues.
        workers: processes that make batches ahead; 0 makes them here, when asked for.
        rank: which of the processes that train together this is.
        world: how many there are.
        patience: seconds that a batch of the workers may take.

    Raises:
        UsageError: a number is out of its range.
        VisError: of a sample, as the source raised it; or too many could not be read; or a worker
            died or hangs, with the items that were in work.
    """
    if not (size >= 1 and 0 <= seed < 1 << 63 and workers >= 0 and 0 <= rank < world):
        raise UsageError(
            f"size {size}, seed {seed}, workers {workers}, rank {rank} of {world}",
            remedy="Sizes are 1 or more, seeds and workers 0 or more, ranks below their number.",
        )
    in_work = torch.full((max(1, workers),), _NO_ITEM, dtype=torch.int64)
    # written by the workers and read here without a lock: one word each, and only for a message
    in_work.share_memory_()  # type: ignore[no-untyped-call]
    steps = _Steps(source, size, seed, rank, world, in_work)
    return _batches(_loader(steps, range(start, stop), workers), steps, patience)


@dataclass(frozen=True, eq=False)
class _Steps(Dataset[PackedBatch | Exception]):
    """Step -> its batch, or the error that kept it from being made."""

    source: ClipSource
    size: int
    seed: int
    rank: int
    world: int
    in_work: Tensor
    """Each worker's item, shared between processes, so that one that dies is known by it."""

    def __getitem__(self, step: int) -> PackedBatch | Exception:
        # errors travel as values: torch would turn them into the text of their traceback, and
        # all that it raises itself would look the same
        try:
            return self._packed(step)
        except VisError as error:
            return error
        except Exception:
            if get_worker_info() is None:
                raise
            # as text, which can always be sent
            return RuntimeError(f"in a worker of the data:\n{traceback.format_exc()}")

    def _packed(self, step: int) -> PackedBatch:
        worker = get_worker_info()
        place = 0 if worker is None else worker.id
        samples = []
        first = (step * self.world + self.rank) * self.size
        for number in range(first, first + self.size):
            item = item_of(self.seed, number, len(self.source))
            self.in_work[place] = item
            samples.append(self.source.sample(item, random_of(self.seed, number)))
        packed = pack(step, samples)
        self.in_work[place] = _NO_ITEM
        return packed


def _loader(steps: _Steps, numbers: range, workers: int) -> DataLoader[PackedBatch | Exception]:
    return DataLoader(
        steps,
        # a step is one item: the worker makes the whole batch, and sends it in few tensors
        batch_size=None,
        sampler=numbers,
        collate_fn=_as_it_is,
        num_workers=workers,
        # short, so that a dead worker is seen within a second; patience is counted here
        timeout=_POLL if workers else 0,
        multiprocessing_context=_processes() if workers else None,
        worker_init_fn=_begin_work,
        # torch draws a seed for its workers; not from the one that dropout draws from
        generator=torch.Generator(),
    )


def _processes() -> str:
    """A fork of this process could inherit locked threads; a fork of a bare server cannot."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    return "forkserver"


def _begin_work(worker: int) -> None:
    del worker
    # Ctrl-C reaches every process; the first one decides what becomes of the work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # named memory needs no answer of the worker to be fetched: one that hangs cannot give it
    set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed can tell nobody; its workers must not outlive it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _as_it_is(value: Any) -> Any:
    return value


def _batches(
    loader: DataLoader[PackedBatch | Exception], steps: _Steps, patience: float
) -> Iterator[Batch]:
    prepared, workers = _started(loader)
    unreadable = UnreadableSamples(len(steps.source))
    for _ in range(len(loader)):
        start_time = time.monotonic()
        packed = _next(prepared, workers, steps, start_time + patience)
        if isinstance(packed, Exception):
            raise packed
        unreadable.add(packed.lost)
        yield Batch(
            step=packed.step,
            clip=Clip(packed.frames, packed.sizes),
            targets=unpack(packed),
            names=packed.names,
            lost=packed.lost,
            wait=time.monotonic() - start_time,
        )


def _started(
    loader: DataLoader[PackedBatch | Exception],
) -> tuple[Iterator[PackedBatch | Exception], list[BaseProcess]]:
    """The loader at work, and its workers, which it does not tell itself."""
    before = set(multiprocessing.active_children())
    prepared = iter(loader)
    return prepared, [one for one in multiprocessing.active_children() if one not in before]


def _next(
    prepared: Iterator[PackedBatch | Exception],
    workers: list[BaseProcess],
    steps: _Steps,
    deadline: float,
) -> PackedBatch | Exception:
    while True:
        start_time = time.monotonic()
        try:
            return next(prepared)
        except RuntimeError as error:
            # torch has one kind of error for all; what a worker itself raised is none of them
            if not workers:
                raise
            exit_codes = [one.exitcode for one in workers if not one.is_alive()]
            if exit_codes:
                raise _lost(
                    f"a worker exited unexpectedly (exit code {exit_codes[0]})", steps
                ) from None
            if time.monotonic() - start_time < _POLL / 2:
                # no look ends so soon: what came could not be taken over from the shared memory
                raise _lost(str(error).splitlines()[0], steps) from error
            if time.monotonic() >= deadline:
                raise _lost("no batch came in time; a worker hangs or is too slow", steps) from None
            # a look in vain: all live, and the iterator can be asked again


def _lost(what: str, steps: _Steps) -> DataError:
    """Why a batch did not come, with what the workers were at."""
    items = [item for item in steps.in_work.tolist() if item != _NO_ITEM]
    return DataError(
        what,
        where="in work: " + ("; ".join(map(steps.source.where, items)) or "nothing"),
        remedy="Look at these files; if the machine ran out of memory or of /dev/shm, take fewer "
        "workers or smaller batches.",
    )
