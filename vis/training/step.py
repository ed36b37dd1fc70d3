"""One step: batches in, losses and gradients, parameters changed or, told why, left as they are."""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn.utils import clip_grad_norm_

from vis.records import Clip, ClipTargets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from vis.models import Model
    from vis.training.config import Optimisation, Training
    from vis.training.ranks import Ranks
    from vis.training.state import State

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Batch(Protocol):
    """What a step looks at once, such as `vis.datasets.loader.Batch`."""

    @property
    def clip(self) -> Clip:
        """The clips, on the CPU."""

    @property
    def targets(self) -> Sequence[ClipTargets]:
        """The truth of each."""

    @property
    def names(self) -> Sequence[str]:
        """Video and frames of each, for messages."""

    @property
    def lost(self) -> Sequence[str]:
        """What could not be read and has been replaced."""


@dataclass(slots=True)
class Report:
    """What one step did."""

    terms: dict[str, float] = field(default_factory=dict)
    """Losses, the mean over the batches of this process."""
    names: list[str] = field(default_factory=list)
    """Of the clips that this process saw."""
    lost: int = 0
    """Clips that could not be read and were replaced."""
    shape: tuple[int, ...] = ()
    """Of the last batch's frames."""
    norm: float = 0.0
    """Of the gradient, before it was clipped."""
    wait: float = 0.0
    """Seconds that went by waiting for data."""
    bad: str = ""
    """Why the parameters were left as they are; "" where they were not."""


def take_step(
    state: State,
    network: nn.Module,
    batches: Iterator[Batch],
    report: Report,
    *,
    training: Training,
    optimisation: Optimisation,
    ranks: Ranks,
) -> None:
    """Learn from `training.accumulate` batches; a gradient that is not finite changes nothing.

    Args:
        state: what learns.
        network: the model, or its wrapper that exchanges gradients.
        batches: of this process, in their order.
        report: is filled on the way, so that it tells of a step that an error ended, too.
        training: settings.
        optimisation: settings.
        ranks: the processes that take the step together.
    """
    state.optimiser.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for turn in range(training.accumulate):
        begun = time.perf_counter()
        batch = next(batches)
        report.wait += time.perf_counter() - begun
        report.names += batch.names
        report.lost += len(batch.lost)
        report.shape = tuple(batch.clip.frames.shape)
        torch.manual_seed(_seed(training.seed, state.step, turn, ranks.rank))
        last = turn == training.accumulate - 1
        with nullcontext() if last else _unsynchronised(network):
            terms = _losses(state.model, network, batch, training=training, device=ranks.device)
            total = torch.stack(list(terms.values())).sum() / training.accumulate
            state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        for name, value in terms.items():
            share = value.detach() / training.accumulate
            sums[name] = sums[name] + share if name in sums else share
    _change(state, report, sums, clip=optimisation.clip, ranks=ranks)


def _losses(
    model: Model[Any], network: nn.Module, batch: Batch, *, training: Training, device: torch.device
) -> dict[str, Tensor]:
    clip = Clip(batch.clip.frames.to(device), batch.clip.sizes.to(device))
    targets = [_moved(target, device) for target in batch.targets]
    dtype = DTYPES.get(training.precision)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        output = network(clip)
    return model.losses(output, targets)


def _moved(target: ClipTargets, device: torch.device) -> ClipTargets:
    values = {field.name: getattr(target, field.name) for field in fields(target)}
    moved: dict[str, Any] = {name: x if x is None else x.to(device) for name, x in values.items()}
    return ClipTargets(**moved)


def _change(
    state: State, report: Report, sums: dict[str, Tensor], *, clip: float, ranks: Ranks
) -> None:
    state.scaler.unscale_(state.optimiser)
    parameters = [p for group in state.optimiser.param_groups for p in group["params"]]
    norm = clip_grad_norm_(parameters, clip or math.inf)
    numbers = torch.stack([norm.float(), *(value.float() for value in sums.values())]).tolist()
    report.norm, *values = numbers
    report.terms = dict(zip(sums, values, strict=True))
    wrong = [name for name, value in report.terms.items() if not math.isfinite(value)]
    # fp16 finds the scale of its loss by trying: there, an infinite gradient is no fault
    faulty = bool(wrong) or not (state.scaler.is_enabled() or math.isfinite(report.norm))
    if ranks.any(faulty):
        report.bad = f"the loss {', '.join(wrong)}" if wrong else "the gradient"
        state.optimiser.zero_grad(set_to_none=True)
        return
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)


def _unsynchronised(network: nn.Module) -> AbstractContextManager[None]:
    """Gradients are exchanged once a step, with its last batch."""
    if isinstance(network, torch.nn.parallel.DistributedDataParallel):
        return network.no_sync()
    return nullcontext()


def _seed(*numbers: int) -> int:
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return int.from_bytes(digest[:7], "big")
