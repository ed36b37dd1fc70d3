"""The cheapest one-to-one assignments of many tables of costs, in one trip to the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.losses.matching import FORBIDDEN, cheapest

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
    device = costs[0].device
    # Each copy to the host halts the device, so all tables travel together.
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy().astype(np.float64)
    # A diverged model is reported through its loss; the assignment itself must not fail on it.
    flat = np.nan_to_num(flat, nan=FORBIDDEN, posinf=FORBIDDEN, neginf=-FORBIDDEN)
    parts = np.split(flat, np.cumsum([cost.numel() for cost in costs])[:-1])
    pairs = [
        np.stack(cheapest(part.reshape(cost.shape)))
        for part, cost in zip(parts, costs, strict=True)
    ]
    together = torch.from_numpy(np.concatenate(pairs, axis=1)).to(device)
    return [Matched(*x) for x in torch.split(together, [x.shape[1] for x in pairs], dim=1)]
