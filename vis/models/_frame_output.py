"""What a model whose queries go from frame to frame hands to its own verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from vis.layers.padding import crop_to_valid
from vis.ops.boxes import boxes_of
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from vis.losses.frame_query_loss import FrameLayer
    from vis.models._masks import Masks


class FrameParts(NamedTuple):
    """What one layer says of a frame of each video, `[B ...]`, or of a clip, `[B T ...]`."""

    states: Tensor
    """`[B Q C]` normed queries."""
    logits: Tensor
    """`[B Q K + 1]`."""
    mask_embeddings: Tensor
    """`[B Q D]`."""
    cells: Tensor
    """`[B D h w]` normed patches."""
    mask_features: Tensor | None
    """`[B D 4h 4w]` in training."""

    @classmethod
    def of_clip(cls, frames: Sequence[FrameParts]) -> FrameParts:
        """Of all frames of a clip."""
        features = [frame.mask_features for frame in frames if frame.mask_features is not None]
        return cls(
            torch.stack([frame.states for frame in frames], dim=1),
            torch.stack([frame.logits for frame in frames], dim=1),
            torch.stack([frame.mask_embeddings for frame in frames], dim=1),
            torch.stack([frame.cells for frame in frames], dim=1),
            torch.stack(features, dim=1) if features else None,
        )


class FramePatches(NamedTuple):
    """What masks are made of, before it is enlarged."""

    mask_embeddings: Tensor
    """`[B T N D]`; a query's differs from frame to frame."""
    patches: Tensor
    """`[B T D h w]` normed, of stride 16."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameMasks:
    """Masks of stride 4 of the queries that are asked for; patches are enlarged frame by frame.

    Of all frames at once the enlarged map would be 16 times what is held here.
    """

    upscale: nn.Module
    inputs: FramePatches
    precision: AbstractContextManager[object]
    """As it was in the model's `forward`, wherever the masks are asked for."""

    def logits(self, select: Tensor) -> Tensor:
        """`[B N]` bool -> `[S T h w]`, the selected queries clip by clip, at least single."""
        clips = zip(*self.inputs, select, strict=True)
        return torch.cat([self._of(*clip) for clip in clips])

    def _of(self, mask_embeddings: Tensor, patches: Tensor, selected: Tensor) -> Tensor:
        """`[T N D]`, `[T D h w]`, `[N]` -> `[S T h w]`."""
        frames = []
        for embeddings, cells in zip(mask_embeddings[:, selected], patches, strict=True):
            with self.precision:
                features = self.upscale(cells[None])[0]
            # Half precision would flip pixels whose logit lies near zero.
            kind = torch.promote_types(features.dtype, torch.float32)
            with torch.autocast(features.device.type, enabled=False):
                frames.append(torch.einsum("nd,dhw->nhw", embeddings.to(kind), features.to(kind)))
        return torch.stack(frames, dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The layers (in use, the last alone), and what of the padded frames is content."""

    layers: list[FrameLayer]
    """In training with their mask features; the last is the prediction."""
    last_masks: FrameMasks
    """The masks of the last layer."""
    queries: Tensor
    """`[B T Q C]` normed, of the last layer."""
    padded_size: tuple[int, int]
    sizes: Tensor
    """`[B 2]` pixels of the content."""

    @property
    def class_logits(self) -> Tensor:
        """`[B Q K + 1]` mean over the frames: a video is named once (VidEoMT, 3.3)."""
        return self.layers[-1].logits.float().mean(dim=1)

    @property
    def states(self) -> Tensor:
        """`[B Q C]` mean over the frames."""
        return self.queries.float().mean(dim=1)

    def masks(self) -> Masks:
        """Of the last layer, computed for those that are asked for."""
        return self.last_masks


def all_queries(output: Output) -> list[ClipPredictions]:
    """Every query of each clip as a row, in their order, named by the clip's mean logits."""
    logits = output.layers[-1].logits.float()
    class_probs = output.class_logits.softmax(dim=-1)[..., :-1]
    predictions = []
    for clip, size in enumerate(output.sizes.tolist()):
        select = torch.zeros(class_probs.shape[:2], dtype=torch.bool, device=logits.device)
        select[clip] = True
        height, width = size
        masks = crop_to_valid(output.masks().logits(select), output.padded_size, (height, width))
        masks = masks.sigmoid()
        scores, labels = class_probs[clip].max(dim=-1)
        predictions.append(
            ClipPredictions(
                scores=scores,
                labels=labels,
                class_scores=class_probs[clip],
                boxes=boxes_of(masks > 0.5),
                masks=masks,
                presence=masks.amax(dim=(2, 3)),
                embeddings=output.states[clip],
                query_logits=logits[clip].transpose(0, 1),
            )
        )
    return predictions
