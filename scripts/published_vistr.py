"""VisTR's and TT-SRN's forward in the published order of work, on our parameters, to measure ours.

Published: all frames through the backbone at once, attention by `nn.MultiheadAttention` with the
weights that nobody asked for, the mask head frame by frame on maps copied for each query, and the
head over time query by query. Same numbers as `vis.models.vistr`, which orders the work otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from published_attention import attended
from torch.nn import functional

from vis.layers.padding import downsample_padding, normalize, padded_size_of, padding_mask
from vis.models._masks import MaskBranch

if TYPE_CHECKING:
    from torch import Tensor

    from vis.layers.masks import Pyramid
    from vis.layers.transformer import Transformer
    from vis.models._sequence import SequenceModel
    from vis.records import Clip


def published_order(model: SequenceModel, clip: Clip) -> tuple[Tensor, Tensor, Tensor]:
    """Of a batch of one clip.

    Returns:
        Logits `[1 T N K]` and boxes `[1 T N 4]` of the last layer, and mask logits `[1 T N h w]`.
    """
    T, device = clip.frames.shape[1], clip.frames.device
    padded_size = padded_size_of(clip.frames, model.backbone.multiple)
    padding = padding_mask(clip.sizes, padded_size, device)
    levels = model.backbone(normalize(clip.frames[0], padding, model.queries.dtype))
    projected = model.projection(levels[-1])
    outside = torch.zeros((1, T, *projected.shape[-2:]), dtype=torch.bool, device=device)
    if padding is not None:
        small = downsample_padding(padding, projected.shape[-2:])
        outside = small[:, None].expand_as(outside)
    tokens = rearrange(projected, "t c h w -> 1 (t h w) c")
    places = model.positions(outside).flatten(1, 3).to(tokens.dtype)
    states, memory = _transformed(
        model.transformer, tokens, places, model.queries[: T * model.instance_queries], outside
    )
    said = [
        (model.class_head(state), model.box_head(state).sigmoid())
        for state in (rearrange(state, "b (t n) c -> b t n c", t=T) for state in states)
    ]
    maps = rearrange(memory, "1 (t h w) c -> t c h w", t=T, h=projected.shape[-2])
    queries = rearrange(states[-1], "1 (t n) c -> t n c", t=T)
    return *said[-1], _masks(model, queries, maps, levels[:-1], outside[0])


def _transformed(
    transformer: Transformer, tokens: Tensor, places: Tensor, queries: Tensor, outside: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Every decoder layer's state, and the memory."""
    blocked = outside.flatten(1)
    for layer in transformer.encoder:
        placed = tokens + places
        tokens = layer.norm1(
            tokens + attended(layer.self_attention, placed, placed, tokens, padding=blocked)
        )
        tokens = layer.norm2(tokens + layer.feedforward(tokens))
    state, states = torch.zeros_like(queries)[None], []
    for layer in transformer.decoder:
        placed = state + queries
        state = layer.norm1(state + attended(layer.self_attention, placed, placed, state))
        mixed = attended(
            layer.cross_attention, state + queries, tokens + places, tokens, padding=blocked
        )
        state = layer.norm2(state + mixed)
        state = layer.norm3(state + layer.feedforward(state))
        states.append(transformer.norm(state))
    return states, tokens


def _masks(
    model: SequenceModel, queries: Tensor, memory: Tensor, levels: list[Tensor], outside: Tensor
) -> Tensor:
    """`[T N C]`, `[T C h w]` -> `[1 T N h w]`."""
    branch = model.masks
    assert isinstance(branch, MaskBranch)
    frames = []
    for t, of_frame in enumerate(queries):
        copies = memory[t].expand(len(of_frame), -1, -1, -1)
        keys = branch.attention.keys(copies)
        blocked = outside[t].flatten().expand(len(of_frame), -1)
        looks = branch.attention(of_frame, keys, blocked).unflatten(-1, copies.shape[-2:])
        laterals = [level[t : t + 1] for level in levels]
        frames.append(_refined(branch.pyramid, torch.cat([copies, looks], dim=1), laterals))
    refined = torch.stack(frames)
    volumes = (refined[:, n].transpose(0, 1)[None] for n in range(refined.shape[1]))
    return torch.stack([branch.volume(volume)[:, 0] for volume in volumes], dim=2)


def _refined(pyramid: Pyramid, x: Tensor, levels: list[Tensor]) -> Tensor:
    """Up the pyramid, the backbone's maps of a frame copied for each query."""
    first, second, *stages = pyramid.stages
    x = second(first(x))
    for lateral, level, stage in zip(
        pyramid.laterals, reversed(levels), [*stages, pyramid.end], strict=True
    ):
        added = lateral(level).expand(len(x), -1, -1, -1)
        x = stage(added + functional.interpolate(x, added.shape[-2:], mode="nearest"))
    return x
