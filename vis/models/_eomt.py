"""EoMT (Kerssies et al., 2025): queries among the patches of a plain vision transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from vis.backbones.dinov2_registers import FIRST, RegisterDINOv2
from vis.layers.padding import padded_size_of, padding_mask
from vis.losses.frame_query_loss import FrameLayer, FrameQueryLoss
from vis.losses.targets import check_classes
from vis.models._contract import Model
from vis.models._frame_output import FrameMasks, FrameParts, FramePatches, Output
from vis.models._masks import precision_of_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.models._query_selection import Selection
    from vis.records import Clip, ClipPredictions, ClipTargets

STRIDE = 32
"""Frames are padded to a multiple of it, as published, though patches have 16 pixels."""
PATCH = 16


class EoMT(Model[Output]):
    """Queries join the last blocks of a plain transformer; padding counts as content.

    Args:
        classes: number of classes in the data set.
        frames: the most of a clip.
        is_semantic: whether a prediction is the region of a class.
        backbone: frames to tokens.
        queries: learned.
        class_head: normed query to logits.
        mask_head: normed query to mask embedding.
        upscale: normed patches to mask features.
        loss: of layers and targets.
        selection: what of the queries becomes predictions.
        chunk: frames that go through the first blocks at once.
    """

    name: ClassVar[str] = "videomt"

    def __init__(
        self,
        *,
        classes: int,
        frames: int,
        is_semantic: bool,
        backbone: RegisterDINOv2,
        queries: nn.Embedding,
        class_head: nn.Linear,
        mask_head: nn.Module,
        upscale: nn.Module,
        loss: FrameQueryLoss,
        selection: Selection,
        chunk: int,
    ) -> None:
        super().__init__()
        self.classes, self.frames, self.chunk = classes, frames, chunk
        self.is_semantic = is_semantic
        self.backbone, self.queries = backbone, queries
        self.class_head, self.mask_head, self.upscale = class_head, mask_head, upscale
        self.loss, self.selection = loss, selection

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of pictures; outside of training, only the last layer says anything.

        Raises:
            UsageError: the clips have more than one frame.
        """
        self.check_single(clip)
        tokens, size = self._tokens(clip)
        _, layers = self._frame(self._learned(len(tokens)), tokens[:, 0], size)
        return self._output([layers], size, clip)

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.classes)
        return self.loss(output.layers, output.padded_size, targets)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch; `embeddings` are the queries' states.

        A query may be predicted with several classes, as published.
        """
        del clip
        return self.selection(output)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()

    def _tokens(self, clip: Clip) -> tuple[Tensor, tuple[int, int]]:
        """Tokens `[B T n C]` of all frames before the queries join them, and the padded size."""
        padded_size = padded_size_of(clip.frames, STRIDE)
        padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
        B, T = clip.frames.shape[:2]
        pixels, parts = clip.frames.flatten(0, 1), []
        for rows in torch.split(torch.arange(B * T, device=pixels.device), self.chunk):
            outside = None if padding is None else padding[rows // T]
            x = self.normalize(pixels[rows], outside, self.class_head.weight.dtype)
            parts.append(self.backbone(x))
        return rearrange(torch.cat(parts), "(b t) n c -> b t n c", b=B), padded_size

    def _learned(self, batch: int) -> Tensor:
        return self.queries.weight.expand(batch, -1, -1)

    def _frame(
        self, queries: Tensor, tokens: Tensor, padded_size: tuple[int, int]
    ) -> tuple[Tensor, list[FrameParts]]:
        """One frame: queries `[B Q C]` after the last block, not normed, and what layers say."""
        Q = queries.shape[1]
        x, parts = torch.cat((queries.to(tokens.dtype), tokens), dim=1), []
        for layer in self.backbone.late_blocks():
            # Before each block, too, in training; normed there, which the published clips forget.
            if self.training:
                parts.append(self._said(x, Q, padded_size))
            x = layer(x)
        parts.append(self._said(x, Q, padded_size))
        return x[:, :Q], parts

    def _said(self, x: Tensor, queries: int, padded_size: tuple[int, int]) -> FrameParts:
        """Tokens `[B Q + n C]` as normed queries, logits, mask embeddings and normed patches."""
        x = self.backbone.norm(x)
        states = x[:, :queries]
        height = padded_size[0] // PATCH
        cells = rearrange(x[:, queries + FIRST :], "b (h w) c -> b c h w", h=height)
        # The mask features of training belong to `forward`, where autocast and wrappers see them.
        features = self.upscale(cells) if self.training else None
        logits, mask_embeddings = self.class_head(states), self.mask_head(states)
        return FrameParts(states, logits, mask_embeddings, cells, features)

    def _output(
        self, frames: Sequence[list[FrameParts]], padded_size: tuple[int, int], clip: Clip
    ) -> Output:
        """What all frames said, layer by layer."""
        layers = [FrameParts.of_clip(parts) for parts in zip(*frames, strict=True)]
        last = layers[-1]
        masks = FrameMasks(
            self.upscale,
            FramePatches(last.mask_embeddings, last.cells),
            precision_of_now(clip.frames.device.type),
        )
        said = [FrameLayer(x.logits, x.mask_embeddings, x.mask_features) for x in layers]
        return Output(said, masks, last.states, padded_size, clip.sizes)
