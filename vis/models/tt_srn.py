"""TT-SRN (Kocagil, 2021): VisTR with Twins, GELU and sine heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn
from torch.nn import functional

from vis import backbones
from vis.errors import UsageError
from vis.layers.masks import AttentionMaps, DeformableEnd, Pyramid, volume_head
from vis.layers.positions import AddedSinePositions3D, SinePositions3D
from vis.layers.prediction_heads import mlp, siren_head
from vis.layers.transformer import Transformer
from vis.losses.matching import VISTR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._checks import check_choice
from vis.models._masks import MaskBranch
from vis.models._output import Output
from vis.models._sequence import SequenceModel, Settings, check

if TYPE_CHECKING:
    from vis.records import Clip

BACKGROUND_ROWS = 1
"""Row 0 of the logits, as in VisTR: no object that exists."""

POSITIONS = {"concatenated": SinePositions3D, "added": AddedSinePositions3D}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The defaults are the article's; its code has 384 channels, into which VisTR's weights fit."""

    RENAMED: ClassVar[dict[str, str]] = {
        **Settings.RENAMED,
        "w0": "omega_0",
        "slow_start": "first_layer_init",
    }

    frames: int = 36
    """The most of a clip."""
    backbone: str = "twins_svt_small"
    """A name of `vis.backbones`."""
    d_model: int = 256
    """Channels of the transformer."""
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
    """Probability after each sine layer, in training."""
    mask_prior: float | None = None
    """Probability that a fresh model gives a mask's pixel; None is what comes of chance, about a
    half, from which training without a pre-trained start needs long to darken the background."""
    omega_0: float = 1.0
    """Frequency of the sines; SIREN's is 30, with `first_layer_init`."""
    first_layer_init: bool = False
    """Whether the first sine layer starts within 1 / n, as SIREN's does."""


class TTSRN(SequenceModel):
    """Twins, GELU, sine heads."""

    name: ClassVar[str] = "tt_srn"

    def forward(self, clip: Clip) -> Output:
        """Compute the paper's overview figure; in use, masks wait until they are asked for.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        T = clip.frames.shape[1]
        features = self.features(clip)  # Twins, frame by frame
        memory = self.encode(features, frames=T)  # classical encoder, positions in space and time
        states = self.decode(memory, frames=T)  # classical decoder, on T x N instance queries
        layers = self.predict(states)  # sine representation networks: classes and boxes
        assert self.masks is not None
        masks = self.masks.deferred(states[-1], features, memory)  # segmentation head over time
        return self.finish(Output(layers, masks, features.padded_size, clip.sizes))


def build(config: Config) -> TTSRN:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    backbone = backbones.build(config.backbone)
    class_head, box_head = _prediction_heads(config)
    return TTSRN(
        classes=config.classes,
        frames=config.frames,
        instance_queries=config.instance_queries,
        d_model=config.d_model,
        backbone=backbone,
        positions=POSITIONS[config.positions](config.d_model),
        transformer=Transformer(
            config.d_model,
            num_heads=config.num_heads,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
            activation=functional.gelu,
        ),
        class_head=class_head,
        box_head=box_head,
        masks=MaskBranch(
            attention=AttentionMaps(config.d_model, config.num_heads),
            pyramid=Pyramid(
                config.d_model,
                num_heads=config.num_heads,
                channels=backbone.channels[:-1],
                end=DeformableEnd,
                activation=nn.GELU,
            ),
            volume=volume_head(config.d_model // 16, nn.GELU, prior=config.mask_prior),
            chunk=config.chunk,
        ),
        loss=SetLoss(Matcher(VISTR_COST), config.weights(), eps=VISTR_COST.eps),
        selection=config.selection(background_rows=BACKGROUND_ROWS),
        chunk=config.chunk,
    ).with_config(config)


def _prediction_heads(config: Config) -> tuple[nn.Module, nn.Module]:
    # Row 0 of an empty box, the classes, and the last of no object.
    rows = BACKGROUND_ROWS + config.classes + 1
    if config.head == "linear_mlp":
        return nn.Linear(config.d_model, rows), mlp(config.d_model, 4)

    def head(out: int, sines: int) -> nn.Module:
        return siren_head(
            config.d_model,
            out,
            hidden_dim=config.sine_width,
            sines=sines,
            omega_0=config.omega_0,
            dropout=config.sine_dropout,
            first_layer_init=config.first_layer_init,
        )

    return head(rows, config.class_sines), head(4, config.box_sines)


def _check(config: Config) -> None:
    check(config, masks=True)
    check_choice(config, "positions", POSITIONS)
    check_choice(config, "head", ("siren", "linear_mlp"))
    # Each sine layer halves the width; the last must have a channel left.
    deepest = max(config.class_sines, config.box_sines)
    if config.mask_prior is not None and not 0 < config.mask_prior < 1:
        raise UsageError(f"mask_prior is {config.mask_prior}, it must be within 0..1")
    if config.omega_0 <= 0 or min(config.class_sines, config.box_sines) < 1:
        raise UsageError("omega_0 must be above 0, and each head needs a sine layer")
    if config.sine_width >> deepest < 1:
        raise UsageError(f"sine_width {config.sine_width} cannot be halved {deepest} times")
