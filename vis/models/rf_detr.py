"""RF-DETR (Robinson et al., 2025) with masks: a windowed DINOv2, and references that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from vis.backbones.dinov2 import WindowedDINOv2
from vis.errors import DataError, UsageError
from vis.layers.c2f import EPS, C2f
from vis.layers.deformable_transformer import DeformableDecoderLayer, Memory
from vis.layers.mask_blocks import MaskBlocks
from vis.layers.padding import rescaled, squash_to
from vis.layers.prediction_heads import delta_box_head, prior_class_head
from vis.layers.ranked_queries import RankedQueries, moved
from vis.losses.group_loss import GroupLoss
from vis.losses.rf_detr_output import LayerOutput, RFDETROutput
from vis.losses.targets import check_classes
from vis.models._checks import check_counts
from vis.models._contract import Model
from vis.models._ranked_selection import RankedSelection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from vis.layers.ranked_queries import CellSelection
    from vis.records import Clip, ClipPredictions, ClipTargets

MAPS = 4
"""Of the trunk."""
BOTTLENECKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the published Nano; a clip has one frame."""

    classes: int
    """Rows of the class head; the published files have one for each id of COCO up to 90."""
    input_height: int = 312
    """Pixels that frames are squashed to, a multiple of `patch * windows`; no weight depends on
    it."""
    input_width: int = 312
    """Likewise."""
    antialias: bool = False
    """Whether frames that shrink are filtered; upstream does not since July 2026, but did when its
    weights were trained."""
    scale_steps: int = 0
    """In training each batch has a size of its own: both sides up to so many times
    `patch * windows` smaller or larger; 5 as published."""
    grid: int = 26
    """Side in patches of the square that the position table is for."""
    windows: int = 1
    """Windows of attention on each side of a frame: 1 for the published Nano, 2 for all others. No
    shape of the weights tells, and with the wrong number they say quietly something else."""
    patch: int = 12
    """Side of a token in pixels."""
    backbone_width: int = 384
    """Channels of the trunk."""
    backbone_depth: int = 12
    """Blocks of the trunk, a multiple of 4."""
    backbone_heads: int = 6
    """Heads of the trunk's attention."""
    projector_eps: float = EPS
    """Of the norms inside the projector; 1e-5 in the transformers library."""
    d_model: int = 256
    """Channels of map and queries."""
    queries: int = 100
    """Number of queries of a group, so the most objects that a picture can have."""
    groups: int = 13
    """Groups of queries that learn beside each other; in use there is the first alone."""
    num_heads: int = 8
    """Heads of the attention among queries."""
    cross_heads: int = 16
    """Heads of the attention of queries to the map."""
    points: int = 2
    """Points that each of these looks at."""
    decoder_layers: int = 4
    """Layers of the decoder, and blocks of the mask head."""
    ffn_dim: int = 2048
    """Width of the decoder's feed-forward parts."""
    encoder_mask_conv: bool = True
    """Whether masks of the selected cells, which are there in training alone, go through the last
    convolution of the mask head; not so when the published weights were trained."""
    repeat_queries: bool = False
    """Whether a query may be predicted with several classes, as published for pictures; else with
    the best alone, so that a tracker meets an object once."""
    keep: int | None = None
    """The most predictions of a picture; as many as queries unless stated."""


