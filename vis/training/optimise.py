"""Optimisers, and which parameter learns at which rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vis.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.training.config import Optimisation

BACKBONE = "backbone."
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def optimiser_of(model: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    """An optimiser of every trainable parameter; each group holds its rate as `base`."""
    groups = parameter_groups(model, settings)
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum)
    return torch.optim.AdamW(groups)


def parameter_groups(model: nn.Module, settings: Optimisation) -> list[dict[str, Any]]:
    """At most four groups: backbone or not, decayed or not; names in `names`.

    Without `decay_norms`, norms and biases do not decay. A backbone rate of 0 freezes it.
    """
    sparing = _undecayed(model) if not settings.decay_norms else set()
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        rate = settings.backbone_rate if name.startswith(BACKBONE) else settings.rate
        if not rate:
            parameter.requires_grad_(False)
        if not parameter.requires_grad:
            continue
        decay = 0.0 if name in sparing else settings.decay
        fresh = {"params": [], "names": [], "lr": rate, "base": rate, "weight_decay": decay}
        group = groups.setdefault((rate, decay), fresh)
        group["params"].append(parameter)
        group["names"].append(name)
    if not groups:
        raise UsageError("no parameter would be trained", remedy="Set optimisation.rate above 0.")
    return list(groups.values())


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate is its own times `factor`."""
    for group in optimiser.param_groups:
        group["lr"] = group["base"] * factor


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers, as `PARAMETER/WORD`; rates are functions of the step."""
    tensors = {}
    for name, parameter in _parameters(optimiser).items():
        for word, value in optimiser.state[parameter].items():
            if value is not None:
                assert isinstance(value, Tensor)
                tensors[f"{name}/{word}"] = value
    return tensors


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Undo `optimiser_tensors`.

    Raises:
        DataError: a tensor belongs to no parameter, or has another shape.
    """
    parameters = _parameters(optimiser)
    for key, tensor in tensors.items():
        name, _, word = key.rpartition("/")
        parameter = parameters.get(name)
        if parameter is None or tensor.shape not in ((), parameter.shape):
            raise DataError(f"the optimiser's {key!r:.80} belongs to another model")
        # a count of steps stays where the optimiser makes it: on the CPU
        place = tensor if word == "step" else tensor.to(parameter.device)
        optimiser.state[parameter][word] = place.clone()


def _parameters(optimiser: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    return {
        name: parameter
        for group in optimiser.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
    }


def _undecayed(model: nn.Module) -> set[str]:
    found = {name for name, _ in model.named_parameters() if name.endswith("bias")}
    for place, module in model.named_modules():
        if isinstance(module, NORMS):
            found |= {f"{place}.{name}" for name, _ in module.named_parameters(recurse=False)}
    return found
