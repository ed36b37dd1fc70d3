"""Mask2Former (Cheng et al., 2022; clips 2021): queries that look only inside their own masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import nn

from vis import backbones
from vis.errors import UsageError
from vis.layers.masked_decoder import MaskedDecoder
from vis.layers.padding import padded_size_of, padding_mask
from vis.layers.pixel_decoder import GROUPS, PixelDecoder
from vis.layers.positions import AddedSinePositions3D, SinePositions2D
from vis.losses.query_loss import PUBLISHED_POINTS, QueryLoss, QueryOutput
from vis.losses.targets import check_classes
from vis.models._checks import check_choice, check_counts, check_fractions
from vis.models._contract import Model
from vis.models._memory_order import ordered
from vis.models._query_output import Output
from vis.models._query_selection import TASKS, VIDEO, selection_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from vis.backbones.levels import Backbone
    from vis.models._query_selection import Selection
    from vis.records import Clip, ClipPredictions, ClipTargets

STRIDE = 32
"""Of the coarsest level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the published models of clips."""

    RENAMED: ClassVar[dict[str, str]] = {
        "width": "d_model",
        "heads": "num_heads",
        "hidden": "ffn_dim",
        "pixel_hidden": "pixel_ffn_dim",
    }

    classes: int
    """Number of classes in the data set."""
    task: str = VIDEO
    """What is predicted: tracks of a clip (`video`), or of a picture its objects (`instance`),
    its segments (`panoptic`) or the class of each pixel (`semantic`)."""
    frames: int = 36
    """The most of a clip; a picture has 1. No weight depends on it: 36 are the longest videos of
    YouTube-VIS, which the published code looks at as a whole; memory grows with it, and beyond
    100 the published models lose track."""
    backbone: str = "resnet50"
    """A name of `vis.backbones`."""
    d_model: int = 256
    """Channels of levels and queries."""
    mask_width: int = 256
    """Channels of mask features and mask embeddings."""
    queries: int = 100
    """Number of queries, so the most tracks of a clip or objects of a picture."""
    num_heads: int = 8
    """Heads of each attention."""
    pixel_depth: int = 6
    """Layers of the pixel decoder."""
    pixel_ffn_dim: int = 1024
    """Channels inside the pixel decoder's feed-forward parts."""
    depth: int = 9
    """Layers of the decoder of queries."""
    ffn_dim: int = 2048
    """Channels inside the feed-forward parts of the decoder of queries."""
    points: int = PUBLISHED_POINTS
    """Number of points at which the loss compares two masks."""
    published_labels: bool = False
    """Whether an object that left before the last frame is taught as no object, as published."""
    keep: int | None = None
    """The most predictions; as published, 10 of a clip and 100 of a picture."""
    things: int | None = None
    """The first classes that are objects, where the others are not (`panoptic`, `instance`)."""
    min_score: float = 0.8
    """Segments have a class that is more probable."""
    min_whole: float = 0.8
    """Share of its mask that a segment keeps, or it is left out."""
    chunk: int = 8
    """Frames whose maps are computed at once; bounds memory, changes no result."""


