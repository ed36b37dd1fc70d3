"""Optimisers, and which parameter learns at which rate."""

from __future__ import annotations

import difflib
import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from vis.errors import DataError, UsageError
from vis.training.sharding import like, local

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.training.config import Optimisation
    from vis.training.ranks import Ranks

BACKBONE = "backbone."
RELATIVE = "relative_position_bias_table"
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def optimiser_of(model: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    """An optimiser of every trainable parameter; each group holds its rate as `base`."""
    groups = parameter_groups(model, settings)
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, nesterov=settings.nesterov)
    # one kernel for all parameters of a group, where the optimiser has all of each on a GPU
    fused = all(p.is_cuda and local(p) is p for group in groups for p in group["params"])
    return torch.optim.AdamW(groups, fused=fused or None)


def parameter_groups(model: nn.Module, settings: Optimisation) -> list[dict[str, Any]]:
    """Groups of one rate and decay, shared among processes or whole; names in `names`.

    Without `decay_norms`, norms and biases do not decay; without `decay_embeddings`, embeddings and
    tables of relative positions do not. A rate or factor of 0 freezes.

    Raises:
        UsageError: nothing would be trained, or a part of names in `lr_factors` or `decay_factors`
            is no parameter's.
    """
    for option in ("lr_factors", "decay_factors"):
        _check_parts(model, option, getattr(settings, option))
    sparing = _undecayed(model, settings)
    groups: dict[tuple[float, float, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        lr = settings.backbone_lr if name.startswith(BACKBONE) else settings.lr
        lr *= _factor(settings.lr_factors, name)
        if not lr:
            # frozen, not stepped by 0: no gradient, no memory of the optimiser, no weight decay
            parameter.requires_grad_(False)
        if not parameter.requires_grad:
            continue
        weight_decay = settings.weight_decay * _factor(settings.decay_factors, name)
        weight_decay = 0.0 if name in sparing else weight_decay
        fresh = {"params": [], "names": [], "lr": lr, "base": lr, "weight_decay": weight_decay}
        # the optimiser works on a group at once, and cannot where one is shared and another not
        group = groups.setdefault((lr, weight_decay, local(parameter) is parameter), fresh)
        group["params"].append(parameter)
        group["names"].append(name)
    if not groups:
        raise UsageError("no parameter would be trained", remedy="Set optimisation.lr above 0.")
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
    """Undo `optimiser_tensors`; a parameter that is shared takes its part of whole tensors.

    Raises:
        DataError: a tensor belongs to no parameter, or has another shape.
    """
    for key, tensor in tensors.items():
        parameter, word = _checked(optimiser, key, tensor.shape)
        if word == "step":
            # a count of steps lies where the optimiser makes it: on the CPU, unless it is fused
            fused = optimiser.defaults.get("fused")
            fitting = tensor.to(parameter.device) if fused else tensor
        else:
            fitting = tensor if local(tensor) is not tensor else like(parameter, tensor)
        optimiser.state[parameter][word] = fitting.clone()


def optimiser_place(optimiser: torch.optim.Optimizer, key: str, shape: torch.Size) -> Tensor:
    """A tensor that can take what was remembered as `key`: as much of it as this process holds.

    Raises:
        DataError: it belongs to no parameter, or has another shape.
    """
    parameter, word = _checked(optimiser, key, shape)
    return torch.zeros(shape) if word == "step" else torch.zeros_like(parameter.detach())


def clip_gradients(parameters: Sequence[Tensor], most: float, ranks: Ranks) -> Tensor:
    """Bring the norm of the whole gradient down to `most`, 0 for never; returns what it was.

    Where processes share a gradient, each knows its part's norm; gradients of single numbers, which
    are not shared, are averaged here.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    shared = [local(grad) for grad in gradients if local(grad) is not grad]
    whole = [grad for grad in gradients if local(grad) is grad]
    norm = get_total_norm(whole)
    if shared:
        for grad in whole:
            grad.copy_(ranks.mean(grad))
        # norms of shares add up as squares
        squares = ranks.sum(get_total_norm(shared).square())
        norm = (squares + get_total_norm(whole).square()).sqrt()
    if most:
        # where the norm is no number, whoever looks for the cause finds the gradients as they are
        factor = (most / (norm + 1e-6)).clamp(max=1.0).nan_to_num(nan=1.0)
        torch._foreach_mul_([*whole, *shared], factor)
    return norm


def _checked(
    optimiser: torch.optim.Optimizer, key: str, shape: torch.Size
) -> tuple[nn.Parameter, str]:
    name, _, word = key.rpartition("/")
    parameter = _parameters(optimiser).get(name)
    if parameter is None or shape != (() if word == "step" else parameter.shape):
        raise DataError(f"the optimiser's {key!r:.80} belongs to another model")
    return parameter, word


def _parameters(optimiser: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    return {
        name: parameter
        for group in optimiser.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
    }


def _check_parts(model: nn.Module, option: str, factors: Mapping[str, float]) -> None:
    names = [name for name, _ in model.named_parameters()]
    for part in factors:
        if not any(_fits(part, name) for name in names):
            words = sorted({word for name in names for word in name.split(".")})
            near = difflib.get_close_matches(part, words)
            raise UsageError(
                f"optimisation.{option}.{part}: no parameter of the model has such a name",
                remedy=f"Did you mean {' or '.join(near)}?" if near else f"One is {names[-1]}.",
            )


def _factor(factors: Mapping[str, float], name: str) -> float:
    # a product, so that the order in which the factors are written does not matter
    return math.prod(factor for part, factor in factors.items() if _fits(part, name))


def _fits(part: str, name: str) -> bool:
    """Whether whole words of a dotted name are as `part` says."""
    return fnmatchcase(f".{name}.", f"*.{part}.*")


def _undecayed(model: nn.Module, settings: Optimisation) -> set[str]:
    kinds: tuple[type[nn.Module], ...] = () if settings.decay_norms else NORMS
    if not settings.decay_embeddings:
        kinds += (nn.Embedding,)
    undecayed: set[str] = set()
    for prefix, module in model.named_modules():
        if isinstance(module, kinds):
            undecayed |= {f"{prefix}.{name}" for name, _ in module.named_parameters(recurse=False)}
    biases = settings.decay_norms if settings.decay_biases is None else settings.decay_biases
    names = [name for name, _ in model.named_parameters()]
    undecayed |= {name for name in names if not biases and name.endswith("bias")}
    if not settings.decay_embeddings:
        undecayed |= {name for name in names if name.endswith(RELATIVE)}
    return undecayed
