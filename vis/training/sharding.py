"""Every process holds its share of the parameters (FSDP2), and writes it into a checkpoint.

The files are those of torch.distributed.checkpoint in the format of Hugging Face: safetensors whose
headers say, in JSON, which part of which tensor they hold. Unlike its own format they hold no
pickle, and any number of processes, one included, can read what any other number wrote.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from vis.layers.transformer import Attention, FeedForward
from vis.layers.twin import AxialAttention
from vis.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from vis.training.ranks import Ranks

PRODUCTS = (Attention, FeedForward, AxialAttention)
"""Parts whose parameters are only factors of matrix products, which autocast rounds."""


def shard(network: nn.Module, ranks: Ranks, *, half: bool = False) -> None:
    """Leave this process a share of every parameter; single numbers stay whole everywhere.

    What is whole only while it computes, the models in the network say themselves.

    Args:
        network: all become that of the first process.
        ranks: who shares.
        half: send the matrices of the transformers' layers as bf16, as which `forward` uses them.
            Parameters are kept, and gradients are exchanged, in fp32 all the same.
    """
    # before sharding, as afterwards no process could tell that another began with other numbers
    for tensor in network.state_dict().values():
        distributed.broadcast(tensor, 0)
    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    whole = {parameter for parameter in network.parameters() if parameter.dim() == 0}
    common: dict[str, Any] = {"mesh": mesh, "ignored_params": whole}
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    # innermost first: what is sharded by an inner call is left alone by the outer one
    for module in network.modules():
        if half and isinstance(module, PRODUCTS):
            fully_shard(module, mp_policy=policy, **common)
    for module in network.modules():
        if isinstance(module, Model):
            for block in module.shard_blocks():
                fully_shard(block, **common)
    # some parts return views, which would only matter if somebody changed them in place
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
    fully_shard(network, **common)


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gathered(tensor: Tensor) -> Tensor:
    """All of a tensor; every process asks for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, whole: Tensor) -> Tensor:
    """As much of a whole tensor as this process holds of another."""
    if not isinstance(tensor, DTensor):
        return whole.to(tensor.device)
    there = whole.to(tensor.device)
    return distribute_tensor(there, tensor.device_mesh, tensor.placements, src_data_rank=None)


def write_shards(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Every process writes what it holds, at the same time; all raise where one cannot.

    Raises:
        OSError: a file cannot be written.
    """
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        save(dict(tensors), storage_writer=writer)
    except CheckpointException as error:
        causes = [cause for cause, _ in error.failures.values()]
        raise next((c for c in causes if isinstance(c, OSError)), causes[0]) from error


def has_shards(folder: Path) -> bool:
    """Whether processes wrote shares into this checkpoint."""
    return any(folder.glob("shard-*.safetensors"))


def read_shards(
    folder: Path, place: Callable[[str, torch.Size], Tensor | None]
) -> dict[str, Tensor]:
    """What this process holds of the tensors of a verified checkpoint; nobody else is asked.

    Args:
        folder: holds no other safetensors than the manifest names.
        place: name and shape -> what takes the values, or None to leave them.

    Raises:
        ValueError: a tensor has another shape than its place.
    """
    entries = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    tensors: dict[str, Any] = {}
    for name, entry in entries.items():
        assert isinstance(entry, TensorStorageMetadata)
        if (tensor := place(name, entry.size)) is not None:
            tensors[name] = tensor
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        reader = HuggingFaceStorageReader(str(folder))
        try:
            load(tensors, storage_reader=reader, no_dist=True)
        except CheckpointException as error:
            raise ValueError(str(error)) from error
    return tensors
