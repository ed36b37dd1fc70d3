"""Where Deformable DETR's queries come from: learned, or proposed by the cells of the encoder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from vis.layers.positions import sine_code

if TYPE_CHECKING:
    from vis.layers.deformable_transformer import Memory

LEAST = 1e-5
"""Closer to 0 or 1 no fraction is told apart."""
SIDE = 0.05
"""Of the finest level's proposals, as a fraction of the content; each level doubles it."""
MARGIN = 0.01
"""Cells whose proposal is not at least so far from 0 and 1 propose nothing."""


class Proposals(NamedTuple):
    """What the cells themselves say."""

    logits: Tensor
    """`[B S K]`."""
    boxes: Tensor
    """`[B S 4]` cxcywh as fractions of the content."""


class Queries(NamedTuple):
    """What the decoder begins with."""

    state: Tensor
    """`[B Q C]`."""
    positions: Tensor
    """`[B Q C]`."""
    references: Tensor
    """Points `[B Q 2]` or boxes `[B Q 4]` as fractions of the content, at least single."""
    proposals: Proposals | None


class LearnedQueries(nn.Module):
    """The same for every picture.

    Args:
        d_model: channels.
        count: of queries.
    """

    def __init__(self, d_model: int, count: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, 2 * d_model)
        self.reference = nn.Linear(d_model, 2)
        nn.init.xavier_uniform_(self.reference.weight)
        nn.init.zeros_(self.reference.bias)

    def forward(self, memory: Memory) -> Queries:
        """The first half of an embedding is the position, the second the content."""
        whole = self.embedding.weight.expand(len(memory.tokens), -1, -1)
        positions, state = whole.chunk(2, dim=-1)
        references = at_least_single(self.reference(positions)).sigmoid()
        return Queries(state, positions, references, None)


class ProposedQueries(nn.Module):
    """The boxes of the likeliest cells (Zhu et al., 2021, appendix A.4: two-stage).

    Args:
        d_model: channels.
        count: of queries, or fewer where there are fewer cells.
        class_head: cell to logits; the first row says whether anything is there.
        box_head: cell to what its proposal is moved by.
    """

    def __init__(
        self, d_model: int, count: int, *, class_head: nn.Module, box_head: nn.Module
    ) -> None:
        super().__init__()
        self.count, self.d_model = count, d_model
        self.enter, self.enter_norm = nn.Linear(d_model, d_model), nn.LayerNorm(d_model)
        self.class_head, self.box_head = class_head, box_head
        # A box of 4 numbers, width / 2 waves each: twice the width, for position and content.
        self.lift, self.lift_norm = nn.Linear(2 * d_model, 2 * d_model), nn.LayerNorm(2 * d_model)
        for linear in (self.enter, self.lift):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, memory: Memory) -> Queries:
        """Only the loss of the proposals teaches where they are."""
        starts, nowhere = cell_proposals(memory)
        cells = self.enter_norm(self.enter(memory.tokens.masked_fill(nowhere, 0.0)))
        logits = self.class_head(cells)
        moved = at_least_single(self.box_head(cells)) + starts
        # Row 0 is a class in the decoder; here it is trained as 'anything at all'.
        best = logits[..., 0].topk(min(self.count, logits.shape[1]), dim=1).indices
        # Detached: the decoder's loss must not move the proposals.
        references = moved.detach().gather(1, best[..., None].expand(-1, -1, 4)).sigmoid()
        codes = sine_code(references * (2 * math.pi), self.d_model // 2).flatten(2)
        lifted = self.lift_norm(self.lift(codes.to(cells.dtype)))
        positions, state = lifted.chunk(2, dim=-1)
        return Queries(state, positions, references, Proposals(logits, moved.sigmoid()))


def cell_proposals(memory: Memory) -> tuple[Tensor, Tensor]:
    """A square around the middle of every cell, before the sigmoid, and where there is none.

    Returns:
        `[B S 4]` cxcywh, infinite where there is none; `[B S 1]` bool.
    """
    middles = memory.content_points()
    sides = torch.cat(
        [
            middles.new_full((height * width,), SIDE * 2**level)
            for level, (height, width) in enumerate(memory.sizes)
        ]
    )
    boxes = torch.cat((middles, sides[:, None].expand(len(middles), -1, 2)), dim=-1)
    nowhere = ((boxes <= MARGIN) | (boxes >= 1 - MARGIN)).any(dim=-1, keepdim=True)
    if memory.padding is not None:
        nowhere = nowhere | memory.padding[..., None]
    # Infinite before the sigmoid: a box that no step can move back inside.
    return torch.logit(boxes, eps=LEAST).masked_fill(nowhere, float("inf")), nowhere


def moved_boxes(references: Tensor, steps: Tensor) -> Tensor:
    """Boxes `[B Q 4]` cxcywh from references `[B Q 2]` or `[B Q 4]` and what a head says of them.

    A point moves the centre alone; sizes are then the head's.
    """
    origin = before_sigmoid(references)
    missing = origin.new_zeros((*origin.shape[:-1], 4 - origin.shape[-1]))
    return (at_least_single(steps) + torch.cat((origin, missing), dim=-1)).sigmoid()


def before_sigmoid(fractions: Tensor) -> Tensor:
    """The inverse of the sigmoid, kept finite as published: each of p and 1 - p for itself."""
    fractions = fractions.clamp(0, 1)
    return (fractions.clamp(min=LEAST) / (1 - fractions).clamp(min=LEAST)).log()


def at_least_single(x: Tensor) -> Tensor:
    """Half precision would be off by a part of a cell."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
