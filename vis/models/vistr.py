"""VisTR (Wang et al., 2021): instances of a whole clip as sequences of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.layers.heads import mlp
from vis.layers.masks import AttentionMaps, DeformableEnd, Pyramid, volume_head
from vis.layers.positions import SinePositions3D
from vis.layers.transformer import Transformer
from vis.losses.matching import VISTR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import MaskBranch
from vis.models._sequence import SequenceModel, Settings, check

RESERVED = 1
"""Row 0 of the logits: the class of an empty box, of no object that exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the published model's."""

    frames: int = 36
    """The most of a clip; the published weights are for exactly as many."""


class VisTR(SequenceModel):
    """ResNet, ReLU, linear heads."""

    name: ClassVar[str] = "vistr"


def build(config: Config) -> VisTR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    check(config, masks=True)
    backbone = backbones.build(config.backbone)
    return VisTR(
        config,
        frames=config.frames,
        backbone=backbone,
        positions=SinePositions3D(config.width),
        transformer=Transformer(
            config.width,
            heads=config.heads,
            encoders=config.encoders,
            decoders=config.decoders,
            hidden=config.hidden,
            dropout=config.dropout,
            activation=functional.relu,
        ),
        class_head=nn.Linear(config.width, RESERVED + config.classes + 1),
        box_head=mlp(config.width, 4),
        masks=MaskBranch(
            attention=AttentionMaps(config.width, config.heads),
            pyramid=Pyramid(
                config.width,
                heads=config.heads,
                channels=backbone.channels[:-1],
                end=DeformableEnd,
                activation=_relu,
            ),
            volume=volume_head(config.width // 16, _relu),
            chunk=config.chunk,
        ),
        loss=SetLoss(Matcher(VISTR_COST), config.weights(), smoothing=VISTR_COST.smoothing),
        selection=config.selection(reserved=RESERVED),
    )


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)
