"""Tensors between the host's memory and a GPU without a wait for each, and its TF32."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """On the device; a GPU copies while the host goes on."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    # only from pinned memory, which torch's allocator holds until the copy is done
    return tensor.pin_memory().to(device, non_blocking=True)


def to_host(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """In the host's memory, floats in single precision; waits for a GPU once, not for each."""
    moved = [None if one is None else one.to("cpu", non_blocking=True) for one in tensors]
    for device in {one.device for one in tensors if one is not None and one.is_cuda}:
        # before this, the memory may hold anything
        torch.cuda.current_stream(device).synchronize()
    # widened here: half as many bytes cross
    return [one.float() if one is not None and one.is_floating_point() else one for one in moved]


@contextmanager
def tf32_products(allowed: bool) -> Iterator[None]:
    """Within, matrix products of a GPU read their numbers rounded to 10 bits, where allowed."""
    before = torch.get_float32_matmul_precision()
    # a setting of the process: whoever calls us gets it back as it was
    torch.set_float32_matmul_precision("high" if allowed else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
