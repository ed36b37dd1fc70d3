"""Heads that turn a query into class logits or a box: linear ones and sine ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

RARE = 0.01
"""Probability that a fresh model gives any class to any query."""


def mlp(d_model: int, out: int, *, depth: int = 3) -> nn.Sequential:
    """`depth` linear layers with ReLU between them; DETR's box head."""
    layers: list[nn.Module] = []
    for _ in range(depth - 1):
        layers += [nn.Linear(d_model, d_model), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(d_model, out))


def prior_class_head(d_model: int, classes: int) -> nn.Linear:
    """A linear head to logits, a sigmoid each, by which a fresh model finds every class rare."""
    head = nn.Linear(d_model, classes)
    # RetinaNet's prior (Lin et al., 2017, 4.1): else the many empty queries swamp the start.
    nn.init.constant_(head.bias, -math.log((1 - RARE) / RARE))
    return head


def delta_box_head(d_model: int, size: float = 0.0) -> nn.Sequential:
    """A head of what a reference is moved by, before the sigmoid (Zhu et al., 2021, A.4).

    Args:
        d_model: channels of the queries.
        size: added to the width and height that a reference states, or to none.
    """
    head = mlp(d_model, 4)
    last = head[-1]
    assert isinstance(last, nn.Linear)
    # A fresh head moves nothing, so that the first boxes are the references.
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(last.bias.new_tensor((0.0, 0.0, size, size)))
    return head


def siren_head(
    d_model: int,
    out: int,
    *,
    hidden_dim: int,
    sines: int,
    omega_0: float,
    dropout: float,
    first_layer_init: bool,
) -> nn.Sequential:
    """Sine layers of `hidden_dim`, its half, ... channels, then a linear layer, GELU and the last.

    The paper's figure ends in GELU, from which no box coordinate below 0.457 can come; its code
    has the last linear layer, as here.

    Args:
        d_model: channels of the queries.
        out: numbers to predict.
        hidden_dim: channels of the first sine layer; each later layer has half.
        sines: number of sine layers (TT-SRN: 1 for classes, 2 for boxes).
        omega_0: frequency of the sines.
        dropout: after each sine layer.
        first_layer_init: whether the first layer starts as SIREN's first (Sitzmann et al., 2020,
            section 3.2).
    """
    widths = [d_model, *(hidden_dim >> i for i in range(sines + 1))]
    layers: list[nn.Module] = []
    for index in range(sines):
        first = first_layer_init and index == 0
        # SIREN, section 3.2: within sqrt(6 / n) / omega_0 the input of each sine stays normal.
        bound = 1 / d_model if first else math.sqrt(6 / widths[index]) / omega_0
        layers += [
            SineLayer(*widths[index : index + 2], omega_0=omega_0, bound=bound),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(
        *layers, nn.Linear(widths[-2], widths[-1]), nn.GELU(), nn.Linear(widths[-1], out)
    )


class SineLayer(nn.Linear):
    """`sin(w0 * (W x + b))`; weights and biases start uniform within `bound` of zero."""

    def __init__(self, width: int, out: int, *, omega_0: float, bound: float) -> None:
        super().__init__(width, out)
        self.omega_0 = omega_0
        nn.init.uniform_(self.weight, -bound, bound)
        # Upstream draws biases alike; SIREN's own code leaves them at the framework's default.
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`[... C]` -> `[... out]`, -1..1."""
        return torch.sin(self.omega_0 * super().forward(x))
