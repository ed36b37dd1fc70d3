"""What DETR, VisTR and TT-SRN share: queries of slots, one for each frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from vis.errors import UsageError
from vis.layers.canvas import canvas_of, normalised, padding_of, shrunk
from vis.layers.masks import GROUPS
from vis.losses.outputs import LayerOutput
from vis.losses.set_loss import Weights
from vis.losses.targets import check_classes
from vis.models._contract import Model
from vis.models._masks import DenseMasks, Sight
from vis.models._output import Output
from vis.models._selection import VOTES, Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.backbones.levels import Backbone
    from vis.layers.transformer import Transformer
    from vis.losses.set_loss import SetLoss
    from vis.models._masks import MaskBranch
    from vis.records import Clip, ClipPredictions, ClipTargets

MASK_WIDTH = 128
"""The mask branch halves its width up to five times and still needs groups of equal size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the configurations of the three models have in common; the defaults are VisTR's."""

    classes: int
    """Of the data set."""
    slots: int = 10
    """Instances that a clip can have."""
    backbone: str = "resnet50"
    width: int = 384
    """Channels of the transformer."""
    heads: int = 8
    encoders: int = 6
    decoders: int = 6
    hidden: int = 2048
    """Width of the transformer's feed-forward parts."""
    dropout: float = 0.1
    mask_weight: float = 1.0
    """Of the mask terms in the loss; published 1, where much data and a pre-trained start help."""
    vote: str = "mean"
    """How frames agree on a class: `mean` probability, or `majority` as published."""
    min_score: float = 0.0
    """Tracks below it are not predicted."""
    min_presence: float = 0.001
    """Tracks that reach it in no frame are not predicted."""
    keep: int = 100
    """The most tracks of a clip that are predicted."""
    chunk: int = 12
    """Maps of one frame that are computed at once; bounds memory, changes no result."""

    def weights(self) -> Weights:
        """What each term of the loss counts."""
        return Weights(mask_focal=self.mask_weight, mask_dice=self.mask_weight)

    def selection(self, *, reserved: int) -> Selection:
        """Which slots become predictions."""
        return Selection(
            vote=VOTES[self.vote],
            reserved=reserved,
            min_score=self.min_score,
            min_presence=self.min_presence,
            keep=self.keep,
        )


def check(settings: Settings, *, masks: bool) -> None:
    """Refuse numbers that no network can have.

    Raises:
        UsageError: naming the setting.
    """
    for name in COUNTS:
        if getattr(settings, name, 1) < 1:
            raise UsageError(f"{name} is {getattr(settings, name)}, it must be at least 1")
    for name in SHARES:
        if not 0 <= getattr(settings, name, 0) <= 1:
            raise UsageError(f"{name} is {getattr(settings, name)}, it must be within 0..1")
    if settings.vote not in VOTES:
        raise UsageError(f"vote is {settings.vote!r}", remedy=f"One of: {', '.join(VOTES)}.")
    if settings.width % 2 or settings.width % settings.heads:
        raise UsageError(
            f"width {settings.width} is odd or not a multiple of the {settings.heads} heads"
        )
    if masks and (settings.width % MASK_WIDTH or settings.heads % GROUPS):
        raise UsageError(
            f"width {settings.width} and heads {settings.heads} are not multiples of {MASK_WIDTH}"
            f" and {GROUPS}, which the masks need"
        )


COUNTS = (
    "classes",
    "frames",
    "slots",
    "width",
    "heads",
    "decoders",
    "hidden",
    "keep",
    "chunk",
)
SHARES = ("dropout", "sine_dropout", "min_score", "min_presence")


