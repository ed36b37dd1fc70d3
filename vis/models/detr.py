"""DETR (Carion et al., 2020): objects of an image as a set, with or without masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.layers.heads import mlp
from vis.layers.masks import AttentionMaps, PlainEnd, Pyramid
from vis.layers.positions import SinePositions2D
from vis.layers.transformer import Transformer
from vis.losses.matching import DETR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import ImageMaskBranch
from vis.models._sequence import SequenceModel, Settings, check


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the published model's; a clip has one frame."""

    slots: int = 100
    width: int = 256
    masks: bool = False
    """Whether there is a mask branch; without it, a mask is its box."""


class DETR(SequenceModel):
    """ResNet, ReLU, linear heads; positions of an image."""

    name: ClassVar[str] = "detr"


def build(config: Config) -> DETR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    check(config, masks=config.masks)
    backbone = backbones.build(config.backbone)
    return DETR(
        config,
        frames=1,
        backbone=backbone,
        positions=SinePositions2D(config.width),
        transformer=Transformer(
            config.width,
            heads=config.heads,
            encoders=config.encoders,
            decoders=config.decoders,
            hidden=config.hidden,
            dropout=config.dropout,
            activation=functional.relu,
        ),
        class_head=nn.Linear(config.width, config.classes + 1),
        box_head=mlp(config.width, 4),
        masks=_mask_branch(config, backbone.channels[:-1]) if config.masks else None,
        loss=SetLoss(Matcher(DETR_COST), config.weights()),
        selection=config.selection(reserved=0),
    )


def _mask_branch(config: Config, channels: tuple[int, ...]) -> ImageMaskBranch:
    return ImageMaskBranch(
        attention=AttentionMaps(config.width, config.heads),
        pyramid=Pyramid(
            config.width,
            heads=config.heads,
            channels=channels,
            end=PlainEnd,
            activation=_relu,
        ),
        chunk=config.chunk,
    )


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)
