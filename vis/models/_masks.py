"""Masks of instance queries: computed for those queries alone that somebody asks for."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.layers.masks import AttentionMaps, Pyramid
    from vis.layers.transformer import Memory


class Masks(Protocol):
    """Mask logits of all queries, at hand or not yet."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected queries clip by clip."""
        ...


class SequenceMasks(Masks, Protocol):
    """Those of a batch of clips, of which a graph asks for a number that it knows before."""

    def logits_at(self, queries: Tensor) -> Tensor:
        """Clip and query of each, `[S 2]` -> `[S T h w]`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DenseMasks:
    """All of them, at hand."""

    values: Tensor
    """`[B N T h w]`."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected queries clip by clip."""
        return self.values[select]

    def logits_at(self, queries: Tensor) -> Tensor:
        """Clip and query of each, `[S 2]` -> `[S T h w]`."""
        return self.values[queries[:, 0], queries[:, 1]]


class BackboneFeatures(NamedTuple):
    """What the backbone makes of every frame of a batch of clips."""

    projected: Tensor
    """`[B*T C h w]` of stride 32, at the transformer's width."""
    laterals: list[Tensor]
    """`[B*T C h w]` of strides 16, 8 and 4, for the masks; empty without them."""
    padding: Tensor | None
    """`[B T h w]` bool of stride 32, None for none."""
    padded_size: tuple[int, int]
    """Height and width in pixels that the maps cover."""


class MaskHead(Protocol):
    """What a model of instance queries asks of a mask head, whichever it is."""

    def lateral_maps(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps `[F C h w]` of strides 4, 8 and 16 -> the `laterals` of `BackboneFeatures`."""
        ...

    def deferred(
        self, queries: Tensor, features: BackboneFeatures, memory: Memory
    ) -> SequenceMasks:
        """The masks of queries `[B T N C]`, computed now or when they are asked for."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MaskContext:
    """What the mask branch keeps of a batch of clips, whichever query it is asked for."""

    queries: Tensor
    """`[B T N C]` of the last decoder layer."""
    keys: Tensor
    """`[B*T h*w C]` of the attention maps."""
    padding: Tensor | None
    """`[B*T h*w]` bool, None for none."""
    frame_term: Tensor
    """`[B*T C+heads h w]` what each frame adds to the pyramid's first convolution."""
    laterals: list[Tensor]
    """`[B*T C h w]` of strides 16, 8 and 4."""


@dataclass(frozen=True, slots=True, eq=False)
class DeferredMasks:
    """None computed yet; nothing is kept of those that are."""

    branch: MaskBranch
    context: MaskContext
    precision: AbstractContextManager[object]
    """As it was in the model's `forward`, wherever the masks are asked for."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected queries clip by clip."""
        return self.logits_at(select.nonzero())

    def logits_at(self, queries: Tensor) -> Tensor:
        """Clip and query of each, `[S 2]` -> `[S T h w]`."""
        with self.precision:
            return self.branch(self.context, queries)  # type: ignore[no-any-return]


class MaskBranch(nn.Module):
    """VisTR's: the pyramid refines the encoder's memory, then a head looks along time.

    Args:
        attention: query and memory to attention maps.
        pyramid: attention maps to refined maps.
        volume: refined maps of one query through all frames to logits.
        chunk: maps that are refined at once; it bounds memory and changes no result.
    """

    def __init__(
        self, *, attention: AttentionMaps, pyramid: Pyramid, volume: nn.Module, chunk: int
    ) -> None:
        super().__init__()
        self.attention, self.pyramid, self.volume = attention, pyramid, volume
        self.chunk = chunk

    def lateral_maps(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps `[F C h w]` of strides 4, 8 and 16 -> the laterals of strides 16, 8 and 4."""
        return self.pyramid.lateral_maps(levels)

    def refined_map(self, projected: Tensor, memory: Tensor) -> Tensor:
        """Which of the two maps `[B*T C h w]` of stride 32 the pyramid refines."""
        del projected
        return memory

    def deferred(
        self, queries: Tensor, features: BackboneFeatures, memory: Memory
    ) -> DeferredMasks:
        """What is common to all queries is computed, the masks are not yet.

        Args:
            queries: `[B T N C]` of the last decoder layer.
            features: of the backbone.
            memory: of the encoder, the cells of a clip's frames end to end.
        """
        T, (h, w) = queries.shape[1], features.projected.shape[-2:]
        encoded = rearrange(memory.tokens, "b (t h w) c -> (b t) c h w", t=T, h=h, w=w)
        padding = features.padding
        context = MaskContext(
            queries=queries,
            keys=self.attention.keys(encoded),
            padding=None if padding is None else rearrange(padding, "b t h w -> (b t) (h w)"),
            frame_term=self.pyramid.frame_term(self.refined_map(features.projected, encoded)),
            laterals=features.laterals,
        )
        return DeferredMasks(self, context, precision_of_now(queries.device.type))

    def forward(self, context: MaskContext, selected: Tensor) -> Tensor:
        """`selected [S 2]`, clip and query of each -> `[S T h w]`."""
        T = context.queries.shape[1]
        if len(selected) == 0:
            return context.queries.new_zeros(0, T, *context.laterals[-1].shape[-2:])
        # A query's frames stay together: the volume head looks along time.
        at_once = max(1, self.chunk // T)
        parts = torch.split(selected, at_once)
        return torch.cat([self._through_time(context, part) for part in parts])

    def _through_time(self, context: MaskContext, selected: Tensor) -> Tensor:
        clips, numbers = selected.unbind(dim=1)
        queries = context.queries[clips, :, numbers]
        T = queries.shape[1]
        # Frames of all clips lie end to end, as the backbone saw them.
        frames = clips[:, None] * T + torch.arange(T, device=clips.device)
        parts = zip(
            # Queries and their frames are cut alike, so that each map meets its own frame.
            torch.split(queries.flatten(0, 1), self.chunk),
            torch.split(frames.flatten(), self.chunk),
            strict=True,
        )
        refined = torch.cat([self._refined(context, *part) for part in parts])
        volumes = rearrange(refined, "(s t) c h w -> s c t h w", s=len(selected))
        return self.volume(volumes).squeeze(1)  # type: ignore[no-any-return]

    def _refined(self, context: MaskContext, queries: Tensor, frames: Tensor) -> Tensor:
        """`[M C]`, `[M]` -> `[M D h w]`."""
        # The softmax runs over the cells of the valid size alone.
        padding = None if context.padding is None else context.padding[frames]
        maps = self.attention(queries, context.keys[frames], padding)
        height = context.frame_term.shape[-2]
        maps = rearrange(maps, "m heads (h w) -> m heads h w", h=height)
        return self.pyramid(  # type: ignore[no-any-return]
            maps, frames, context.frame_term, context.laterals
        )


class ImageMaskBranch(MaskBranch):
    """DETR's: the pyramid refines the map as it was before the encoder, down to the logits."""

    def __init__(self, *, attention: AttentionMaps, pyramid: Pyramid, chunk: int) -> None:
        super().__init__(attention=attention, pyramid=pyramid, volume=nn.Identity(), chunk=chunk)

    def refined_map(self, projected: Tensor, memory: Tensor) -> Tensor:
        """Which of the two maps `[B*T C h w]` of stride 32 the pyramid refines."""
        del memory
        return projected


def precision_of_now(device: str) -> AbstractContextManager[object]:
    """The autocast of now, to be entered later."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    # Masks are computed after the model's forward; autocast has ended by then.
    enabled = torch.is_autocast_enabled(device)
    return torch.autocast(device, torch.get_autocast_dtype(device), enabled=enabled)
