"""RF-DETR's queries: the likeliest cells, best first; the k-th goes to the k-th learned state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from vis.layers.deformable_queries import MARGIN, SIDE, at_least_single
from vis.layers.positions import sine_code
from vis.layers.prediction_heads import delta_box_head, prior_class_head

if TYPE_CHECKING:
    from vis.layers.deformable_transformer import Memory


class CellSelection(NamedTuple):
    """The selected cells of one group or, one after the other, of all; K a group, or all there are.

    Without a gradient, boxes may be `[B G*K 4]` of cells that propose nothing: 0, 0, 0, 0.
    """

    cells: Tensor
    """`[B G*K C]`."""
    logits: Tensor
    """`[B G*K classes]`."""
    boxes: Tensor
    """`[B G*K 4]` cxcywh as fractions, at least single."""


class Queries(NamedTuple):
    """What the decoder begins with; groups one after the other."""

    state: Tensor
    """`[B G*Q C]`."""
    positions: Tensor
    """`[B G*Q C]`."""
    references: Tensor
    """`[B G*Q 4]` cxcywh as fractions, at least single."""
    selection: CellSelection
    groups: int


class CellHeads(nn.Module):
    """What one group of queries reads off the cells.

    Args:
        d_model: channels.
        classes: rows of the logits.
    """

    def __init__(self, d_model: int, classes: int) -> None:
        super().__init__()
        self.enter, self.enter_norm = nn.Linear(d_model, d_model), nn.LayerNorm(d_model)
        self.class_head = prior_class_head(d_model, classes)
        self.box_head = delta_box_head(d_model)
        nn.init.xavier_uniform_(self.enter.weight)

    def forward(self, tokens: Tensor, proposals: Tensor, count: int) -> CellSelection:
        """The `count` cells of `[B S C]` of which any class is likeliest, or all there are."""
        cells = self.enter_norm(self.enter(tokens))
        logits = self.class_head(cells)
        # Best first: the rank of a cell decides which learned state goes there.
        best = logits.amax(dim=-1).topk(min(count, cells.shape[1]), dim=1).indices[..., None]
        cells, logits = (x.gather(1, best.expand(-1, -1, x.shape[-1])) for x in (cells, logits))
        starts = proposals.expand(len(cells), -1, -1).gather(1, best.expand(-1, -1, 4))
        # The head on the selected cells alone: a box each, and nobody asks for the others.
        return CellSelection(cells, logits, moved(starts, self.box_head(cells)))


class RankedQueries(nn.Module):
    """References from the picture, states learned (two stages of LW-DETR, Chen et al., 2024).

    Args:
        d_model: channels.
        count: queries of a group.
        groups: in training, each with heads of its own; in use, the first alone.
        classes: rows of the logits.
    """

    def __init__(self, d_model: int, count: int, *, groups: int, classes: int) -> None:
        super().__init__()
        self.count, self.d_model = count, d_model
        self.steps = nn.Parameter(torch.zeros(groups * count, 4))
        self.state = nn.Parameter(torch.randn(groups * count, d_model))
        self.groups = nn.ModuleList(CellHeads(d_model, classes) for _ in range(groups))
        # Four numbers of half the width in waves each: twice the width.
        self.place = nn.Sequential(
            nn.Linear(2 * d_model, d_model), nn.ReLU(), nn.Linear(d_model, d_model)
        )

    def forward(self, memory: Memory) -> Queries:
        """Of the one level of the memory, `[B S C]`, without padding."""
        groups = len(self.groups) if self.training else 1
        ((height, width),) = memory.sizes
        proposals, nowhere = cell_squares(height, width, memory.tokens)
        tokens = memory.tokens.masked_fill(nowhere, 0.0)
        selections = [group(tokens, proposals, self.count) for group in self.groups[:groups]]
        references = torch.cat(
            [
                # Detached: the decoder's loss must not move the proposals.
                self._references(one.boxes.detach(), steps)
                for one, steps in zip(selections, torch.split(self.steps, self.count), strict=False)
            ],
            dim=1,
        )
        state = self.state[: groups * self.count].expand(len(tokens), -1, -1)
        codes = sine_code(references[..., [1, 0, 2, 3]] * (2 * math.pi), self.d_model // 2)
        positions = self.place(codes.flatten(2).to(state.dtype))
        selection = CellSelection(*(torch.cat(x, dim=1) for x in zip(*selections, strict=True)))
        return Queries(state, positions, references, selection, groups)

    @staticmethod
    def _references(boxes: Tensor, steps: Tensor) -> Tensor:
        """Boxes `[B K 4]` moved by the steps of their ranks; ranks beyond them have steps alone."""
        K = boxes.shape[1]
        # As published: where cells are fewer than queries, a step is taken for a box itself.
        rest = at_least_single(steps[K:]).expand(len(boxes), -1, -1)
        return torch.cat((moved(boxes, steps[:K].expand_as(boxes)), rest), dim=1)


def cell_squares(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """A square around the middle of every cell, 0 where that is too close to the border.

    Args:
        height: cells down.
        width: cells across.
        like: for type, at least single, and device.

    Returns:
        `[1 S 4]` cxcywh as fractions; `[1 S 1]` bool, where there is none.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    rows, columns = (
        (torch.arange(cells, dtype=dtype, device=like.device) + 0.5) / cells
        for cells in (height, width)
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    side = torch.full_like(x, SIDE)
    boxes = rearrange(torch.stack((x, y, side, side)), "four h w -> 1 (h w) four")
    # Only with 50 cells and more along a side: those of the border.
    nowhere = ((boxes <= MARGIN) | (boxes >= 1 - MARGIN)).any(dim=-1, keepdim=True)
    return boxes.masked_fill(nowhere, 0.0), nowhere


def moved(references: Tensor, steps: Tensor) -> Tensor:
    """Boxes `[... 4]` cxcywh: steps in parts of the reference's sides, and their logarithms.

    Plain fractions, without a sigmoid anywhere: boxes may reach outside of the picture.
    """
    steps = at_least_single(steps)
    centres = references[..., :2] + steps[..., :2] * references[..., 2:]
    return torch.cat((centres, references[..., 2:] * steps[..., 2:].exp()), dim=-1)
