"""Deformable DETR (Zhu et al., 2021): DETR with levels, and attention to a few places of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from vis import backbones
from vis.errors import UsageError
from vis.layers.deformable_queries import LearnedQueries, ProposedQueries, moved_boxes
from vis.layers.deformable_transformer import DeformableDecoderLayer, DeformableEncoder, LevelEntry
from vis.layers.padding import padded_size_of, padding_mask
from vis.layers.pixel_decoder import GROUPS
from vis.layers.prediction_heads import delta_box_head, prior_class_head
from vis.losses.focal_set_loss import FocalSetLoss
from vis.losses.outputs import LayerOutput
from vis.losses.targets import check_classes
from vis.models._checks import check_counts, check_fractions
from vis.models._contract import Model
from vis.models._query_selection import best_pairs
from vis.models._selection import STRIDE
from vis.ops.boxes import coverage, to_corners
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from vis.backbones.levels import Backbone
    from vis.layers.deformable_queries import Proposals
    from vis.layers.deformable_transformer import Memory
    from vis.records import Clip, ClipTargets

SMALL = -2.0
"""Size of a fresh model's boxes, before the sigmoid."""
MAPS = 3
"""Of the backbone, those of strides 8, 16 and 32; a model of one level has the last alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are the published model's; a clip has one frame, and a mask is its box."""

    RENAMED: ClassVar[dict[str, str]] = {
        "width": "d_model",
        "heads": "num_heads",
        "encoders": "encoder_layers",
        "decoders": "decoder_layers",
        "hidden": "ffn_dim",
    }

    classes: int
    """Number of classes in the data set."""
    backbone: str = "resnet50"
    """A name of `vis.backbones`."""
    d_model: int = 256
    """Channels of levels and queries."""
    queries: int = 300
    """Number of queries, so the most objects that a picture can have."""
    levels: int = 4
    """1, or at least 3: those of the backbone, then halves of the last."""
    points: int = 4
    """Points that each head looks at in each level."""
    num_heads: int = 8
    """Heads of each attention."""
    encoder_layers: int = 6
    """Layers of the encoder."""
    decoder_layers: int = 6
    """Layers of the decoder; the loss looks at each."""
    ffn_dim: int = 1024
    """Width of the transformer's feed-forward parts."""
    dropout: float = 0.1
    """Probability in training."""
    refine: bool = False
    """Whether each layer of the decoder has heads of its own, and begins with the boxes of the
    layer before."""
    two_stage: bool = False
    """Whether the queries are boxes that the encoder's cells propose; needs `refine`."""
    keep: int = 100
    """The most predictions of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The decoder's layers, what the encoder proposed, and what of the padded frames is content."""

    layers: list[LayerOutput]
    """The last is the prediction; a sigmoid for each class, T = 1."""
    proposals: LayerOutput | None
    states: Tensor
    """`[B Q C]` of the last layer."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""


class DeformableDETR(Model[Output]):
    """Where there is one head for all layers, references stay where the queries put them.

    Args:
        classes: number of classes in the data set.
        levels: of the encoder.
        refine: whether each layer begins with the boxes of the layer before.
        keep: the most predictions of a picture.
        backbone: frames to four maps.
        entry: the last maps to levels.
        encoder: levels to memory.
        queries: memory to what the decoder begins with.
        decoder: its layers.
        class_heads: state to logits, one for all layers or one for each.
        box_heads: state to what a reference is moved by, as many.
        loss: of output and targets.
    """

    name: ClassVar[str] = "deformable_detr"

    def __init__(
        self,
        *,
        classes: int,
        levels: int,
        refine: bool,
        keep: int,
        backbone: Backbone,
        entry: LevelEntry,
        encoder: DeformableEncoder,
        queries: LearnedQueries | ProposedQueries,
        decoder: nn.ModuleList,
        class_heads: nn.ModuleList,
        box_heads: nn.ModuleList,
        loss: FocalSetLoss,
    ) -> None:
        super().__init__()
        self.frames, self.classes, self.keep = 1, classes, keep
        self.levels, self.refine = levels, refine
        self.backbone, self.entry, self.encoder = backbone, entry, encoder
        self.queries, self.decoder = queries, decoder
        self.class_heads, self.box_heads = class_heads, box_heads
        self.loss = loss

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips of one frame.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        padded_size = padded_size_of(clip.frames, self.backbone.multiple)
        # Unlike Mask2Former's, these levels keep their padding out of the attention.
        padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
        x = self.normalize(clip.frames[:, 0], padding, self.encoder.level_embed.dtype)
        maps = self.backbone(x.contiguous(memory_format=torch.channels_last))
        levels = self.entry(maps[-_maps(self.levels) :])
        memory = self.encoder(levels, padding)
        layers, states, proposals = self._decode(memory)
        proposed = None if proposals is None else _layer(proposals.logits, proposals.boxes)
        return Output(layers, proposed, states, clip.sizes)

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.classes)
        return self.loss(output.layers, targets, proposals=output.proposals)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """The surest pairs of query and class, the best first; `embeddings` are the states."""
        del clip
        return [self._prediction(output, clip) for clip in range(len(output.sizes))]

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.encoder.layers
        yield from self.decoder

    def _decode(self, memory: Memory) -> tuple[list[LayerOutput], Tensor, Proposals | None]:
        state, positions, references, proposals = self.queries(memory)
        layers = []
        for index, layer in enumerate(self.decoder):
            # One head serves all layers where boxes are not refined.
            own = index % len(self.class_heads)
            state = layer(state, positions, references, memory)
            boxes = moved_boxes(references, self.box_heads[own](state))
            layers.append(_layer(self.class_heads[own](state), boxes))
            if self.refine:
                # Detached: a layer learns to mend boxes, not to make the next layer's easier.
                references = boxes.detach()
        return layers, state, proposals

    def _prediction(self, output: Output, clip: int) -> ClipPredictions:
        last = output.layers[-1]
        class_probs = last.logits[clip, 0].float().sigmoid()
        pairs = best_pairs(class_probs, self.keep)
        boxes = to_corners(last.boxes[clip, 0, pairs.queries].float()).clamp(0, 1)[:, None]
        height, width = (-(-pixels // STRIDE) for pixels in output.sizes[clip].tolist())
        return ClipPredictions(
            scores=pairs.scores,
            labels=pairs.labels,
            class_scores=class_probs[pairs.queries],
            boxes=boxes,
            masks=coverage(boxes, height, width),
            # The score says how sure it is; said twice, the tracker would hide the rest.
            presence=torch.ones_like(boxes[..., 0]),
            embeddings=output.states[clip, pairs.queries].float(),
        )


def build(config: Config) -> DeformableDETR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    backbone = backbones.build(config.backbone)
    attention = {"num_heads": config.num_heads, "levels": config.levels, "points": config.points}
    count = config.decoder_layers if config.refine else 1
    return DeformableDETR(
        classes=config.classes,
        levels=config.levels,
        refine=config.refine,
        keep=config.keep,
        backbone=backbone,
        entry=LevelEntry(
            backbone.channels[-_maps(config.levels) :], config.d_model, levels=config.levels
        ),
        encoder=DeformableEncoder(
            config.d_model,
            **attention,
            depth=config.encoder_layers,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
        ),
        queries=_proposed(config)
        if config.two_stage
        else LearnedQueries(config.d_model, config.queries),
        decoder=nn.ModuleList(
            DeformableDecoderLayer(
                config.d_model, **attention, ffn_dim=config.ffn_dim, dropout=config.dropout
            )
            for _ in range(config.decoder_layers)
        ),
        class_heads=nn.ModuleList(
            prior_class_head(config.d_model, config.classes) for _ in range(count)
        ),
        box_heads=nn.ModuleList(
            delta_box_head(config.d_model, 0.0 if index or config.two_stage else SMALL)
            for index in range(count)
        ),
        loss=FocalSetLoss(),
    ).with_config(config)


def _proposed(config: Config) -> ProposedQueries:
    return ProposedQueries(
        config.d_model,
        config.queries,
        class_head=prior_class_head(config.d_model, config.classes),
        box_head=delta_box_head(config.d_model),
    )


def _layer(logits: Tensor, boxes: Tensor) -> LayerOutput:
    """`[B Q K]`, `[B Q 4]` of clips of one frame."""
    return LayerOutput(logits[:, None], boxes[:, None])


def _maps(levels: int) -> int:
    return MAPS if levels > 1 else 1


def _check(config: Config) -> None:
    check_counts(config, "classes d_model queries levels points num_heads")
    check_counts(config, "encoder_layers decoder_layers ffn_dim keep")
    check_fractions(config, "dropout")
    if config.levels == MAPS - 1:
        raise UsageError(f"levels is {config.levels}", remedy=f"Give 1, or at least {MAPS}.")
    if config.two_stage and not config.refine:
        raise UsageError("two_stage needs refine, as published", remedy="Set refine too.")
    if config.d_model % 4 or config.d_model % config.num_heads:
        raise UsageError(
            f"d_model {config.d_model} is no multiple of 4 and of the {config.num_heads} heads"
        )
    if config.d_model > GROUPS and config.d_model % GROUPS:
        raise UsageError(f"d_model {config.d_model} is no multiple of {GROUPS}")
