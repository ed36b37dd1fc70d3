"""VisTR (Wang et al., 2021): instances of a whole clip as sequences of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.layers.masks import AttentionMaps, DeformableEnd, Pyramid, volume_head
from vis.layers.positions import SinePositions3D
from vis.layers.prediction_heads import mlp
from vis.layers.transformer import Transformer
from vis.losses.matching import VISTR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import MaskBranch
from vis.models._output import Output
from vis.models._sequence import SequenceModel, Settings, check

if TYPE_CHECKING:
    from vis.records import Clip

BACKGROUND_ROWS = 1
"""Row 0 of the logits: the class of an empty box, of no object that exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the published model's."""

    frames: int = 36
    """The most of a clip; the published weights are for exactly as many."""
    chunk: int = 4
    """Maps of one frame that are computed at once; bounds memory, changes no result. On a CPU, 36
    frames take less time and memory than with 12."""


class VisTR(SequenceModel):
    """ResNet, ReLU, linear heads."""

    name: ClassVar[str] = "vistr"

    def forward(self, clip: Clip) -> Output:
        """Compute figure 2 of the paper; in use, the masks wait until they are asked for.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        T = clip.frames.shape[1]
        features = self.features(clip)  # backbone, frame by frame
        memory = self.encode(features, frames=T)  # encoder, over the cells of all frames
        states = self.decode(memory, frames=T)  # decoder, on T x N instance queries
        layers = self.predict(states)  # sequence of predictions, in query order
        assert self.masks is not None
        masks = self.masks.deferred(states[-1], features, memory)  # sequence segmentation
        return self.finish(Output(layers, masks, features.padded_size, clip.sizes))


def build(config: Config) -> VisTR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    check(config, masks=True)
    backbone = backbones.build(config.backbone)
    return VisTR(
        classes=config.classes,
        frames=config.frames,
        instance_queries=config.instance_queries,
        d_model=config.d_model,
        backbone=backbone,
        positions=SinePositions3D(config.d_model),
        transformer=Transformer(
            config.d_model,
            num_heads=config.num_heads,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
            activation=functional.relu,
        ),
        class_head=nn.Linear(config.d_model, BACKGROUND_ROWS + config.classes + 1),
        box_head=mlp(config.d_model, 4),
        masks=MaskBranch(
            attention=AttentionMaps(config.d_model, config.num_heads),
            pyramid=Pyramid(
                config.d_model,
                num_heads=config.num_heads,
                channels=backbone.channels[:-1],
                end=DeformableEnd,
                activation=_relu,
            ),
            # The pyramid ends at a sixteenth of the transformer's channels.
            volume=volume_head(config.d_model // 16, _relu),
            chunk=config.chunk,
        ),
        # Frames that do not show an instance count in the cost, as published.
        loss=SetLoss(Matcher(VISTR_COST), config.weights(), eps=VISTR_COST.eps),
        selection=config.selection(background_rows=BACKGROUND_ROWS),
        chunk=config.chunk,
    ).with_config(config)


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)
