"""What a run is told: typed settings with their defaults; nothing here needs torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from vis.errors import UsageError
from vis.training.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How parameters change; the defaults are VisTR's."""

    kind: Literal["adamw", "sgd"] = "adamw"
    rate: float = 1e-4
    """Learning rate before the schedule."""
    backbone_rate: float = 1e-5
    """The backbone's; at 0 it stays as it is."""
    decay: float = 1e-4
    """Weight decay."""
    decay_norms: bool = True
    """Whether scales, shifts and biases decay too."""
    momentum: float = 0.9
    """Of sgd."""
    clip: float = 0.1
    """The gradient's norm is brought down to it; 0 for never."""
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        """Refuse numbers that no optimiser takes."""
        for name in ("rate", "backbone_rate", "decay", "momentum", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(
                    f"optimisation.{name} is {getattr(self, name)}, below 0 or no number"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The course of a run."""

    steps: int = 1000
    """Changes of the parameters."""
    batch: int = 1
    """Clips that one process looks at at once."""
    accumulate: int = 1
    """Batches whose gradients make one step."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of what `forward` computes; parameters and losses stay fp32."""
    recompute: bool = False
    """Compute layers again on the way back instead of keeping them: less memory, slower."""
    average: float = 0.0
    """Decay of a moving average of the parameters, such as 0.999; 0 for none."""
    non_finite: Literal["stop", "skip"] = "stop"
    """At a loss or gradient that is not finite: stop, or leave the step out."""
    seed: int = 42
    """All randomness is a function of it, the step and the process."""
    workers: int = 2
    """Processes that prepare clips, for each training process."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    save_every: int = 500
    """Steps from one checkpoint to the next."""
    keep: int = 3
    """Checkpoints that stay; the one of the lowest loss stays too."""
    log_every: int = 10
    """Steps from one line of the log to the next."""
    tensorboard: bool = False
    """Write the log for TensorBoard too, and what the model sees at every checkpoint."""

    def __post_init__(self) -> None:
        """Refuse numbers that no run can have."""
        for name in ("steps", "batch", "accumulate", "save_every", "keep", "log_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"training.{name} is {getattr(self, name)}, not at least 1")
        if self.workers < 0 or not 0 <= self.average < 1:
            raise UsageError("training.workers must be at least 0, training.average within 0..1")
