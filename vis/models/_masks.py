"""Masks of instance slots: computed for those slots alone that somebody asks for."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

if TYPE_CHECKING:
    from vis.layers.masks import AttentionMaps, Pyramid, Scene


class Masks(Protocol):
    """Mask logits of all slots, at hand or not yet."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected slots clip by clip."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DenseMasks:
    """All of them, at hand."""

    values: Tensor
    """`[B N T h w]`."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected slots clip by clip."""
        return self.values[select]


class Sight(NamedTuple):
    """What the backbone saw of every frame."""

    projected: Tensor
    """`[B*T C h w]` of stride 32."""
    laterals: list[Tensor]
    """Of strides 16, 8 and 4, for the masks; empty without them."""
    padding: Tensor | None
    """`[B T h w]` bool of stride 32, None for none."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the mask branch needs to know of a batch of clips."""

    queries: Tensor
    """`[B T N C]` of the last decoder layer."""
    keys: Tensor
    """`[B*T h*w C]` of the attention maps."""
    size: torch.Size
    """Cells of the maps of stride 32, height and width."""
    padding: Tensor | None
    """`[B*T h*w]` bool, None for none."""
    scene: Scene


@dataclass(frozen=True, slots=True, eq=False)
class DeferredMasks:
    """None computed yet; nothing is kept of those that are."""

    branch: MaskBranch
    view: View
    precision: AbstractContextManager[object]
    """As it was when the model looked, wherever the masks are asked for."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected slots clip by clip."""
        with self.precision:
            return self.branch(self.view, select.nonzero())  # type: ignore[no-any-return]


class MaskBranch(nn.Module):
    """VisTR's: the pyramid refines the encoder's memory, then a head looks along time.

    Args:
        attention: query and memory to attention maps.
        pyramid: attention maps to refined maps.
        volume: refined maps of one slot through all frames to logits.
        chunk: maps that are refined at once; it bounds memory and changes no result.
    """

    def __init__(
        self, *, attention: AttentionMaps, pyramid: Pyramid, volume: nn.Module, chunk: int
    ) -> None:
        super().__init__()
        self.attention, self.pyramid, self.volume = attention, pyramid, volume
        self.chunk = chunk

    def context(self, projected: Tensor, memory: Tensor) -> Tensor:
        """Which of the two maps of stride 32 the pyramid refines."""
        del projected
        return memory

    def deferred(self, queries: Tensor, sight: Sight, memory: Tensor) -> DeferredMasks:
        """What is common to all slots is computed, the masks are not yet.

        Args:
            queries: `[B T N C]` of the last decoder layer.
            sight: what the backbone saw.
            memory: `[B*T C h w]` after the encoder.
        """
        padding = sight.padding
        context = self.context(sight.projected, memory)
        view = View(
            queries=queries,
            keys=self.attention.keys(memory),
            size=memory.shape[-2:],
            padding=None if padding is None else rearrange(padding, "b t h w -> (b t) (h w)"),
            scene=self.pyramid.scene(context, sight.laterals),
        )
        return DeferredMasks(self, view, _precision(queries.device.type))

    def forward(self, view: View, slots: Tensor) -> Tensor:
        """`slots [S 2]`, clip and slot of each -> `[S T h w]`."""
        T = view.queries.shape[1]
        if len(slots) == 0:
            return view.queries.new_zeros(0, T, *view.scene.laterals[-1].shape[-2:])
        at_once = max(1, self.chunk // T)
        return torch.cat([self._through_time(view, part) for part in torch.split(slots, at_once)])

    def _through_time(self, view: View, slots: Tensor) -> Tensor:
        clips, numbers = slots.unbind(dim=1)
        queries = view.queries[clips, :, numbers]
        T = queries.shape[1]
        frames = clips[:, None] * T + torch.arange(T, device=clips.device)
        parts = zip(
            torch.split(queries.flatten(0, 1), self.chunk),
            torch.split(frames.flatten(), self.chunk),
            strict=True,
        )
        refined = torch.cat([self._refined(view, *part) for part in parts])
        volumes = rearrange(refined, "(s t) c h w -> s c t h w", s=len(slots))
        return self.volume(volumes).squeeze(1)  # type: ignore[no-any-return]

    def _refined(self, view: View, queries: Tensor, frames: Tensor) -> Tensor:
        """`[M C]`, `[M]` -> `[M D h w]`."""
        padding = None if view.padding is None else view.padding[frames]
        maps = self.attention(queries, view.keys[frames], padding)
        maps = rearrange(maps, "m heads (h w) -> m heads h w", h=view.size[0])
        return self.pyramid(maps, view.scene, frames)  # type: ignore[no-any-return]


class ImageMaskBranch(MaskBranch):
    """DETR's: the pyramid refines the map as it was before the encoder, down to the logits."""

    def __init__(self, *, attention: AttentionMaps, pyramid: Pyramid, chunk: int) -> None:
        super().__init__(attention=attention, pyramid=pyramid, volume=nn.Identity(), chunk=chunk)

    def context(self, projected: Tensor, memory: Tensor) -> Tensor:
        """Which of the two maps of stride 32 the pyramid refines."""
        del memory
        return projected


def _precision(device: str) -> AbstractContextManager[object]:
    """The autocast of now, to be entered later."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    enabled = torch.is_autocast_enabled(device)
    return torch.autocast(device, torch.get_autocast_dtype(device), enabled=enabled)
