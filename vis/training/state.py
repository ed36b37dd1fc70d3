"""Everything that changes in the course of a run, and its way into a checkpoint and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vis.errors import DataError
from vis.training.optimise import optimiser_tensors, restore_optimiser
from vis.weights import save_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

    from vis.models import Model
    from vis.training.checkpoint import Checkpoint

MODEL, AVERAGE, OPTIMISER, STATE = (
    "model.safetensors",
    "average.safetensors",
    "optimiser.safetensors",
    "state.json",
)


@dataclass(slots=True, eq=False)
class State:
    """What a run has learnt. Random states are not here: each step's are told by its number."""

    model: Model[Any]
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Of the loss, in fp16; does nothing otherwise."""
    average: AveragedModel | None
    step: int = 0
    """Steps that are done; the data and the rates of the next are functions of it."""

    @property
    def best(self) -> Model[Any]:
        """The model to use: the average, where there is one."""
        if self.average is None:
            return self.model
        averaged: Model[Any] = self.average.module  # type: ignore[assignment]
        return averaged

    def files(self, told: str) -> dict[str, Callable[[Path], None]]:
        """The files of a checkpoint; the models are weight files that `vis.weights.load` takes.

        Args:
            told: the configuration, as text.
        """
        files: dict[str, Callable[[Path], None]] = {
            MODEL: lambda path: save_model(path, self.model),
            OPTIMISER: lambda path: _write_tensors(path, optimiser_tensors(self.optimiser)),
            STATE: lambda path: _write_json(path, self._numbers(told)),
        }
        if self.average is not None:
            files[AVERAGE] = lambda path: save_model(path, self.best)
        return files

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what the checkpoint says.

        Raises:
            DataError: it belongs to another model, or was made with other settings.
        """
        path = checkpoint.path
        try:
            numbers = json.loads((path / STATE).read_bytes())
            _load(self.model, path / MODEL)
            restore_optimiser(self.optimiser, _tensors(path / OPTIMISER))
            if self.average is not None:
                _load(self.average.module, path / AVERAGE)
                self.average.n_averaged.fill_(int(numbers["averaged"]))
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(numbers["scaler"])
            self.step = int(numbers["step"])
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError, OSError) as error:
            words = " ".join(str(error).split())
            raise DataError(
                f"the checkpoint does not fit this run ({words:.300})",
                where=str(path),
                remedy="Go on with the settings that it was made with.",
            ) from error

    def _numbers(self, told: str) -> dict[str, object]:
        averaged = 0 if self.average is None else int(self.average.n_averaged)
        return {
            "format": 1,
            "step": self.step,
            "averaged": averaged,
            "scaler": self.scaler.state_dict(),
            "rates": [group["lr"] for group in self.optimiser.param_groups],
            "random": "a function of seed, step and rank",
            "config": told,
            "torch": torch.__version__,
        }


def averaged(model: nn.Module, decay: float) -> AveragedModel | None:
    """A moving average of the model's parameters, beginning with the first step; None at 0."""
    if not decay:
        return None
    moving = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=moving)
    average.module.requires_grad_(False)
    return average


def _load(model: nn.Module, path: Path) -> None:
    model.load_state_dict(_tensors(path))


def _tensors(path: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = load_file(path)
    return tensors


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.write_bytes(save(kept))


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False))
