"""What changed between ISTR's two releases (2021 and 2022), beside the codes."""

from __future__ import annotations

from typing import NamedTuple

from vis.losses.code_loss import V1, V2, CodeLoss


class Generation(NamedTuple):
    """One of the releases."""

    loss: CodeLoss
    averaged: int
    """How many of the last stages give the logits."""
    inside: float
    """What is at least as probable belongs to a mask."""
    frozen: bool
    """Whether the backbone's first stage stays as it is."""


GENERATIONS = {
    "v1": Generation(V1, averaged=1, inside=0.5, frozen=True),
    # Released: v2 averages logits of four stages, though boxes and masks are the last one's.
    "v2": Generation(V2, averaged=4, inside=0.45, frozen=False),
}
