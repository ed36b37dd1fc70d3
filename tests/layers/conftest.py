"""Weights by the recipe of the golden numbers: each tensor is drawn from its published name."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

Draw = Callable[[str, tuple[int, ...]], torch.Tensor]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`draw(published name, shape)` as the text of the numbers says, double precision."""
    return _draw


@pytest.fixture(scope="session")
def normal() -> Callable[..., torch.Tensor]:
    """`normal(seed, *shape)`: standard normal numbers of numpy's frozen stream."""
    return lambda seed, *shape: torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


def _draw(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    stream = np.random.RandomState(zlib.crc32(key.encode()))
    values = stream.standard_normal(tuple(shape))
    if len(shape) > 1 and "query_embed" not in key:
        values /= np.sqrt(np.prod(shape[1:]))
        if key.endswith("in_proj_weight") or "q_linear.weight" in key or "k_linear.weight" in key:
            values *= 3
    elif key.endswith("bias"):
        values *= 0.1
    elif len(shape) == 1:
        values = 1 + 0.1 * values
    return torch.from_numpy(values.astype(np.float32)).double()
