"""The loop: steps, a line now and then, checkpoints, and the ways to end early."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from vis.errors import DataError, DeviceError, OutputError, VisWarning
from vis.ops.transfer import tf32_products
from vis.training import checkpoint
from vis.training.log import GIB, Log, note_bad_batch
from vis.training.meter import Meter
from vis.training.optimise import set_rates
from vis.training.pictures import picture
from vis.training.schedules import factor
from vis.training.step import ReplayedBatches, Report, take_step
from vis.training.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from vis.records import Clip
    from vis.training.config import Optimisation, Training
    from vis.training.evaluator import Evaluator
    from vis.training.ranks import Ranks
    from vis.training.state import State
    from vis.training.step import Batch

    Feed = Callable[[int, int], Iterator[Batch]]

CHECKPOINTS = "checkpoints"
PATIENCE = 3
"""Steps left out, or failed saves, in a row that are too many."""


@dataclass(slots=True, kw_only=True, eq=False)
class Loop:
    """One run in one process. Called, it trains until `training.steps` or a signal."""

    state: State
    """What learns, on the device of `ranks`."""
    network: nn.Module
    """Its loss module, or the wrapper that exchanges gradients between processes."""
    feed: Feed
    """`feed(first, end)` gives the batches of these numbers; step s sees `grad_accum_steps` of
    them, from s * grad_accum_steps on."""
    folder: Path
    """Gets checkpoints, log and the list of bad batches."""
    training: Training
    optimisation: Optimisation
    ranks: Ranks
    evaluator: Evaluator | None = None
    """Asked every `training.evaluate_every` steps."""
    config_text: str = ""
    """The configuration as text, kept in every checkpoint."""
    _microbatches: int = field(default=1, init=False)
    _failed: int = field(default=0, init=False)
    _preview: Clip | None = field(default=None, init=False)

    def __call__(self) -> None:
        """Train.

        Raises:
            DataError: a loss or gradient is not finite, and that is not to be borne.
            DeviceError: the memory is used up; says what to lower.
            OutputError: the last checkpoint, or three in a row, could not be written.
        """
        state, training, meter = self.state, self.training, Meter(self.ranks)
        state.model.train()
        with (
            self._log() as log,
            stop_on_signals() as stop,
            self.ranks.lost_rank_errors(lambda: state.step),
            tf32_products(training.precision == "tf32"),
        ):
            batches = self.feed(
                *(n * training.grad_accum_steps for n in (state.step, training.steps))
            )
            while state.step < training.steps:
                report = self._step(batches)
                meter.add(report)
                self._judge(report, meter.bad)
                # a signal reaches the processes at different steps: all leave at the same one, or
                # they would wait for each other for ever
                leaving, last = self.ranks.any(bool(stop)), state.step == training.steps
                evaluating = not leaving and self._due(training.evaluate_every, last)
                if leaving or self._due(training.log_every, last):
                    log.write(meter.line(state))
                if leaving or evaluating or self._due(training.save_every, last):
                    # neither evaluation nor saving is counted as time of a step
                    start_time = time.perf_counter()
                    score = self._evaluate(log) if evaluating else None
                    self._show(log)
                    self._save(meter.score() if self.evaluator is None else score, leaving or last)
                    meter.leave_out(time.perf_counter() - start_time)
                if leaving:
                    break
            if stop:
                log.say(f"saved at step {state.step}; --resume {self.folder} goes on")

    def _due(self, every: int, last: bool) -> bool:
        return every > 0 and (last or self.state.step % every == 0)

    def _log(self) -> Log:
        return Log(
            self.folder if self.ranks.first else None,
            step=self.state.step,
            steps=self.training.steps,
            tensorboard=self.training.tensorboard,
        )

    def _step(self, batches: Iterator[Batch]) -> Report:
        state = self.state
        replayed = ReplayedBatches(batches, keep=self.training.on_oom == "microbatch")
        share = factor(self.optimisation.schedule, state.step, self.training.steps)
        # a function of the step alone, set anew: nothing of it is kept in a checkpoint
        set_rates(state.optimiser, share)
        while True:
            report = Report()
            try:
                with memory_errors(state.step, report, self.training):
                    take_step(
                        state,
                        self.network,
                        replayed.again(),
                        report,
                        training=self.training,
                        optimisation=self.optimisation,
                        ranks=self.ranks,
                        microbatches=self._microbatches,
                    )
            except DeviceError as error:
                if not self._halved(report):
                    raise
                # `continue` ends the `except`, and with it the traceback that holds the activations
                words = f"{error.what}: from now on, batches are cut into {self._microbatches}"
                warnings.warn(VisWarning(words), stacklevel=3)
                continue
            state.step += 1
            return report

    def _halved(self, report: Report) -> bool:
        """Whether fewer clips are looked at at once from now on, so that the step can be repeated.

        Processes that wait for each other's losses cannot repeat a step alone.
        """
        microbatches = min(2 * self._microbatches, self.training.batch)
        may_retry = self.training.on_oom == "microbatch" and self.ranks.world == 1
        # once the parameters began to change, a repeated step would change them twice
        if not may_retry or report.changing or microbatches == self._microbatches:
            return False
        self._microbatches = microbatches
        return True

    def _judge(self, report: Report, bad: int) -> None:
        """Note a step that was left out; stop as the settings say, or at too many in a row."""
        if not report.bad:
            return
        step, names = self.state.step, ", ".join(report.names)
        record = {"step": step, "rank": self.ranks.rank, "bad": report.bad, "names": report.names}
        note_bad_batch(self.folder, {**record, "terms": report.terms, "norm": report.norm})
        # a few in a row are bad luck of a batch; more are a model that has diverged
        if self.training.non_finite == "skip" and bad < PATIENCE:
            words = f"step {step}, {names}: {report.bad} is not finite. The step was left out."
            warnings.warn(VisWarning(words), stacklevel=3)
            return
        raise DataError(
            f"{report.bad} is not finite",
            where=f"step {step}, {names}",
            done=f"The batch is noted in {self.folder}; the last checkpoint is whole.",
            remedy="Lower optimisation.lr, add a warm-up, look at these videos, or take fp32.",
        )

    def _evaluate(self, log: Log) -> float | None:
        if self.evaluator is None:
            return None
        start_time = time.perf_counter()
        numbers = self.evaluator(self.state.whole(self.ranks.device))
        log.measured(self.state.step, numbers, time.perf_counter() - start_time)
        return self.evaluator.score(numbers)

    def _save(self, score: float | None, final: bool) -> None:
        """A full disk is borne for a while, but not at the end."""
        state = self.state
        try:
            checkpoint.save(
                self.folder / CHECKPOINTS,
                state.step,
                state.files(self.config_text),
                score=score,
                keep=self.training.keep,
                first=self.ranks.first,
                together=self.ranks.together,
                shares=None if state.template is None else state.write_shards,
            )
        except OutputError as error:
            self._failed += 1
            # the end of a run must not pass without its result on the disk
            if final or self._failed == PATIENCE:
                raise
            if self.ranks.first:
                warnings.warn(VisWarning(f"{error} Training goes on."), stacklevel=3)
        else:
            self._failed = 0

    def _show(self, log: Log) -> None:
        """What the model sees in the first clip of all, so that pictures of a run compare."""
        if not self.training.tensorboard:
            return
        model = self.state.whole(self.ranks.device)
        if not self.ranks.first:
            return
        # read once: the same clip at every checkpoint
        if self._preview is None:
            self._preview = next(self.feed(0, 1)).clip
        log.show(picture(model, self._preview, self.ranks.device), self.state.step)


@contextmanager
def memory_errors(step: int, report: Report, training: Training) -> Iterator[None]:
    """Within, used up memory becomes an error that says what to lower.

    Raises:
        DeviceError: the memory is used up.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        peak = torch.cuda.max_memory_allocated() / GIB if torch.cuda.is_available() else 0.0
        raise DeviceError(
            f"the memory is used up at frames {list(report.shape)} ({peak:.1f} GiB at the peak)",
            where=f"step {step + 1}, {', '.join(report.names)}",
            remedy=(
                f"Lower training.batch ({training.batch}) and raise training.grad_accum_steps, or"
                " set training.on_oom to microbatch; lower the clips' size or length, set"
                " training.activation_checkpointing, or take bf16."
            ),
        ) from error