class Mask2Former(Model[Output]):
    """The published model; padding counts as content, as published.

    Args:
        classes: number of classes in the data set.
        frames: the most of a clip.
        is_semantic: whether a prediction is the region of a class.
        backbone: frames to four maps.
        pixel_decoder: four maps to the mask features and three levels.
        decoder: levels and mask features to states and mask embeddings.
        class_head: state to logits.
        loss: of output and targets.
        selection: what of the queries becomes predictions.
        chunk: frames whose maps are computed at once.
    """

    name: ClassVar[str] = "mask2former"

    def __init__(
        self,
        *,
        classes: int,
        frames: int,
        is_semantic: bool,
        backbone: Backbone,
        pixel_decoder: PixelDecoder,
        decoder: MaskedDecoder,
        class_head: nn.Linear,
        loss: QueryLoss,
        selection: Selection,
        chunk: int,
    ) -> None:
        super().__init__()
        self.classes, self.frames, self.chunk = classes, frames, chunk
        self.is_semantic = is_semantic
        # The published models train the stem, too, which detectors usually freeze.
        self.backbone = backbone.requires_grad_(True)
        self.pixel_decoder, self.decoder = pixel_decoder, decoder
        self.class_head = class_head
        self.loss, self.selection = loss, selection

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips; outside of training, only the last layer names classes.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        remedy = "Cut the video into shorter windows, or build it with more `frames`."
        self.check_length(clip, remedy=remedy)
        padded_size = padded_size_of(clip.frames, max(STRIDE, self.backbone.multiple))
        padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
        mask_features, levels = self._see(clip.frames, padding)
        states, mask_embeddings = self.decoder(levels, mask_features)
        if not self.training:
            # In use only the last layer is read; masks of all layers are ten times the memory.
            states, mask_embeddings = states[-1:], mask_embeddings[-1:]
        # One head for all layers, and for the learned queries before the first.
        logits = [self.class_head(state) for state in states]
        return Output(
            QueryOutput(logits, mask_embeddings, mask_features, padded_size), states[-1], clip.sizes
        )

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.classes)
        return self.loss(output.queries, targets)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch; `embeddings` are the queries' states.

        A query may be predicted with several classes, as published. Masks are enlarged by whoever
        uses them, so only those of the predictions ever are.
        """
        del clip
        return self.selection(output)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.pixel_decoder.layers
        yield from self.decoder.layers

    def _see(self, frames: Tensor, padding: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """`[B T 3 H W]` -> `[B T D h w]` of stride 4 and three levels `[B*T C h w]`."""
        B, T = frames.shape[:2]
        pixels, parts = frames.flatten(0, 1), []
        for rows in torch.split(torch.arange(B * T, device=frames.device), self.chunk):
            outside = None if padding is None else padding[rows // T]
            x = self.normalize(pixels[rows], outside, self.class_head.weight.dtype)
            maps = self.backbone(ordered(x))
            mask_features, levels = self.pixel_decoder(maps)
            parts.append((mask_features, *levels))
        mask_features, *levels = (torch.cat(x) for x in zip(*parts, strict=True))
        return rearrange(mask_features, "(b t) d h w -> b t d h w", b=B), levels


def build(config: Config) -> Mask2Former:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    backbone = backbones.build(config.backbone)
    # Time is added to the code of space, so that weights of pictures keep their meaning.
    positions = AddedSinePositions3D if config.task == VIDEO else SinePositions2D
    return Mask2Former(
        classes=config.classes,
        frames=config.frames if config.task == VIDEO else 1,
        is_semantic=config.task == "semantic",
        backbone=backbone,
        pixel_decoder=PixelDecoder(
            backbone.channels,
            config.d_model,
            out=config.mask_width,
            depth=config.pixel_depth,
            num_heads=config.num_heads,
            ffn_dim=config.pixel_ffn_dim,
        ),
        decoder=MaskedDecoder(
            config.d_model,
            out=config.mask_width,
            queries=config.queries,
            depth=config.depth,
            num_heads=config.num_heads,
            ffn_dim=config.ffn_dim,
            positions=positions(config.d_model),
        ),
        class_head=nn.Linear(config.d_model, config.classes + 1),
        loss=QueryLoss(points=config.points, published_labels=config.published_labels),
        selection=selection_of(config),
        chunk=config.chunk,
    ).with_config(config)


def _check(config: Config) -> None:
    check_choice(config, "task", TASKS)
    check_counts(config, "classes frames d_model mask_width queries num_heads pixel_depth")
    check_counts(config, "pixel_ffn_dim depth ffn_dim points keep chunk")
    check_fractions(config, "min_score min_whole")
    if config.d_model % 2 or config.d_model % config.num_heads:
        raise UsageError(
            f"d_model {config.d_model} is odd or not a multiple of the {config.num_heads} heads"
        )
    if config.d_model > 2 * GROUPS and config.d_model % GROUPS:
        raise UsageError(f"d_model {config.d_model} is no multiple of {GROUPS}")