class RFDETR(Model[RFDETROutput]):
    """Boxes of all layers are steps from the same references; masks are products of two factors.

    Args:
        config: for what is no part: sizes and how predictions are selected.
        backbone: frames to four maps.
        projector: four maps to the one that queries and masks see.
        queries: map to what the decoder begins with.
        decoder: its layers.
        mask_head: map and states to factors of masks.
        loss: of output and targets.
    """

    name: ClassVar[str] = "rf_detr"

    def __init__(
        self,
        config: Config,
        *,
        backbone: WindowedDINOv2,
        projector: C2f,
        queries: RankedQueries,
        decoder: nn.ModuleList,
        mask_head: MaskBlocks,
        loss: GroupLoss,
    ) -> None:
        super().__init__()
        self.frames, self.classes = 1, config.classes
        self.input_size = (config.input_height, config.input_width)
        self.antialias, self.encoder_mask_conv = config.antialias, config.encoder_mask_conv
        self.scale_steps, self.step = config.scale_steps, config.patch * config.windows
        self.selection = RankedSelection(config.keep or config.queries, config.repeat_queries)
        self.backbone, self.projector = backbone, projector
        self.queries, self.decoder = queries, decoder
        self.decoder_norm = nn.LayerNorm(config.d_model)
        # One head for all layers.
        self.class_head = prior_class_head(config.d_model, config.classes)
        self.box_head = delta_box_head(config.d_model)
        self.mask_head, self.loss = mask_head, loss

    def forward(self, clip: Clip) -> RFDETROutput:
        """Look at a batch of clips of one frame, each squashed to the input's size.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        assert self.input_size is not None
        x = squash_to(clip.frames[:, 0], clip.sizes, self.input_size, antialias=self.antialias)
        if self.training and self.scale_steps:
            x = rescaled(x, self.step, self.scale_steps)
        x = self.normalize(x, None, self.class_head.weight.dtype)
        features = self.projector(self.backbone(x))
        memory = Memory.of_map(features)
        queries = self.queries(memory)
        state, states = queries.state, []
        for layer in self.decoder:
            state = layer(
                state, queries.positions, queries.references, memory,
                groups=queries.groups,
            )  # fmt: skip
            states.append(state)
        maps = self.mask_head(features, (x.shape[2], x.shape[3]))
        encoder = self._encoder(queries.selection, maps[0]) if self.training else None
        # In use only the last layer is read.
        maps = maps[1:] if self.training else maps
        pairs = list(zip(states[-len(maps) :], maps, strict=True))
        normed = [self.decoder_norm(state) for state, _ in pairs]
        layers = [
            self._layer(state, queries.references, x)
            for state, (_, x) in zip(normed, pairs, strict=True)
        ]
        return RFDETROutput(layers, encoder, queries.groups, normed[-1], clip.sizes)

    def losses(self, output: RFDETROutput, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.classes)
        return self.loss(output, targets)

    @torch.no_grad()
    def predictions(self, output: RFDETROutput, clip: Clip) -> list[ClipPredictions]:
        """The surest queries, best first; `embeddings` are their normed states.

        Classes without a name are never predicted: rows of the published head that nothing in COCO
        has taught.
        """
        del clip
        return self.selection(output, self.class_names)

    def completed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights that it is to start from, as they are.

        Raises:
            DataError: they are of another grid, which nearly always has other windows, too.
        """
        own = self.backbone.positions
        if (count := tensors.get("backbone.positions", own).shape[1]) != own.shape[1]:
            side = round((count - 1) ** 0.5)
            raise DataError(
                f"its positions are of {side} x {side} patches, the model's are not",
                remedy=f"Set model.grid to {side}, and model.windows as it was trained with.",
            )
        return dict(tensors)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.decoder

    def _layer(self, state: Tensor, references: Tensor, x: Tensor) -> LayerOutput:
        return LayerOutput(
            logits=self.class_head(state),
            boxes=moved(references, self.box_head(state)),
            mask_queries=self.mask_head.mask_queries(state),
            mask_features=self.mask_head.cells(x),
            mask_bias=self.mask_head.bias[0],
        )

    def _encoder(self, selection: CellSelection, x: Tensor) -> LayerOutput:
        """What the selected cells say, before any block of the mask head."""
        return LayerOutput(
            logits=selection.logits,
            boxes=selection.boxes,
            mask_queries=self.mask_head.mask_queries(selection.cells),
            mask_features=self.mask_head.cells(x) if self.encoder_mask_conv else x,
            mask_bias=self.mask_head.bias[0],
        )


def build(config: Config) -> RFDETR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    queries = RankedQueries(
        config.d_model, config.queries, groups=config.groups, classes=config.classes
    )
    return RFDETR(
        config,
        backbone=WindowedDINOv2(
            config.grid,
            patch=config.patch,
            windows=config.windows,
            width=config.backbone_width,
            depth=config.backbone_depth,
            num_heads=config.backbone_heads,
        ),
        projector=C2f(
            MAPS * config.backbone_width,
            config.d_model,
            depth=BOTTLENECKS,
            eps=config.projector_eps,
        ),
        queries=queries,
        decoder=nn.ModuleList(
            DeformableDecoderLayer(
                config.d_model,
                num_heads=config.num_heads,
                cross_heads=config.cross_heads,
                levels=1,
                points=config.points,
                ffn_dim=config.ffn_dim,
                dropout=0.0,
            )
            for _ in range(config.decoder_layers)
        ),
        mask_head=MaskBlocks(config.d_model, depth=config.decoder_layers),
        loss=GroupLoss(),
    ).with_config(config)


def _check(config: Config) -> None:
    check_counts(config, "classes input_height input_width grid windows patch backbone_width")
    check_counts(config, "backbone_depth backbone_heads d_model queries groups num_heads")
    check_counts(config, "cross_heads points decoder_layers ffn_dim keep")
    if config.scale_steps < 0:
        raise UsageError(f"scale_steps is {config.scale_steps}, it must be at least 0")
    step = config.patch * config.windows
    for name in ("input_height", "input_width"):
        pixels = getattr(config, name)
        if pixels % step:
            lower, higher = pixels // step * step, -(-pixels // step) * step
            nearest = f"{lower} or {higher}" if lower else str(higher)
            raise UsageError(
                f"{name} is {pixels}, it must be a multiple of patch * windows, {step}",
                remedy=f"Give {nearest}.",
            )
    for part, whole in (("num_heads", "d_model"), ("cross_heads", "d_model"),
                        ("backbone_heads", "backbone_width")):  # fmt: skip
        if getattr(config, whole) % getattr(config, part):
            raise UsageError(f"{whole} {getattr(config, whole)} is no multiple of {part}")
    if config.backbone_depth % MAPS or config.d_model % 4:
        raise UsageError("backbone_depth and d_model must be multiples of 4")