class SequenceModel(Model[Output]):
    """A slot has a query for each frame that predicts it there; slots are tied by the loss alone.

    Args:
        config: what the parts were built from.
        frames: the most frames of a clip.
        backbone: frames to four maps.
        positions: padding of the maps to codes.
        transformer: tokens and queries to the state of each query.
        class_head: state to logits.
        box_head: state to a box before the sigmoid.
        masks: state and maps to masks; None for boxes alone.
        loss: of output and targets.
        selection: which slots become predictions.
    """

    def __init__(
        self,
        config: Settings,
        *,
        frames: int,
        backbone: Backbone,
        positions: nn.Module,
        transformer: Transformer,
        class_head: nn.Module,
        box_head: nn.Module,
        masks: MaskBranch | None,
        loss: SetLoss,
        selection: Selection,
    ) -> None:
        super().__init__()
        self.config, self.frames = config, frames
        self.backbone = backbone
        self.projection = nn.Conv2d(backbone.channels[-1], config.width, 1)
        self.positions, self.transformer = positions, transformer
        self.queries = nn.Parameter(torch.randn(frames * config.slots, config.width))
        self.class_head, self.box_head, self.masks = class_head, box_head, masks
        self.loss, self.selection = loss, selection

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips; outside of training the masks wait until they are asked for.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        self._check(clip)
        canvas = canvas_of(clip.frames, self.backbone.multiple)
        sight = self._see(clip.frames, padding_of(clip.sizes, canvas))
        states, memory = self._transform(sight, len(clip.frames))
        layers = [LayerOutput(self.class_head(s), self.box_head(s).sigmoid()) for s in states]
        masks = None if self.masks is None else self.masks.deferred(states[-1], sight, memory)
        output = Output(layers, masks, canvas, clip.sizes)
        return _computed(output) if self.training else output

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.config.classes)
        reserved = self.selection.reserved
        return self.loss(output.dense(), [_shifted(target, reserved) for target in targets])

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch, in the order of its slots.

        A track's class and score come from all frames together (`vote`), rows before the first
        class are never voted for. `presence` is the highest class probability in the frame; VisTR
        draws no mask where it is below 0.001. A track that is empty in all frames is left out.
        """
        del clip
        return self.selection(output)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.transformer.encoder
        yield from self.transformer.decoder

    def _check(self, clip: Clip) -> None:
        if self.frames < clip.frames.shape[1]:
            raise UsageError(
                f"{self.name} was built for clips of at most {self.frames} frames,"
                f" not {clip.frames.shape[1]}",
                remedy="Cut the video into shorter windows.",
            )

    def _see(self, frames: Tensor, padding: Tensor | None) -> Sight:
        """`[B T 3 H W]` a few at a time, so that the large maps of all frames are never there."""
        T = frames.shape[1]
        pixels = frames.flatten(0, 1)
        projected, laterals = [], []
        for rows in torch.split(torch.arange(len(pixels), device=frames.device), self.config.chunk):
            outside = None if padding is None else padding[rows // T]
            x = normalised(pixels[rows], outside, self.projection.weight.dtype)
            levels = self.backbone(x.contiguous(memory_format=torch.channels_last))
            projected.append(self.projection(levels[-1]))
            if self.masks is not None:
                laterals.append(self.masks.pyramid.lateral_maps(levels[:-1]))
        maps = torch.cat(projected)
        if padding is not None:
            padding = shrunk(padding, maps.shape[-2:])[:, None].expand(-1, T, -1, -1)
        return Sight(maps, [torch.cat(parts) for parts in zip(*laterals, strict=True)], padding)

    def _transform(self, sight: Sight, B: int) -> tuple[list[Tensor], Tensor]:
        """States `[B T N C]` of each decoder layer, and the memory as maps `[B*T C h w]`."""
        tokens = rearrange(sight.projected, "(b t) c h w -> b t h w c", b=B)
        T, h = tokens.shape[1:3]
        padding, allowed = sight.padding, None
        if padding is None:
            padding = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
        else:
            allowed = rearrange(~padding, "b t h w -> b 1 1 (t h w)")
        positions = self.positions(padding).to(tokens.dtype)
        queries = self.queries[: T * self.config.slots]
        states, memory = self.transformer(
            tokens.flatten(1, 3), positions.flatten(1, 3), queries, allowed
        )
        memory = rearrange(memory, "b (t h w) c -> (b t) c h w", t=T, h=h)
        return [rearrange(state, "b (t n) c -> b t n c", t=T) for state in states], memory


def _shifted(target: ClipTargets, reserved: int) -> ClipTargets:
    """The target in rows of the logits; that no object has a reserved row is known everywhere."""
    labelled = target.labelled
    if labelled is not None:
        labelled = pad(labelled, (reserved, 0), value=True)
    return replace(target, labels=target.labels + reserved, labelled=labelled)


def _computed(output: Output) -> Output:
    """In training the masks belong to `forward`, where autocast and its wrappers see them."""
    masks = output.dense().masks
    if masks is None:
        return output
    return replace(output, masks=DenseMasks(rearrange(masks, "b t n h w -> b n t h w")))
