"""Learning rates as pure functions of the step: resuming a run is asking for a later step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# jsonargparse reads the annotations, and checks ranges where it knows the path
from vis.datasets.ranges import (  # noqa: TC001
    ClosedUnitInterval,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from vis.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What the learning rates are multiplied with in the course of a run."""

    kind: Literal["constant", "step", "cosine", "poly"] = "constant"
    """How the factor falls from 1: not at all, at `drops`, along half a cosine, as a power."""
    drops: tuple[PositiveInt, ...] = ()
    """Steps at which the factor is multiplied by `drop` (step)."""
    drop: ClosedUnitInterval = 0.1
    power: PositiveFloat = 0.9
    """Of the share of the run that is left (poly)."""
    floor: ClosedUnitInterval = 0.0
    """The factor at the end (cosine, poly)."""
    warmup: NonNegativeInt = 0
    """Steps over which the factor rises to 1, whatever the kind."""
    warmup_from: ClosedUnitInterval = 0.01
    """The factor of the first step of the warm-up."""
    warmup_kind: Literal["linear", "constant"] = "linear"
    """Whether the factor rises in a line, or stays and jumps to 1 after the last step."""

    def __post_init__(self) -> None:
        """Refuse steps that are no schedule."""
        if self.kind == "step" and not self.drops:
            raise UsageError("schedule.kind is step, but schedule.drops names no step")
        if list(self.drops) != sorted(set(self.drops)):
            raise UsageError(f"schedule.drops {self.drops} are not rising steps")


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """What the rates of `step` (0 is the first) are multiplied with in a run of `steps` steps."""
    assert 0 <= step < steps
    rising = 1.0
    if step < schedule.warmup:
        share = step / schedule.warmup if schedule.warmup_kind == "linear" else 0.0
        rising = schedule.warmup_from + (1 - schedule.warmup_from) * share
    return rising * _falling(schedule, step, steps)


def _falling(schedule: Schedule, step: int, steps: int) -> float:
    if schedule.kind == "constant":
        return 1.0
    if schedule.kind == "step":
        return float(schedule.drop ** sum(step >= drop for drop in schedule.drops))
    # the fall begins where the rise ends, also in a run shorter than its warm-up
    begin = min(schedule.warmup, steps - 1)
    done = max(0, step - begin) / max(1, steps - begin)
    if schedule.kind == "cosine":
        left = (1 + math.cos(math.pi * done)) / 2
    else:
        left = (1 - done) ** schedule.power
    return schedule.floor + (1 - schedule.floor) * left
