"""Soft overlap of masks, frame by frame, so that memory is bounded by one frame of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_TINY = 1e-9


def soft_iou(a: Tensor, b: Tensor) -> Tensor:
    """`[A h w]` and `[B h w]` probabilities -> `[A B]`, 0..1.

    Dot products over squares (Tanimoto): of bool masks this is intersection over union, and a mask
    agrees fully with itself however soft it is.
    """
    flat, other = a.flatten(1), b.flatten(1)
    both = flat @ other.T
    either = flat.square().sum(dim=1)[:, None] + other.square().sum(dim=1)[None] - both
    # two empty masks overlap by 0, not by NaN
    return both / either.clamp(min=_TINY)


def soft_share(a: Tensor, b: Tensor) -> Tensor:
    """The share of each of `b` that lies in each of `a`, `[A B]`, 0..1."""
    flat, other = a.flatten(1), b.flatten(1)
    return flat @ other.T / other.sum(dim=1).clamp(min=_TINY)


def mean_iou(
    frames: Iterable[tuple[Tensor, Tensor]], visible_a: Bools, visible_b: Bools
) -> tuple[Floats, Ints]:
    """Mean overlap of objects over the frames that show at least one of the two.

    Args:
        frames: `[A h w]` and `[B h w]` of each of the T frames.
        visible_a: `[A T]`; a frame that shows only one of two objects counts as no overlap.
        visible_b: `[B T]`.

    Returns:
        The means, and how many frames show both; `[A B]` each.
    """
    total: Tensor | None = None
    for (a, b), left, right in zip(frames, visible_a.T, visible_b.T, strict=True):
        both = torch.from_numpy(left[:, None] & right[None]).to(b.device)
        added = soft_iou(a, b) * both
        # the sum stays on the device: one copy to the host for all frames
        total = added if total is None else total + added
    left, right = visible_a.astype(np.int64), visible_b.astype(np.int64)
    shared = left @ right.T
    either = left.sum(axis=1)[:, None] + right.sum(axis=1)[None] - shared
    sums = np.zeros(shared.shape) if total is None else total.cpu().double().numpy()
    return sums / np.maximum(either, 1), shared
