"""From queries with coded masks to predictions: the surest pairs, decoded and put in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from vis.layers.code_heads import CodeInputs
from vis.models._query_selection import best_pairs
from vis.ops.crops import put_back
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor

    from vis.layers.code_heads import ConvCodes, LinearCodes
    from vis.layers.mask_codes import MaskCodec

STRIDE = 4
"""Pixels of a cell of the predicted masks."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What all stages say of a batch of clips, the last one last."""

    logits: list[Tensor]
    """`[B T Q K]`; a sigmoid each."""
    boxes: list[Tensor]
    """`[B T Q 4]` corners as fractions of the content, not necessarily inside."""
    states: list[Tensor]
    """`[B T Q C]`."""
    levels: list[Tensor]
    """`[B T C h w]` of the pyramid; masks are seen there."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""
    codes: list[tuple[Tensor, Tensor | None]]
    """`[B T Q E]`, and maps beside them, in training; in use none, until they are asked for."""


def sides_of(sizes: Tensor, boxes: Tensor) -> Tensor:
    """Contents `[B 2]` -> width, height, width, height, to broadcast with corners `[B ... 4]`."""
    sides = sizes.flip(1).repeat(1, 2).to(boxes.device, boxes.dtype)
    return sides.view(len(sides), *[1] * (boxes.dim() - 2), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSelection:
    """The surest pairs of query and class; only their masks are ever looked at."""

    keep: int
    averaged: int
    """The logits are the mean of those of so many last stages."""
    inside: float
    """What is at least as probable belongs to a mask."""

    def __call__(
        self, output: Output, head: LinearCodes | ConvCodes, codec: MaskCodec
    ) -> list[ClipPredictions]:
        """Of each clip the best first, without those that show nothing."""
        # Logits of several stages, but boxes of the last alone, as v2 was released.
        logits = torch.stack(output.logits[-self.averaged :]).float().mean(dim=0)
        boxes = output.boxes[-1].float().clamp(0, 1)
        return [
            self._of(output, clip, logits[clip].sigmoid(), boxes[clip], head=head, codec=codec)
            for clip in range(len(boxes))
        ]

    def _of(
        self,
        output: Output,
        clip: int,
        class_probs: Tensor,
        boxes: Tensor,
        *,
        head: LinearCodes | ConvCodes,
        codec: MaskCodec,
    ) -> ClipPredictions:
        """From `[T Q K]` and `[T Q 4]`."""
        # A clip's query has one class: the mean of its frames.
        scores = class_probs.mean(dim=0)
        pairs = best_pairs(scores, self.keep)
        # A query may be chosen with several classes; its mask is decoded once.
        queries, inverse = torch.unique(pairs.queries, return_inverse=True)
        height, width = (-(-side // STRIDE) for side in output.sizes[clip].tolist())
        soft = decoded(output, clip, queries, head=head, codec=codec)
        masks = pasted(soft, boxes[:, queries].transpose(0, 1), (height, width))
        masks = centred(masks, self.inside)[inverse]
        nonempty = (masks > 0.5).flatten(1).any(dim=1).nonzero()[:, 0]
        pairs, masks = pairs.of(nonempty), masks[nonempty]
        return ClipPredictions(
            scores=pairs.scores,
            labels=pairs.labels,
            class_scores=scores[pairs.queries],
            boxes=boxes[:, pairs.queries].transpose(0, 1),
            masks=masks,
            presence=class_probs[:, pairs.queries, pairs.labels].T,
            embeddings=output.states[-1][clip, -1, pairs.queries].float(),
        )


def decoded(
    output: Output, clip: int, queries: Tensor, *, head: LinearCodes | ConvCodes, codec: MaskCodec
) -> Tensor:
    """`[N T m m]` masks of the last stage in their boxes, for the queries `[N]` of a clip."""
    states = output.states[-1][clip][:, queries]
    T, N = states.shape[:2]
    boxes = output.boxes[-1][clip][:, queries]
    boxes = boxes * sides_of(output.sizes[clip, None], boxes[None])[0]
    frames = torch.arange(T, device=queries.device).repeat_interleave(N)
    levels = [level[clip] for level in output.levels]
    inputs = CodeInputs(states.flatten(0, 1), boxes.flatten(0, 1), frames, levels)
    masks = codec.decode(*head(inputs))
    return rearrange(masks, "(t n) y x -> n t y x", t=T)


def pasted(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """`[N T m m]` into `[N T h w]`, zero where the box `[N T 4]` has no height or width."""
    full = masks.new_zeros(*masks.shape[:2], *size)
    # A box without area has nowhere to put a mask; resizing it would divide by zero.
    valid = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)
    full[valid] = put_back(masks[valid], boxes[valid], size)
    return full


def centred(probs: Tensor, inside: float) -> Tensor:
    """Probabilities 0..1 whose border between in and out is a half instead of `inside`."""
    probs = probs.float().clamp(0, 1)
    # Two straight lines through (0, 0), (inside, 1/2) and (1, 1).
    below, above = probs / (2 * inside), 1 - (1 - probs) / (2 * (1 - inside))
    return torch.where(probs < inside, below, above)
