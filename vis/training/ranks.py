"""The processes that train together; `torchrun` starts them and tells each its number."""

from __future__ import annotations

import datetime
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

from vis.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

PATIENCE = datetime.timedelta(minutes=10)
"""How long a process waits for the others; the first saves meanwhile."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all; alone, every question is answered without talking."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.world == 1:
            return flag
        told = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return bool(told.item())

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each number over the processes."""
        if self.world == 1:
            return values
        told = values.clone()
        distributed.all_reduce(told)
        return told / self.world

    def agree(self, what: str, text: str) -> None:
        """Make sure that all processes were told the same.

        Raises:
            UsageError: they were not.
        """
        if self.world == 1:
            return
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        least, most = (torch.tensor(number, device=self.device) for _ in range(2))
        distributed.all_reduce(least, distributed.ReduceOp.MIN)
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        if least.item() != most.item():
            raise UsageError(
                f"the training processes have different {what}", where=f"rank {self.rank}"
            )


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that `torchrun` started, or alone.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:1`.

    Raises:
        DeviceError: there is no such device.
    """
    world, local = (int(os.environ.get(name, default)) for name, default in _TOLD)
    place = device_of(device, local)
    if world == 1:
        yield Ranks(0, 1, place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    backend = "nccl" if place.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), world, place)
    finally:
        distributed.destroy_process_group()


_TOLD = (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


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
