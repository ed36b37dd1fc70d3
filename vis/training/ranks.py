"""The processes that train together; `torchrun` starts them and tells each its number."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from vis.errors import DeviceError, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(minutes=3)
"""How long a process waits for the others within a step; longer than the loader for its workers,
who can say what they hang at."""
LONG = timedelta(days=1)
"""How long it waits where one of them saves, or has the longest videos to evaluate."""
RESTARTS = "TORCHELASTIC_RESTART_COUNT"
"""Where torchrun says how often it has started all again."""
_ROLL_CALL = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all; alone, every question is answered without talking."""

    rank: int
    world: int
    device: torch.device
    gloo_group: distributed.ProcessGroup | None = None
    """Of all processes, on their CPUs, for what may take long; None alone."""
    store: Store | None = None
    """What works still when the processes no longer hear each other; None alone."""

    @property
    def first(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.world == 1:
            return flag
        any_set = torch.tensor(float(flag), device=self.device)
        # on the device of the run: nccl moves nothing that lies on the CPU
        distributed.all_reduce(any_set, distributed.ReduceOp.MAX)
        return bool(any_set.item())

    def barrier(self, _place: str = "") -> None:
        """Wait, long if need be, until all processes have come here."""
        if self.world > 1:
            distributed.barrier(self.gloo_group)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What one process cannot write within, all raise, however long the others had to wait.

        Raises:
            OutputError: the own one, or one that says that another process has one.
        """
        failed: OutputError | None = None
        try:
            yield
        except OutputError as error:
            failed = error
        # over gloo, with a day's patience: one process may write long while the others wait
        flag = torch.tensor(float(failed is not None))
        if self.world > 1:
            distributed.all_reduce(flag, distributed.ReduceOp.MAX, group=self.gloo_group)
        if failed is not None:
            raise failed
        if flag:
            raise OutputError("another process could not write", where=f"rank {self.rank}")

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a number over the processes."""
        if self.world == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each number over the processes."""
        return values if self.world == 1 else self.sum(values) / self.world

    @contextmanager
    def lost_rank_errors(self, step: Callable[[], int]) -> Iterator[None]:
        """Within, a process that is lost or hangs becomes an error that names it.

        Args:
            step: what the run has come to.

        Raises:
            DeviceError: the others cannot be reached.
        """
        try:
            yield
        except RuntimeError as error:
            if self.world == 1 or not _is_communication_error(error):
                raise
            raise DeviceError(
                f"{self._missing()} does not answer",
                where=f"rank {self.rank} on {socket.gethostname()}, after step {step()}",
                done="The last checkpoint is whole.",
                remedy="Look for its own message above, then go on with --resume.",
            ) from error

    def _missing(self) -> str:
        """Who does not come to a roll call, with host and process."""
        assert self.store is not None
        self.store.set(f"here-{self.rank}", "")
        until = time.monotonic() + _ROLL_CALL.total_seconds()
        others = [rank for rank in range(self.world) if rank != self.rank]
        lost = [rank for rank in others if not _written(self.store, f"here-{rank}", until)]
        with suppress(RuntimeError):  # the store goes with the first process: it leaves last
            names = [self.store.get(f"who-{rank}").decode() for rank in lost]
            self.store.set(f"done-{self.rank}", "")
            if self.first:
                for rank in set(others) - set(lost):
                    _written(self.store, f"done-{rank}", until)
            return ", ".join(names) or "another training process"
        return "rank 0"

    def agree(self, what: str, text: str) -> None:
        """Make sure that all processes have the same.

        Raises:
            UsageError: they were not.
        """
        if self.world == 1:
            return
        # 56 bits of the digest, which an int64 of the exchange holds without its sign
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        least, most = (torch.tensor(number, device=self.device) for _ in range(2))
        distributed.all_reduce(least, distributed.ReduceOp.MIN)
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        if least.item() != most.item():
            raise UsageError(
                f"the training processes have different {what}", where=f"rank {self.rank}"
            )


ALONE = Ranks(0, 1, torch.device("cpu"))


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that `torchrun` started, or alone.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:1`.

    Raises:
        DeviceError: there is no such device.
    """
    count, local = (int(os.environ.get(name, default)) for name, default in _ENVIRONMENT)
    place = device_of(device, local)
    if count == 1:
        yield Ranks(0, 1, place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    backend = "nccl" if place.type == "cuda" else "gloo"
    store, rank, world = next(rendezvous("env://"))
    # torchrun may keep its store when it starts all again, with the addresses of the lost ones
    store = PrefixStore(f"start-{os.environ.get(RESTARTS, '0')}", store)
    store.set(f"who-{rank}", f"rank {rank} (process {os.getpid()} on {socket.gethostname()})")
    distributed.init_process_group(
        backend, store=store, rank=rank, world_size=world, timeout=PATIENCE
    )
    # beside the group of the steps, whose patience of minutes would end a long save
    gloo_group = distributed.new_group(backend="gloo", timeout=LONG)
    assert isinstance(gloo_group, distributed.ProcessGroup)
    try:
        yield Ranks(rank, world, place, gloo_group, store)
    finally:
        distributed.destroy_process_group()


def _written(store: Store, key: str, until: float) -> bool:
    """Whether the key is there by then."""
    with suppress(RuntimeError):
        # asked again and again: a blocking wait would raise after the store's own timeout
        while not (there := store.check([key])) and time.monotonic() < until:
            time.sleep(0.05)
        return there
    return False


def _is_communication_error(error: RuntimeError) -> bool:
    """Gloo raises the plainest of errors."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower()


_ENVIRONMENT = (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


def device_of(name: str, local: int = 0) -> torch.device:
    """The device of this name; `auto` and `cuda` are the GPU of this process's number.

    Raises:
        DeviceError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"there is no device {name!r}", remedy="Take cpu or cuda.") from None
    if device.type == "cpu":
        return device
    if device.type != "cuda" or not torch.cuda.is_available():
        raise DeviceError(f"there is no device {name!r} here", remedy="Take training.device cpu.")
    device = torch.device("cuda", local if device.index is None else device.index)
    if torch.cuda.device_count() <= (device.index or 0):
        raise DeviceError(f"there are {torch.cuda.device_count()} GPUs here, no {device}")
    return device
