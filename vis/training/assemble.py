"""From a model and settings to what the loop works with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from vis.training.optimise import optimiser_of
from vis.training.state import State, averaged

if TYPE_CHECKING:
    from vis.models import Model
    from vis.training.config import Optimisation, Training
    from vis.training.ranks import Ranks


def assemble(
    model: Model[Any], *, training: Training, optimisation: Optimisation, ranks: Ranks
) -> State:
    """The state of a run that begins with this model, which is moved to its device."""
    model.to(ranks.device)
    average = averaged(model, training.average)
    if training.recompute:
        recompute(model)
    return State(
        model,
        optimiser_of(model, optimisation),
        torch.amp.GradScaler(ranks.device.type, enabled=training.precision == "fp16"),
        average,
    )


def network_of(model: Model[Any], ranks: Ranks) -> nn.Module:
    """The model, or where several processes train, the wrapper that averages their gradients.

    The processes must hold equal parameters; the wrapper makes them so.
    """
    if ranks.world == 1:
        return model
    # buffers never change in training: the backbones' norms are frozen
    return DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)


def recompute(model: nn.Module) -> None:
    """Let every layer of a stack keep its inputs alone, and compute the rest again for gradients.

    Losses and gradients stay the same. The layers' `forward` is replaced, so copy the model before.
    """
    done: set[nn.Module] = set()
    for module in model.modules():
        if not isinstance(module, nn.ModuleList | nn.Sequential) or module in done:
            continue
        for layer in module:
            if isinstance(layer, nn.ModuleList) or layer in done:
                continue
            done |= set(layer.modules())
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
