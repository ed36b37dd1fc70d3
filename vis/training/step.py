"""One step: batches in, losses and gradients, parameters changed or, for a reason, left alone."""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.distributed.fsdp import FSDPModule

from vis.datasets.collate import as_fractions
from vis.ops.transfer import to_device
from vis.records import Clip, ClipTargets
from vis.training.optimise import clip_gradients
from vis.training.sharding import local

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from vis.training.config import Optimisation, Training
    from vis.training.ranks import Ranks
    from vis.training.state import State


class Batch(Protocol):
    """What a step looks at once, such as `vis.datasets.loader.Batch`."""

    @property
    def clip(self) -> Clip:
        """The clips, on the CPU; their frames may be bytes still."""

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
    changing: bool = False
    """Whether the parameters began to change."""
    bad: str = ""
    """Why the parameters were left as they are; "" where they were not."""


class ReplayedBatches:
    """The batches of one step, which may be taken again from the first.

    Args:
        batches: of the run; a step takes some.
        keep: whether to hold them for another time.
    """

    def __init__(self, batches: Iterator[Batch], *, keep: bool) -> None:
        self._batches, self._keep = batches, keep
        self._replay: list[Batch] = []

    def again(self) -> Iterator[Batch]:
        """From the first on, as far as anybody asks."""
        yield from list(self._replay)
        for batch in self._batches:
            if self._keep:
                self._replay.append(batch)
            yield batch


def take_step(
    state: State,
    network: nn.Module,
    batches: Iterator[Batch],
    report: Report,
    *,
    training: Training,
    optimisation: Optimisation,
    ranks: Ranks,
    microbatches: int = 1,
) -> None:
    """Learn from `training.grad_accum_steps` batches; one gradient not finite changes nothing.

    Args:
        state: what learns.
        network: of clips and targets makes losses, as a `LossModule` or its wrapper that exchanges
            gradients.
        batches: of this process, in their order.
        report: is filled on the way, so that it tells of a step that an error ended, too.
        training: settings.
        optimisation: settings.
        ranks: the processes that take the step together.
        microbatches: pieces in which each batch is looked at, one after the other.
    """
    state.optimiser.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for micro_step in range(training.grad_accum_steps):
        start_time = time.perf_counter()
        batch = next(batches)
        report.wait += time.perf_counter() - start_time
        report.names += batch.names
        report.lost += len(batch.lost)
        report.shape = tuple(batch.clip.frames.shape)
        pieces = _cut(batch, microbatches)
        for number, (clip, targets, share) in enumerate(pieces):
            # of dropout: a resumed run draws what it would have drawn
            torch.manual_seed(
                _seed(training.seed, state.step, micro_step * microbatches + number, ranks.rank)
            )
            last = (micro_step, number) == (training.grad_accum_steps - 1, len(pieces) - 1)
            with _synchronised(network, last):
                terms = network(*_moved(clip, targets, ranks.device))
                weight = share / training.grad_accum_steps
                total = torch.stack(list(terms.values())).sum() * weight
                state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
            for name, value in terms.items():
                weighted = value.detach() * weight
                sums[name] = sums[name] + weighted if name in sums else weighted
    _change(state, report, sums, max_grad_norm=optimisation.max_grad_norm, ranks=ranks)


def _cut(batch: Batch, pieces: int) -> list[tuple[Clip, Sequence[ClipTargets], float]]:
    """Pieces of nearly one size, each with its share of the clips."""
    clip, count = batch.clip, len(batch.targets)
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    return [
        (Clip(clip.frames[a:b], clip.sizes[a:b]), batch.targets[a:b], (b - a) / count)
        for a, b in itertools.pairwise(edges)
        if b > a
    ]


def _moved(
    clip: Clip, targets: Sequence[ClipTargets], device: torch.device
) -> tuple[Clip, list[ClipTargets]]:
    # bytes cross to the device, a quarter of what fractions would be
    there = Clip(as_fractions(to_device(clip.frames, device)), clip.sizes)
    return there, [_target_moved(target, device) for target in targets]


def _target_moved(target: ClipTargets, device: torch.device) -> ClipTargets:
    values = {field.name: getattr(target, field.name) for field in fields(target)}
    moved: dict[str, Any] = {
        name: x if x is None else to_device(x, device) for name, x in values.items()
    }
    return ClipTargets(**moved)


def _change(
    state: State, report: Report, sums: dict[str, Tensor], *, max_grad_norm: float, ranks: Ranks
) -> None:
    # clipping compares with a limit in true units, so the scale goes first
    state.scaler.unscale_(state.optimiser)
    parameters = [p for group in state.optimiser.param_groups for p in group["params"]]
    norm = clip_gradients(parameters, max_grad_norm, ranks)
    # one copy to the host for all numbers: each waits for the GPU to finish the step
    numbers = torch.stack([norm.float(), *(value.float() for value in sums.values())]).tolist()
    report.norm, *values = numbers
    report.terms = dict(zip(sums, values, strict=True))
    wrong = [name for name, value in report.terms.items() if not math.isfinite(value)]
    # fp16 finds the scale of its loss by trying: there, an infinite gradient is no fault
    faulty = bool(wrong) or not (state.scaler.is_enabled() or math.isfinite(report.norm))
    # all or none: a process that skips alone would have other parameters from here on
    if ranks.any(faulty):
        report.bad = f"the loss {', '.join(wrong)}" if wrong else _bad_gradient(state)
        state.optimiser.zero_grad(set_to_none=True)
        return
    report.changing = True
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.ema is not None:
        state.ema.update_parameters(state.model)


def _bad_gradient(state: State) -> str:
    """The first one that is not finite, in the order in which the model lists its parameters."""
    for name, parameter in state.model.named_parameters():
        if parameter.grad is not None and not local(parameter.grad).isfinite().all():
            return f"the gradient of {name}"
    return "the gradient"


def _synchronised(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Gradients are exchanged once a step, with its last batch."""
    if isinstance(network, FSDPModule):
        network.set_requires_gradient_sync(last)
    if isinstance(network, torch.nn.parallel.DistributedDataParallel) and not last:
        return network.no_sync()
    return nullcontext()


def _seed(*numbers: int) -> int:
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    # mixed, so that neighbouring steps draw unlike numbers; manual_seed takes 64 bits at most
    return int.from_bytes(digest[:7], "big")
