"""Heads that turn a query into class logits or a box: linear ones and sine ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def mlp(width: int, out: int, *, depth: int = 3) -> nn.Sequential:
    """`depth` linear layers with ReLU between them; DETR's box head."""
    layers: list[nn.Module] = []
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, out))


def siren_head(
    width: int, out: int, *, hidden: int, sines: int, w0: float, dropout: float, slow_start: bool
) -> nn.Sequential:
    """Sine layers of `hidden`, `hidden / 2`, ... channels, then a linear layer, GELU and the last.

    The paper's figure ends in GELU, from which no box coordinate below 0.457 can come; its code
    has the last linear layer, as here.

    Args:
        width: channels of the queries.
        out: numbers to predict.
        hidden: channels of the first sine layer; each later layer has half.
        sines: number of sine layers (TT-SRN: 1 for classes, 2 for boxes).
        w0: frequency of the sines.
        dropout: after each sine layer.
        slow_start: the first layer starts as SIREN's first (Sitzmann et al., 2020, section 3.2).
    """
    widths = [width, *(hidden >> i for i in range(sines + 1))]
    layers: list[nn.Module] = []
    for index in range(sines):
        first = slow_start and index == 0
        bound = 1 / width if first else math.sqrt(6 / widths[index]) / w0
        layers += [SineLayer(*widths[index : index + 2], w0=w0, bound=bound), nn.Dropout(dropout)]
    return nn.Sequential(
        *layers, nn.Linear(widths[-2], widths[-1]), nn.GELU(), nn.Linear(widths[-1], out)
    )


class SineLayer(nn.Linear):
    """`sin(w0 * (W x + b))`; weights and biases start uniform within `bound` of zero."""

    def __init__(self, width: int, out: int, *, w0: float, bound: float) -> None:
        super().__init__(width, out)
        self.w0 = w0
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`[... C]` -> `[... out]`, -1..1."""
        return torch.sin(self.w0 * super().forward(x))
