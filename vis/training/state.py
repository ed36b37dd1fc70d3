"""Everything that changes in the course of a run, and its way into a checkpoint and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vis.errors import DataError
from vis.training.optimise import optimiser_place, optimiser_tensors, restore_optimiser
from vis.training.sharding import gathered, has_shards, like, local, read_shards, write_shards
from vis.weights import save_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from vis.models import Model
    from vis.training.checkpoint import Checkpoint
    from vis.training.loss_module import LossModule

MODEL, EMA, OPTIMISER, STATE = (
    "model.safetensors",
    "average.safetensors",
    "optimiser.safetensors",
    "state.json",
)


@dataclass(slots=True, eq=False)
class State:
    """What a run has learnt. Random states are not here: each step's are told by its number."""

    loss_module: LossModule
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Of the loss, in fp16; does nothing otherwise."""
    ema: AveragedModel | None
    template: Model[Any] | None = None
    """Where the processes share the parameters: a whole model to collect them in; else None."""
    step: int = 0
    """Steps that are done; the data and the rates of the next are functions of it."""

    @property
    def model(self) -> Model[Any]:
        """What learns."""
        return self.loss_module.model

    @property
    def best(self) -> Model[Any]:
        """The model to use: the average, where there is one."""
        if self.ema is None:
            return self.model
        averaged: Model[Any] = self.ema.module  # type: ignore[assignment]
        return averaged

    @torch.no_grad()
    def whole(self, device: torch.device | str = "cpu") -> Model[Any]:
        """The model to use with all its parameters, for which every process must ask.

        Args:
            device: of what is collected from several processes; else the model is where it learns.
        """
        if self.template is None:
            return self.best
        # every process collects, also those that do not write: `full_tensor` waits for all
        self.template.to(device)
        tensors = self.best.state_dict()
        for name, place in self.template.state_dict().items():
            place.copy_(gathered(tensors[name]))
        return self.template

    def files(self, config_text: str) -> dict[str, Callable[[Path], None]]:
        """The files of a checkpoint that one process writes; every process must ask.

        The models are weight files that `vis.weights.load` takes. Where the processes share the
        parameters, there is only the one to use; `write_shards` adds what a run goes on from.

        Args:
            config_text: the configuration, as text.
        """
        numbers = self._numbers(config_text)
        files: dict[str, Callable[[Path], None]] = {STATE: lambda path: _write_json(path, numbers)}
        if self.template is not None:
            whole = self.whole()
            name = MODEL if self.ema is None else EMA
            return files | {name: lambda path: save_model(path, whole)}
        files[MODEL] = lambda path: save_model(path, self.model)
        files[OPTIMISER] = lambda path: _write_tensors(path, optimiser_tensors(self.optimiser))
        if self.ema is not None:
            files[EMA] = lambda path: save_model(path, self.best)
        return files

    def write_shards(self, folder: Path) -> None:
        """This process's share of a checkpoint; all write at the same time.

        Raises:
            OSError: a process cannot write.
        """
        write_shards(
            folder, self._models() | _put_under("optimiser", optimiser_tensors(self.optimiser))
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what the checkpoint says, however many processes wrote it.

        Raises:
            DataError: it belongs to another model, or was made with other settings.
        """
        path = checkpoint.path
        try:
            numbers = json.loads((path / STATE).read_bytes())
            if has_shards(path):
                self._take_shards(path)
            else:
                self._take_files(path)
            if self.ema is not None:
                self.ema.n_averaged.fill_(int(numbers["averaged"]))
            # begun anew, its scale would overflow, and cost steps until it is found again
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

    def _take_files(self, path: Path) -> None:
        self._fill(self.model, load_file(path / MODEL))
        restore_optimiser(self.optimiser, load_file(path / OPTIMISER))
        if self.ema is not None:
            self._fill(self.best, load_file(path / EMA))

    @torch.no_grad()
    def _fill(self, model: Model[Any], tensors: dict[str, Tensor]) -> None:
        if self.template is None:
            model.load_state_dict(tensors)
            return
        self.template.load_state_dict(tensors)
        for name, place in model.state_dict().items():
            local(place).copy_(local(like(place, tensors[name])))

    def _take_shards(self, path: Path) -> None:
        models = self._models()

        def place(name: str, shape: torch.Size) -> Tensor | None:
            group, _, rest = name.partition("/")
            if group == "optimiser":
                return optimiser_place(self.optimiser, rest, shape)
            if name not in models:  # of an average that is no more, or of the weights to use
                return None
            if models[name].shape != shape:
                raise ValueError(f"size mismatch for {rest}: {list(shape)} in the checkpoint")
            return models[name]

        restored = read_shards(path, place)
        if missing := models.keys() - restored.keys():
            raise ValueError(f"{min(missing)} is missing")
        remembered = {name: restored[name] for name in restored.keys() - models.keys()}
        restore_optimiser(
            self.optimiser, {name.partition("/")[2]: tensor for name, tensor in remembered.items()}
        )

    def _models(self) -> dict[str, Tensor]:
        """All tensors of the models, on whose memory they are."""
        models = _put_under("model", self.model.state_dict())
        if self.ema is not None:
            models |= _put_under("average", self.best.state_dict())
        return models

    def _numbers(self, config_text: str) -> dict[str, object]:
        count = 0 if self.ema is None else int(self.ema.n_averaged)
        return {
            "format": 1,
            "step": self.step,
            "averaged": count,
            "scaler": self.scaler.state_dict(),
            "rates": [group["lr"] for group in self.optimiser.param_groups],
            "random": "a function of seed, step and rank",
            "config": config_text,
            "torch": torch.__version__,
        }


def averaged(model: nn.Module, ema_decay: float, ema_warmup: int = 0) -> AveragedModel | None:
    """A moving average of the model's parameters, beginning with the first step; None at 0.

    Args:
        model: whose parameters are averaged.
        ema_decay: of the average.
        ema_warmup: steps in which it rises to that, so that the start is soon forgotten.
    """
    if not ema_decay:
        return None

    def moving(averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        del count  # a copy on the device, which would have to be waited for
        step = 1 + int(ema.n_averaged)
        risen = ema_decay * (1 - math.exp(-step / ema_warmup)) if ema_warmup else ema_decay
        get_ema_multi_avg_fn(risen)(  # type: ignore[no-untyped-call]
            [local(x) for x in averages], [local(x) for x in values], step
        )

    ema = AveragedModel(model, multi_avg_fn=moving)
    # it only follows: no gradients, and nothing for an optimiser
    ema.module.requires_grad_(False)
    return ema


def _put_under(group: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    # safetensors writes memory as it lies, so it has to be contiguous and here
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.write_bytes(save(whole))


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False))
