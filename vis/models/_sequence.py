"""What DETR, VisTR and TT-SRN share: queries of slots, one for each frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from vis.errors import UsageError
from vis.layers.canvas import Normalise, canvas_of, padding_of, shrunk
from vis.losses.outputs import LayerOutput
from vis.models._contract import Model
from vis.models._masks import DenseMasks
from vis.models._output import Output
from vis.models._selection import VOTES, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if masks and settings.width % MASK_WIDTH:
        raise UsageError(
            f"width {settings.width} is not a multiple of {MASK_WIDTH}, which the masks need"
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


class Sight(NamedTuple):
    """What the backbone saw of every frame."""

    projected: Tensor
    """`[B*T C h w]` of stride 32."""
    laterals: list[Tensor]
    """Of strides 16, 8 and 4, for the masks; empty without them."""


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
        self.normalise, self.backbone = Normalise(), backbone
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
        B, T = self._check(clip)
        canvas = canvas_of(clip.frames, self.backbone.multiple)
        padding = padding_of(clip.sizes, canvas)
        sight = self._see(clip.frames.flatten(0, 1), padding, T)
        blocked = _blocked(padding, sight.projected, B)
        states, memory = self._transform(
            sight.projected, blocked, None if padding is None else ~blocked
        )
        layers = [LayerOutput(self.class_head(s), self.box_head(s).sigmoid()) for s in states]
        output = Output(layers, None, canvas, clip.sizes)
        if self.masks is None:
            return output
        masks = self.masks.deferred(
            states[-1],
            projected=sight.projected,
            memory=memory,
            laterals=sight.laterals,
            padding=None if padding is None else blocked.flatten(0, 1),
        )
        output = replace(output, masks=masks)
        return _computed(output) if self.training else output

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        reserved = self.selection.reserved
        rows = [replace(target, labels=target.labels + reserved) for target in targets]
        return self.loss(output.dense(), rows)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch, in the order of its slots.

        A track's class and score come from all frames together (`vote`), rows before the first
        class are never voted for. `presence` is the highest class probability in the frame; VisTR
        draws no mask where it is below 0.001. A track that is empty in all frames is left out.
        """
        del clip
        return self.selection(output)

    def _check(self, clip: Clip) -> tuple[int, int]:
        B, T = clip.frames.shape[:2]
        if self.frames < T:
            raise UsageError(
                f"{self.name} was built for clips of at most {self.frames} frames, not {T}",
                remedy="Cut the video into shorter windows.",
            )
        return B, T

    def _see(self, frames: Tensor, padding: Tensor | None, T: int) -> Sight:
        """`[B*T 3 H W]` a few frames at a time, so that no large map of all frames is kept."""
        projected, laterals = [], []
        rows = torch.arange(len(frames), device=frames.device)
        for part in torch.split(rows, self.config.chunk):
            pixels = self.normalise(frames[part], None if padding is None else padding[part // T])
            levels = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
            projected.append(self.projection(levels[-1]))
            if self.masks is not None:
                laterals.append(self.masks.pyramid.lateral_maps(levels[:-1]))
        return Sight(
            torch.cat(projected), [torch.cat(maps) for maps in zip(*laterals, strict=True)]
        )

    def _transform(
        self, maps: Tensor, blocked: Tensor, allowed: Tensor | None
    ) -> tuple[list[Tensor], Tensor]:
        """States `[B T N C]` of each decoder layer, and the memory as maps `[B*T C h w]`."""
        B, T, h, _ = blocked.shape
        tokens = rearrange(maps, "(b t) c h w -> b (t h w) c", b=B)
        positions = self.positions(blocked).flatten(1, 3).to(tokens.dtype)
        if allowed is not None:
            allowed = allowed.flatten(1)[:, None, None]
        queries = self.queries[: T * self.config.slots]
        states, memory = self.transformer(tokens, positions, queries, allowed)
        memory = rearrange(memory, "b (t h w) c -> (b t) c h w", t=T, h=h)
        return [state.unflatten(1, (T, self.config.slots)) for state in states], memory


def _blocked(padding: Tensor | None, maps: Tensor, B: int) -> Tensor:
    """`[B T h w]` bool, True on cells of padding."""
    T = len(maps) // B
    if padding is None:
        return torch.zeros(B, T, *maps.shape[-2:], dtype=torch.bool, device=maps.device)
    return shrunk(padding, maps.shape[-2:])[:, None].expand(-1, T, -1, -1)


def _computed(output: Output) -> Output:
    """In training the masks belong to `forward`, where autocast and its wrappers see them."""
    masks = output.dense().masks
    assert masks is not None
    return replace(output, masks=DenseMasks(masks.transpose(1, 2)))
