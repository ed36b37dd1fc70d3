"""What DETR, VisTR and TT-SRN share: an instance query has a query for each frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from vis.errors import UsageError
from vis.layers.masks import GROUPS
from vis.layers.padding import downsample_padding, normalize, padded_size_of, padding_mask
from vis.losses.outputs import LayerOutput
from vis.losses.set_loss import Weights
from vis.losses.targets import check_classes
from vis.models._checks import check_choice, check_counts, check_fractions
from vis.models._contract import Model
from vis.models._masks import BackboneFeatures, DenseMasks
from vis.models._output import Output
from vis.models._selection import VOTES, Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.backbones.levels import Backbone
    from vis.layers.transformer import Memory, Transformer
    from vis.losses.set_loss import SetLoss
    from vis.models._masks import MaskHead
    from vis.records import Clip, ClipPredictions, ClipTargets

MASK_WIDTH = 128
"""The mask branch halves its width up to five times and still needs groups of equal size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the configurations of the three models have in common; the defaults are VisTR's."""

    RENAMED: ClassVar[dict[str, str]] = {
        "slots": "instance_queries",
        "width": "d_model",
        "heads": "num_heads",
        "encoders": "encoder_layers",
        "decoders": "decoder_layers",
        "hidden": "ffn_dim",
        "min_presence": "min_visibility",
    }

    classes: int
    """Number of classes in the data set."""
    instance_queries: int = 10
    """Instances that a clip can have; each has a query in every frame."""
    backbone: str = "resnet50"
    """A name of `vis.backbones`."""
    d_model: int = 384
    """Channels of the transformer."""
    num_heads: int = 8
    """Heads of each attention, and attention maps of a query in the mask branch."""
    encoder_layers: int = 6
    """Layers of the encoder."""
    decoder_layers: int = 6
    """Layers of the decoder; the loss looks at each."""
    ffn_dim: int = 2048
    """Channels inside the transformer's feed-forward parts."""
    dropout: float = 0.1
    """Probability in training, wherever the paper has it."""
    mask_weight: float = 1.0
    """Weight of both mask terms; published 1, where much data and a pre-trained start help."""
    vote: str = "mean"
    """How frames agree on a class: `mean` probability, or `majority` as published."""
    min_score: float = 0.0
    """Tracks below it are not predicted."""
    min_visibility: float = 0.001
    """Tracks that reach it in no frame are not predicted."""
    keep: int = 100
    """The most tracks of a clip that are predicted."""
    chunk: int = 12
    """Maps of one frame that are computed at once; bounds memory, changes no result."""

    def weights(self) -> Weights:
        """What each term of the loss counts."""
        return Weights(mask_focal=self.mask_weight, mask_dice=self.mask_weight)

    def selection(self, *, background_rows: int) -> Selection:
        """Which instance queries become predictions."""
        return Selection(
            vote=VOTES[self.vote],
            background_rows=background_rows,
            min_score=self.min_score,
            min_visibility=self.min_visibility,
            keep=self.keep,
        )


def check(settings: Settings, *, masks: bool) -> None:
    """Refuse numbers that no network can have.

    Raises:
        UsageError: naming the setting.
    """
    check_counts(settings, "classes frames instance_queries d_model num_heads decoder_layers")
    check_counts(settings, "ffn_dim keep chunk")
    check_fractions(settings, "dropout sine_dropout min_score min_visibility")
    check_choice(settings, "vote", VOTES)
    if settings.d_model % 2 or settings.d_model % settings.num_heads:
        raise UsageError(
            f"d_model {settings.d_model} is odd or not a multiple of the {settings.num_heads} heads"
        )
    if masks and (settings.d_model % MASK_WIDTH or settings.num_heads % GROUPS):
        raise UsageError(
            f"d_model {settings.d_model} and num_heads {settings.num_heads} are not multiples of"
            f" {MASK_WIDTH} and {GROUPS}, which the masks need"
        )


