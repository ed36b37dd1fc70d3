"""Numbers of a text file beside ours: how inputs are drawn, and eight numbers told of a tensor."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SHARP = ("to_q.weight", "to_kv.weight", "qkv.weight")
TOKENS = ("pos_embed", "cls_token", "dist_token", "cls_emb")
Shapes = dict[str, tuple[int, ...]]


def listed(path: Path) -> Shapes:
    """A list of published names and shapes."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {key: tuple(int(n) for n in re.findall(r"\d+", shape)) for key, shape in rows}


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A checkpoint by the recipe of the text, each tensor from its own name."""
    return {key: _drawn(key, shape) for key, shape in shapes.items()}


def _drawn(key: str, shape: tuple[int, ...]) -> np.ndarray:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    n = np.asarray(np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape))
    if not shape:
        n = 0.1 * n
    elif any(word in key for word in TOKENS):
        n = 0.5 * n
    elif len(shape) > 1:
        sharp = key.endswith("in_proj_weight") or any(word in key for word in SHARP)
        n = n / np.sqrt(np.prod(shape[1:])) * (3 if sharp else 0.3 if "bboxes_delta" in key else 1)
    elif key.endswith("running_var"):
        n = 1 + 0.1 * np.abs(n)
    elif key.endswith(("running_mean", "bias")):
        n = 0.1 * n
    else:
        n = 1 + 0.1 * n
    return np.asarray(n, np.float32)


def normal(seed: int, *shape: int) -> Tensor:
    """Of float64."""
    return tensor(np.random.RandomState(seed).standard_normal(shape))


def tensor(values: Any) -> Tensor:
    """Of float64, from an array or a list of numbers or texts."""
    given = values if isinstance(values, np.ndarray) else [float(value) for value in values]
    return torch.as_tensor(given, dtype=torch.float64)


def numbers(text: str) -> list[float]:
    """All that are in a text."""
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]


def against(text: str, start: str, value: Tensor) -> float:
    """The largest difference of a tensor's statistics from those of a line of the file."""
    found = re.search(
        r"mean=(\S+) std=(\S+) absmax=(\S+) first=\[(.*?)\] last=(\S+)", line(text, start)
    )
    assert found is not None, start
    mean, deviation, most, first, last = found.groups()
    flat = value.double().flatten()
    stats = torch.stack((flat.mean(), flat.std(correction=0), flat.abs().max()))
    ours = torch.cat((stats, flat[:4], flat[-1:]))
    return largest(ours - tensor([mean, deviation, most, *first.split(","), last]))


def line(text: str, start: str) -> str:
    """The first that begins so."""
    return next(one for one in text.splitlines() if one.startswith(start))


def largest(values: Tensor) -> float:
    """Absolute value."""
    return float(values.abs().max()) if values.numel() else 0.0


def unequal(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Largest difference of two lists of numbers; infinite where one is longer."""
    one, other = tensor(list(ours)), tensor(list(theirs))
    return largest(one - other) if len(one) == len(other) else float("inf")
