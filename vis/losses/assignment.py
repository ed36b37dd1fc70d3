"""The cheapest one-to-one assignments of many tables of costs, in one trip to the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.losses.matching import FORBIDDEN, Floats, Ints, cheapest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The queries of one layer and clip that show an instance, ascending."""

    queries: Tensor
    """`[P]`."""
    instances: Tensor
    """`[P]`."""


def assigned(costs: Sequence[Tensor]) -> list[Matched]:
    """Of each table `[Q N]`; of more instances than queries, the dearest stay without one."""
    return _sent([np.stack(cheapest(table)) for table in _fetched(costs)], costs[0].device)


def assigned_in_turn(
    clips: Sequence[Sequence[tuple[Tensor, Sequence[int]]]], *, device: torch.device
) -> list[Matched]:
    """Of each clip's tables, one after the other, among the queries that are still free.

    Args:
        clips: for each its tables `[Q N]` in their turn, with the instance of each column.
        device: of the result.
    """
    tables = iter(_fetched([cost for turns in clips for cost, _ in turns]))
    return _sent([_in_turn([(next(tables), rows) for _, rows in turns]) for turns in clips], device)


def _in_turn(turns: Sequence[tuple[Floats, Sequence[int]]]) -> Ints:
    """`[2 P]` queries, ascending, and instances of one clip."""
    pairs = np.zeros((2, 0), np.int64)
    for table, rows in turns:
        free = np.setdiff1d(np.arange(len(table)), pairs[0])
        queries, columns = cheapest(table[free])
        new = np.stack((free[queries], np.array(rows, np.int64)[columns]))
        pairs = np.concatenate((pairs, new), axis=1)
    return np.asarray(pairs[:, pairs[0].argsort()])


def _fetched(costs: Sequence[Tensor]) -> list[Floats]:
    """The tables on the host; without numbers that no assignment can be made of."""
    if not costs:
        return []
    # Each copy to the host halts the device, so all tables travel together.
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy().astype(np.float64)
    # A diverged model is reported through its loss; the assignment itself must not fail on it.
    flat = np.nan_to_num(flat, nan=FORBIDDEN, posinf=FORBIDDEN, neginf=-FORBIDDEN)
    parts = np.split(flat, np.cumsum([cost.numel() for cost in costs])[:-1])
    return [part.reshape(cost.shape) for part, cost in zip(parts, costs, strict=True)]


def _sent(pairs: Sequence[Ints], device: torch.device) -> list[Matched]:
    together = torch.from_numpy(np.concatenate(pairs, axis=1)).to(device)
    return [Matched(*x) for x in torch.split(together, [x.shape[1] for x in pairs], dim=1)]