class SequenceModel(Model[Output]):
    """The parts of the three models; each composes them in its own `forward`.

    An instance query is one learned query for each frame, which predicts the instance there; what
    ties the frames of an instance together is the loss alone.

    Args:
        classes: number of classes in the data set.
        frames: the most frames of a clip.
        instance_queries: instances that a clip can have.
        d_model: channels of the transformer.
        backbone: frames to four maps.
        positions: padding of the maps to codes.
        transformer: tokens and queries to the state of each query.
        class_head: state to logits.
        box_head: state to a box before the sigmoid.
        masks: state and maps to masks; None for boxes alone.
        loss: of output and targets.
        selection: which instance queries become predictions.
        chunk: frames that are seen by the backbone at once.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int,
        instance_queries: int,
        d_model: int,
        backbone: Backbone,
        positions: nn.Module,
        transformer: Transformer,
        class_head: nn.Module,
        box_head: nn.Module,
        masks: MaskHead | None,
        loss: SetLoss,
        selection: Selection,
        chunk: int,
    ) -> None:
        super().__init__()
        self.classes, self.frames, self.instance_queries = classes, frames, instance_queries
        self.chunk = chunk
        self.backbone = backbone
        self.projection = nn.Conv2d(backbone.channels[-1], d_model, 1)
        self.positions, self.transformer = positions, transformer
        # In the order of frames: query t * N + n is instance n in frame t.
        self.queries = nn.Parameter(torch.randn(frames * instance_queries, d_model))
        self.class_head, self.box_head, self.masks = class_head, box_head, masks
        self.loss, self.selection = loss, selection

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_classes(targets, self.classes)
        rows = self.selection.background_rows
        return self.loss(output.dense(), [_shifted(target, rows) for target in targets])

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch, in the order of its instance queries.

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

    def features(self, clip: Clip) -> BackboneFeatures:
        """Maps of every frame, by the backbone and what reads its maps.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        self.check_length(clip, remedy="Cut the video into shorter windows.")
        T, pixels = clip.frames.shape[1], clip.frames.flatten(0, 1)
        padded_size = padded_size_of(clip.frames, self.backbone.multiple)
        padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
        projected, laterals = [], []
        # A few frames at a time, so that the large maps of all frames are never there at once.
        for rows in torch.split(torch.arange(len(pixels), device=pixels.device), self.chunk):
            outside = None if padding is None else padding[rows // T]
            x = normalize(pixels[rows], outside, self.projection.weight.dtype)
            levels = self.backbone(x.contiguous(memory_format=torch.channels_last))
            # Stride 32 alone goes on: attention grows with the square of the cells.
            projected.append(self.projection(levels[-1]))
            if self.masks is not None:
                laterals.append(self.masks.lateral_maps(levels[:-1]))
        maps = torch.cat(projected)
        if padding is not None:
            padding = downsample_padding(padding, maps.shape[-2:])[:, None].expand(-1, T, -1, -1)
        lateral_maps = [torch.cat(parts) for parts in zip(*laterals, strict=True)]
        return BackboneFeatures(maps, lateral_maps, padding, padded_size)

    def encode(self, features: BackboneFeatures, frames: int) -> Memory:
        """The encoder's memory `[B T*h*w C]` of all cells of all frames of each clip."""
        tokens = rearrange(features.projected, "(b t) c h w -> b t h w c", t=frames)
        padding, allowed = features.padding, None
        if padding is None:
            # Positions count valid cells, so they need a mask even where all are.
            padding = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
        else:
            allowed = rearrange(~padding, "b t h w -> b 1 1 (t h w)")
        positions = self.positions(padding).to(tokens.dtype)
        return self.transformer.encode(tokens.flatten(1, 3), positions.flatten(1, 3), allowed)

    def decode(self, memory: Memory, frames: int) -> list[Tensor]:
        """The states `[B T N C]` of the queries after each layer of the decoder."""
        # A shorter clip takes the queries of its frames from the front.
        queries = self.queries[: frames * self.instance_queries]
        states = self.transformer.decode(queries, memory)
        return [rearrange(state, "b (t n) c -> b t n c", t=frames) for state in states]

    def predict(self, states: list[Tensor]) -> list[LayerOutput]:
        """Class logits and boxes of each layer's states, by heads that all layers share."""
        return [LayerOutput(self.class_head(x), self.box_head(x).sigmoid()) for x in states]

    def finish(self, output: Output) -> Output:
        """In training the masks belong to `forward`, where autocast and its wrappers see them."""
        masks = output.dense().masks if self.training else None
        if masks is None:
            return output
        return replace(output, masks=DenseMasks(rearrange(masks, "b t n h w -> b n t h w")))


def _shifted(target: ClipTargets, background_rows: int) -> ClipTargets:
    """The target in rows of the logits; that no object has a background row is annotated."""
    annotated = target.labelled
    if annotated is not None:
        annotated = pad(annotated, (background_rows, 0), value=True)
    return replace(target, labels=target.labels + background_rows, labelled=annotated)
