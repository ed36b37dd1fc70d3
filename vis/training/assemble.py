"""From a model and settings to what the loop works with."""

from __future__ import annotations

import inspect
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from vis.training.loss_module import LossModule
from vis.training.optimise import optimiser_of
from vis.training.sharding import shard
from vis.training.state import State, averaged

if TYPE_CHECKING:
    from vis.models import Model
    from vis.training.config import Optimisation, Training
    from vis.training.ranks import Ranks


def assemble(
    model: Model[Any], *, training: Training, optimisation: Optimisation, ranks: Ranks
) -> State:
    """The state of a run that begins with this model, which is moved to its device."""
    shared = training.parallel == "fsdp" and ranks.world > 1
    # copied before anything is sharded or wrapped: a sharded model has no whole parameters to fill
    template = deepcopy(model).eval() if shared else None
    loss_module = LossModule(model.to(ranks.device), training.precision)
    ema = averaged(model, training.ema_decay, training.ema_warmup)
    if shared:
        # sharded like the model, as a step of the average needs both values in one place
        if ema is not None:
            shard(ema, ranks)
        shard(loss_module, ranks, half=training.precision == "bf16")
    # after the copies: a copied layer would go on calling the original's replaced `forward`
    if training.activation_checkpointing:
        checkpoint_activations(model)
    if training.compile:
        # in place, so that names of parameters stay; after the copies, which would share it
        model.compile()
    optimiser = optimiser_of(model, optimisation)
    # of one process there is nothing to agree on, and a hook would cost a copy a step
    if ranks.world > 1:
        agree_on_norms(model, optimiser, ranks)
    return State(
        loss_module,
        optimiser,
        torch.amp.GradScaler(ranks.device.type, enabled=training.precision == "fp16"),
        ema,
        template,
    )


def network_of(state: State, ranks: Ranks) -> nn.Module:
    """What a step calls: the loss_module, or where several processes hold everything, its wrapper.

    The wrapper averages gradients, and makes the parameters those of the first process.
    """
    if ranks.world == 1 or state.template is not None:
        return state.loss_module
    return DistributedDataParallel(state.loss_module, gradient_as_bucket_view=True, **_NO_BUFFERS)


_PARAMETERS = inspect.signature(DistributedDataParallel.__init__).parameters
_NO_BUFFERS: dict[str, Any] = {
    # since torch 2.15, and before
    "forward_sync_buffers" if "forward_sync_buffers" in _PARAMETERS else "broadcast_buffers": False
}
"""No forward changes a buffer but those of batch norms, for which `agree_on_norms` cares."""


def agree_on_norms(model: nn.Module, optimiser: torch.optim.Optimizer, ranks: Ranks) -> None:
    """After each step, give the running averages of batch norms the mean over the processes.

    Each process saw clips of its own. So all evaluate, save and go on with the same numbers.
    """

    def agree(*_: object) -> None:
        statistics = [
            statistic
            for norm in model.modules()
            if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.training
            for statistic in (norm.running_mean, norm.running_var)
            if statistic is not None
        ]
        if statistics:
            # one exchange for all norms: each costs a round trip, whatever its size
            means = torch.split(
                ranks.mean(torch.cat(statistics)), [len(statistic) for statistic in statistics]
            )
            torch._foreach_copy_(statistics, list(means))

    optimiser.register_step_post_hook(agree)


def checkpoint_activations(model: nn.Module) -> None:
    """Let every layer of a stack keep its inputs alone, and compute the rest again for gradients.

    Losses and gradients stay the same. The layers' `forward` is replaced, so copy the model before.
    """
    done: set[nn.Module] = set()
    for module in model.modules():
        if not isinstance(module, nn.ModuleList | nn.Sequential) or module in done:
            continue
        for layer in module:
            # what has no parameters may work in place, on what is statistics for the layer before
            bare = not any(True for _ in layer.parameters())
            if bare or isinstance(layer, nn.ModuleList) or layer in done:
                continue
            done |= set(layer.modules())
            # without reentry: the reentrant form gives no gradient to layers whose inputs need none
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
