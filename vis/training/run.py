"""Runs in folders: begin one, go on with one, try one dry."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vis import models
from vis.datasets.loader import batches
from vis.datasets.open import open_dataset
from vis.errors import InputError, OutputExistsError
from vis.storage.lock import locked
from vis.storage.whole_file import write_whole
from vis.training import checkpoint
from vis.training.assemble import assemble, network_of
from vis.training.evaluator import evaluator_of
from vis.training.experiment import CONFIG, Experiment, read_experiment, text_of
from vis.training.failed_start import new_folder, taken_back
from vis.training.log import duration, gibibytes, peak_memory
from vis.training.loop import CHECKPOINTS, Loop, memory_errors
from vis.training.ranks import RESTARTS, Ranks, joined
from vis.training.schedules import factor
from vis.training.step import Report, take_step
from vis.weights import initialise, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.datasets.loader import Batch
    from vis.datasets.sample import ClipSource
    from vis.models import Model
    from vis.training.evaluator import Evaluator

RESULT, LOCK = "model.safetensors", "run.lock"
DRY_RUN_STEPS = 3
"""Steps; the first is slower than the others."""


def begin(experiment: Experiment, folder: str | Path) -> None:
    """Train in a new folder; ends with its `model.safetensors`.

    Where `torchrun` lost a process and starts all again, the run of the same settings goes on. What
    fails before anything is worth keeping leaves nothing behind.

    Raises:
        OutputExistsError: the folder holds a run.
        VisError: of data, model, device or training.
    """
    folder = Path(folder)
    text = text_of(experiment)
    if _restarted(folder, experiment):
        go_on(folder)
        return
    with (
        joined(experiment.training.device) as ranks,
        new_folder(folder) if ranks.first else nullcontext(),
        # the lock before the file: of two runs that begin at once, one is refused
        _owned(folder, ranks),
    ):
        if ranks.first:
            _write_config(folder, text)
        with taken_back(folder) if ranks.first else nullcontext():
            _train(experiment, folder, ranks, text)


def go_on(folder: str | Path, changes: Sequence[str] = ()) -> None:
    """Go on with the run of a folder, from its newest valid checkpoint.

    Args:
        folder: of the run.
        changes: settings that differ from now on, such as `["--training.steps", "2000"]`.

    Raises:
        InputError: the folder holds no run.
        VisError: of data, model, device or training.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise InputError(f"there is no {CONFIG}", where=str(folder), remedy="Begin it with -c.")
    experiment = read_experiment(folder / CONFIG, changes)
    text = text_of(experiment)
    with joined(experiment.training.device) as ranks, _owned(folder, ranks):
        if ranks.first:
            checkpoint.sweep(folder / CHECKPOINTS)
            write_whole(folder / CONFIG, text.encode(), overwrite=True)
        _train(experiment, folder, ranks, text)


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would be like."""

    parameters: int
    trained: int
    items: int
    """Of the data set."""
    shape: tuple[int, ...]
    """Of a batch's frames."""
    seconds: float
    """Of a step."""
    wait: float
    """Of it, for data."""
    memory: int
    """Bytes at the peak."""
    lrs: tuple[tuple[int, float], ...]
    """Step and learning rate, at some steps."""
    steps: int

    def __str__(self) -> str:
        """A few lines."""
        lrs = ", ".join(f"{lr:.2g} at {step}" for step, lr in self.lrs)
        return (
            f"parameters  {self.parameters:,}, of which {self.trained:,} are trained\n"
            f"data        {self.items:,} items; a batch's frames are {list(self.shape)}\n"
            f"memory      {gibibytes(self.memory)} at the peak of a step\n"
            f"time        {self.seconds:.3g} s a step, {self.wait:.2g} s of it for data\n"
            f"schedule    {self.steps} steps, rate {lrs}\n"
            f"whole run   {duration(self.seconds * self.steps)}"
        )


