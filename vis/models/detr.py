"""DETR (Carion et al., 2020): objects of an image as a set, with or without masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.layers.masks import AttentionMaps, PlainEnd, Pyramid
from vis.layers.positions import SinePositions2D
from vis.layers.prediction_heads import mlp
from vis.layers.transformer import Transformer
from vis.losses.matching import DETR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import ImageMaskBranch
from vis.models._output import Output
from vis.models._sequence import SequenceModel, Settings, check

if TYPE_CHECKING:
    from vis.records import Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the published model's; a clip has one frame."""

    instance_queries: int = 100
    """Objects that an image can have; the paper's object queries."""
    d_model: int = 256
    masks: bool = False
    """Whether there is a mask branch; without it, a mask is its box."""


class DETR(SequenceModel):
    """ResNet, ReLU, linear heads; positions of an image."""

    name: ClassVar[str] = "detr"

    def forward(self, clip: Clip) -> Output:
        """Compute the figures 2 and 8 of the paper; in use, masks wait until they are asked for.

        Raises:
            UsageError: the clips have more than one frame.
        """
        features = self.features(clip)  # backbone, each image alone
        memory = self.encode(features, frames=1)  # transformer encoder
        states = self.decode(memory, frames=1)  # transformer decoder, on object queries
        layers = self.predict(states)  # prediction heads
        masks = None  # mask head of figure 8, where there is one
        if self.masks is not None:
            masks = self.masks.deferred(states[-1], features, memory)
        return self.finish(Output(layers, masks, features.padded_size, clip.sizes))


def build(config: Config) -> DETR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    check(config, masks=config.masks)
    backbone = backbones.build(config.backbone)
    return DETR(
        classes=config.classes,
        frames=1,
        instance_queries=config.instance_queries,
        d_model=config.d_model,
        backbone=backbone,
        positions=SinePositions2D(config.d_model),
        transformer=Transformer(
            config.d_model,
            num_heads=config.num_heads,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
            activation=functional.relu,
        ),
        # The last row is no object; there is no row of background before the classes.
        class_head=nn.Linear(config.d_model, config.classes + 1),
        box_head=mlp(config.d_model, 4),
        masks=_mask_branch(config, backbone.channels[:-1]) if config.masks else None,
        loss=SetLoss(Matcher(DETR_COST), config.weights()),
        selection=config.selection(background_rows=0),
        chunk=config.chunk,
    ).with_config(config)


def _mask_branch(config: Config, channels: tuple[int, ...]) -> ImageMaskBranch:
    return ImageMaskBranch(
        attention=AttentionMaps(config.d_model, config.num_heads),
        pyramid=Pyramid(
            config.d_model,
            num_heads=config.num_heads,
            channels=channels,
            end=PlainEnd,
            activation=_relu,
        ),
        chunk=config.chunk,
    )


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)
