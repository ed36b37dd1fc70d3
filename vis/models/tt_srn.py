"""TT-SRN (Pchelintsev et al., 2021): VisTR with Twins, GELU and sine heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.errors import UsageError
from vis.layers.heads import mlp, siren_head
from vis.layers.masks import AttentionMaps, DeformableEnd, Pyramid, volume_head
from vis.layers.positions import AddedSinePositions3D, SinePositions3D
from vis.layers.transformer import Transformer
from vis.losses.matching import VISTR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import MaskBranch
from vis.models._sequence import SequenceModel, Settings, check

RESERVED = 1
"""Row 0 of the logits, as in VisTR: no object that exists."""

POSITIONS = {"concatenated": SinePositions3D, "added": AddedSinePositions3D}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the article's; its code has width 384, into which VisTR's weights fit."""

    frames: int = 36
    """The most of a clip."""
    backbone: str = "twins_svt_small"
    width: int = 256
    positions: str = "concatenated"
    """`concatenated` as in VisTR, or `added`, which keeps the code of space of image models."""
    head: str = "siren"
    """`siren`, or `linear_mlp` as in VisTR."""
    sine_width: int = 128
    """Channels of a head's first sine layer; each later layer has half."""
    class_sines: int = 1
    """Sine layers of the class head."""
    box_sines: int = 2
    """Sine layers of the box head."""
    sine_dropout: float = 0.2
    mask_prior: float | None = None
    """Probability that a fresh model gives a mask's pixel; None is what comes of chance, about a
    half, from which training without a pre-trained start needs long to darken the background."""
    w0: float = 1.0
    """Frequency of the sines; SIREN's is 30, with `slow_start`."""
    slow_start: bool = False
    """Whether the first sine layer starts within 1 / n, as SIREN's does."""


class TTSRN(SequenceModel):
    """Twins, GELU, sine heads."""

    name: ClassVar[str] = "tt_srn"


def build(config: Config) -> TTSRN:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    backbone = backbones.build(config.backbone)
    class_head, box_head = _heads(config)
    return TTSRN(
        config,
        frames=config.frames,
        backbone=backbone,
        positions=POSITIONS[config.positions](config.width),
        transformer=Transformer(
            config.width,
            heads=config.heads,
            encoders=config.encoders,
            decoders=config.decoders,
            hidden=config.hidden,
            dropout=config.dropout,
            activation=functional.gelu,
        ),
        class_head=class_head,
        box_head=box_head,
        masks=MaskBranch(
            attention=AttentionMaps(config.width, config.heads),
            pyramid=Pyramid(
                config.width,
                heads=config.heads,
                channels=backbone.channels[:-1],
                end=DeformableEnd,
                activation=nn.GELU,
            ),
            volume=volume_head(config.width // 16, nn.GELU, prior=config.mask_prior),
            chunk=config.chunk,
        ),
        loss=SetLoss(Matcher(VISTR_COST), config.weights(), smoothing=VISTR_COST.smoothing),
        selection=config.selection(reserved=RESERVED),
    )


def _heads(config: Config) -> tuple[nn.Module, nn.Module]:
    rows = RESERVED + config.classes + 1
    if config.head == "linear_mlp":
        return nn.Linear(config.width, rows), mlp(config.width, 4)

    def head(out: int, sines: int) -> nn.Module:
        return siren_head(
            config.width,
            out,
            hidden=config.sine_width,
            sines=sines,
            w0=config.w0,
            dropout=config.sine_dropout,
            slow_start=config.slow_start,
        )

    return head(rows, config.class_sines), head(4, config.box_sines)


def _check(config: Config) -> None:
    check(config, masks=True)
    for name, choices in (("positions", tuple(POSITIONS)), ("head", ("siren", "linear_mlp"))):
        value = getattr(config, name)
        if value not in choices:
            raise UsageError(f"{name} is {value!r}", remedy=f"One of: {', '.join(choices)}.")
    deepest = max(config.class_sines, config.box_sines)
    if config.mask_prior is not None and not 0 < config.mask_prior < 1:
        raise UsageError(f"mask_prior is {config.mask_prior}, it must be within 0..1")
    if config.w0 <= 0 or min(config.class_sines, config.box_sines) < 1:
        raise UsageError("w0 must be above 0, and each head needs a sine layer")
    if config.sine_width >> deepest < 1:
        raise UsageError(f"sine_width {config.sine_width} cannot be halved {deepest} times")