def dry_run(experiment: Experiment) -> DryRun:
    """Take a few steps and write nothing."""
    training, optimisation = experiment.training, experiment.optimisation
    with joined(training.device) as ranks:
        source = _source(experiment)
        model = _model(experiment, source, ranks)
        settings: dict[str, Any] = {"training": training, "optimisation": optimisation}
        state = assemble(model, ranks=ranks, **settings)
        network = network_of(state, ranks)
        model.train()
        feed = _feed(source, experiment, ranks, 0, DRY_RUN_STEPS * training.grad_accum_steps)
        for step in range(DRY_RUN_STEPS):
            report, start_time = Report(), time.perf_counter()
            with memory_errors(step, report, training):
                take_step(state, network, feed, report, ranks=ranks, **settings)
            seconds = time.perf_counter() - start_time
        counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
        positions = sorted({round(n * (training.steps - 1) / 4) for n in range(5)})
        factors = (factor(optimisation.schedule, step, training.steps) for step in positions)
        return DryRun(
            parameters=sum(count for count, _ in counts),
            trained=sum(count for count, trained in counts if trained),
            items=len(source),
            shape=report.shape,
            seconds=seconds,
            wait=report.wait,
            memory=peak_memory(ranks.device),
            lrs=tuple(zip(positions, (optimisation.lr * share for share in factors), strict=True)),
            steps=training.steps,
        )


def _train(experiment: Experiment, folder: Path, ranks: Ranks, text: str) -> None:
    # machines with other files would train without a word, or fail at the shape of a gradient
    ranks.agree("configurations", text)
    source = _source(experiment)
    ranks.agree("data sets", repr((len(source), source.names)))
    training, optimisation = experiment.training, experiment.optimisation
    saved = checkpoint.newest(folder / CHECKPOINTS)
    ranks.agree("checkpoints", repr(saved and saved.step))
    model = _model(experiment, source, ranks, initialise_weights=saved is None)
    state = assemble(model, training=training, optimisation=optimisation, ranks=ranks)
    if saved is not None:
        state.restore(saved)
    loop = Loop(
        state=state,
        network=network_of(state, ranks),
        feed=partial(_feed, source, experiment, ranks),
        folder=folder,
        training=training,
        optimisation=optimisation,
        ranks=ranks,
        evaluator=_evaluator(experiment, model, folder, ranks),
        config_text=text,
    )
    loop()
    whole = state.whole()
    if ranks.first:
        save_model(folder / RESULT, whole, overwrite=True)


def _evaluator(
    experiment: Experiment, model: Model[Any], folder: Path, ranks: Ranks
) -> Evaluator | None:
    training, settings = experiment.training, experiment.evaluation
    if not training.evaluate_every:
        return None
    return evaluator_of(settings, model, precision=training.precision, folder=folder, ranks=ranks)


def _source(experiment: Experiment) -> ClipSource:
    choice = experiment.model
    return open_dataset(experiment.data, masks=models.learns_masks(choice.name, choice.settings))


def _model(
    experiment: Experiment, source: ClipSource, ranks: Ranks, *, initialise_weights: bool = True
) -> Model[Any]:
    choice = experiment.model
    # fresh weights are the same in every process, and in a run that begins again
    torch.manual_seed(experiment.training.seed)
    model = models.build(choice.name, classes=len(source.names), **choice.settings)
    model.class_names, model.size = source.names, experiment.data.augmentation.short
    if initialise_weights and choice.init_from is not None:
        report = initialise(model, choice.init_from)
        if ranks.first:
            # a wrong file, of which little fits, would train slowly and without a word
            sys.stderr.write(f"begins with {choice.init_from}: {report}\n")
    return model


def _feed(
    source: ClipSource, experiment: Experiment, ranks: Ranks, first: int, end: int
) -> Iterator[Batch]:
    """The batches of this process from number `first` to `end - 1`."""
    training = experiment.training
    return batches(
        source,
        size=training.batch,
        seed=training.seed,
        start=first,
        stop=end,
        workers=training.workers,
        rank=ranks.rank,
        world=ranks.world,
    )


@contextmanager
def _owned(folder: Path, ranks: Ranks) -> Iterator[None]:
    with locked(folder / LOCK, where=folder) if ranks.first else nullcontext():
        yield


def _restarted(folder: Path, experiment: Experiment) -> bool:
    if os.environ.get(RESTARTS, "0") == "0":
        return False
    path = folder / CONFIG
    # compared as settings, not as texts: another release may have written the file
    return path.is_file() and read_experiment(path) == experiment


def _write_config(folder: Path, text: str) -> None:
    if (folder / CONFIG).exists() or (folder / CHECKPOINTS).exists():
        raise OutputExistsError(
            "the folder holds a run",
            where=str(folder),
            done="Nothing was changed.",
            remedy=f"Go on with --resume {folder}, or choose another folder.",
        )
    write_whole(folder / CONFIG, text.encode())
