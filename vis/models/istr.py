"""ISTR (Hu et al., 2021): queries with boxes that are refined in turns; masks are codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from vis import backbones
from vis.errors import UsageError
from vis.layers.code_heads import CodeInputs, ConvCodes, LinearCodes
from vis.layers.dynamic_head import RefinementStage, pictures_of, through_time
from vis.layers.learned_codes import LearnedCodes
from vis.layers.mask_codes import CosineCodes, PrincipalCodes
from vis.layers.padding import padded_size_of, padding_mask
from vis.layers.upsampling import FeaturePyramid
from vis.losses.code_loss import CodedStage
from vis.models._checks import check_choice, check_counts
from vis.models._code_selection import CodeSelection, Output, sides_of
from vis.models._contract import Model
from vis.models._istr_releases import GENERATIONS
from vis.models._memory_order import ordered
from vis.ops.boxes import to_corners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vis.backbones.levels import Backbone
    from vis.layers.dynamic_head import Stage
    from vis.layers.mask_codes import MaskCodec
    from vis.losses.code_loss import CodeLoss
    from vis.records import Clip, ClipPredictions, ClipTargets

LEVELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the second release with learned codes."""

    RENAMED: ClassVar[dict[str, str]] = {
        "width": "d_model",
        "heads": "num_heads",
        "hidden": "ffn_dim",
        "carry": "query_propagation",
    }

    classes: int
    """Number of classes in the data set."""
    backbone: str = "resnet50"
    generation: str = "v2"
    """`v1`, as in the article: the query alone knows the mask's code (mask_side 28, code 60, codec
    pca). `v2`, as released later: convolutions see it in the box."""
    codec: str = "ae"
    """`pca` and `ae` are fitted to masks before the model learns; `dct` needs no fitting."""
    mask_side: int = 112
    """Cells of a mask in its box."""
    code: int = 256
    """Numbers of a mask's code."""
    noisy: bool = False
    """Whether codes to be learned by `pca` are drawn with noise, as released."""
    d_model: int = 256
    """Channels of pyramid and queries."""
    queries: int = 300
    stages: int = 6
    num_heads: int = 8
    ffn_dim: int = 2048
    """Channels inside the feed-forward parts."""
    dynamic: int = 64
    """Channels inside the filters that queries make."""
    frames: int = 1
    """The most frames of a clip."""
    query_propagation: float = 0.3
    """A query that is as sure of a class goes on from where it was in the frame before."""
    keep: int = 100
    """The most pairs of query and class of a clip that are predicted."""


class ISTR(Model[Output]):
    """Frame by frame; in a clip, queries that are sure of a class propagate their state and box.

    Args:
        frames: the most of a clip.
        queries: of each frame.
        d_model: channels of pyramid and queries.
        query_propagation: class probability from which a query goes on in the next frame.
        backbone: frames to four maps.
        pyramid: four maps to five of one width.
        stages: each looks at queries, boxes and maps.
        code_heads: of each stage, to the codes of its masks.
        codec: codes to masks, and back.
        loss: of output and targets.
        selection: which queries become predictions.
    """

    name: ClassVar[str] = "istr"

    def __init__(
        self,
        *,
        frames: int,
        queries: int,
        d_model: int,
        query_propagation: float,
        backbone: Backbone,
        pyramid: FeaturePyramid,
        stages: Sequence[RefinementStage],
        code_heads: Sequence[LinearCodes | ConvCodes],
        codec: MaskCodec,
        loss: CodeLoss,
        selection: CodeSelection,
    ) -> None:
        super().__init__()
        self.frames, self.query_propagation = frames, query_propagation
        self.loss, self.selection = loss, selection
        self.backbone, self.pyramid, self.codec = backbone, pyramid, codec
        self.queries = nn.Parameter(torch.randn(queries, d_model))
        # centre and sides of the whole picture
        self.boxes = nn.Parameter(torch.tensor([0.5, 0.5, 1, 1]).repeat(queries, 1))
        self.stages, self.code_heads = nn.ModuleList(stages), nn.ModuleList(code_heads)

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips; in training, at the masks of all stages too.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        T = clip.frames.shape[1]
        self.check_length(clip, remedy="Give it fewer frames at a time.")
        levels = self._levels(clip)
        looks: list[list[Stage]] = []
        for t in range(T):
            # Frames in their order: a query goes on from the frame before.
            now = [level[:, t] for level in levels]
            first = self._first(now, clip.sizes)
            looks.append(
                self.refine(*(self._propagated(first, looks[-1]) if looks else first), now)
            )
        stacked = [through_time(one) for one in zip(*looks, strict=True)]
        logits, boxes, states = (list(parts) for parts in zip(*stacked, strict=True))
        boxes = [x / sides_of(clip.sizes, x) for x in boxes]
        output = Output(logits, boxes, states, levels=levels, sizes=clip.sizes, codes=[])
        return replace(output, codes=self._coded(output)) if self.training else output

    def refine(self, queries: Tensor, boxes: Tensor, levels: Sequence[Tensor]) -> list[Stage]:
        """All stages in turn: `[B Q C]`, `[B Q 4]` corners in pixels, maps `[B C h w]`."""
        outputs: list[Stage] = []
        for stage in self.stages:
            outputs.append(stage(queries, boxes, levels))
            # Detached, as released: each stage answers for its own step alone.
            queries, boxes = outputs[-1].queries, outputs[-1].boxes.detach()
        return outputs

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        codes = output.codes or self._coded(output)
        stages = [
            CodedStage(logits, boxes, *coded)
            for logits, boxes, coded in zip(output.logits, output.boxes, codes, strict=True)
        ]
        return self.loss(stages, targets, self.codec)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """The objects of each clip, the best first; `embeddings` are the queries' states."""
        del clip
        head = self.code_heads[-1]
        assert isinstance(head, LinearCodes | ConvCodes)
        return self.selection(output, head, self.codec)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from (*self.stages, *self.code_heads)

    def _levels(self, clip: Clip) -> list[Tensor]:
        """Four maps `[B T C h w]`."""
        T = clip.frames.shape[1]
        size = padded_size_of(clip.frames, max(32, self.backbone.multiple))
        padding = padding_mask(clip.sizes, size, clip.frames.device)
        padding = None if padding is None else padding.repeat_interleave(T, dim=0)
        x = self.normalize(clip.frames.flatten(0, 1), padding, self.queries.dtype)
        levels = self.pyramid(self.backbone(ordered(x)))
        return [rearrange(x, "(b t) c h w -> b t c h w", t=T) for x in levels[:LEVELS]]

    def _first(self, levels: Sequence[Tensor], sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Learned queries, to each the mean of the picture added, and their boxes in pixels.

        The padding counts in the mean, as released.
        """
        # Published fault: padding is part of the mean, so a picture's result depends on its batch.
        means = torch.stack([level.mean(dim=(2, 3)) for level in levels]).sum(dim=0)
        corners = to_corners(self.boxes.to(torch.promote_types(self.boxes.dtype, torch.float32)))
        return means[:, None] + self.queries, corners * sides_of(sizes, corners[None])

    def _propagated(
        self, first: tuple[Tensor, Tensor], before: Sequence[Stage]
    ) -> tuple[Tensor, Tensor]:
        """Queries that found something in the frame before go on from there, the others anew."""
        last = before[-1]
        # Queries that hold nothing start anew, or they would never find an object that enters.
        sure = last.logits.sigmoid().amax(dim=2, keepdim=True) >= self.query_propagation
        queries, boxes = first
        return (
            torch.where(sure, last.queries.to(queries.dtype), queries),
            torch.where(sure, last.boxes.detach(), boxes),
        )

    def _coded(self, output: Output) -> list[tuple[Tensor, Tensor | None]]:
        """Codes, and maps where there are any, of all queries of all stages: `[B T Q ...]`."""
        levels = [level.flatten(0, 1) for level in output.levels]
        codes_of_stages = []
        for head, states, boxes in zip(self.code_heads, output.states, output.boxes, strict=True):
            B, T, Q = states.shape[:3]
            inputs = CodeInputs(
                states.flatten(0, 2),
                (boxes.detach() * sides_of(output.sizes, boxes)).flatten(0, 2),
                pictures_of(B * T, Q, boxes.device),
                levels,
            )
            codes, maps = head(inputs)
            maps = None if maps is None else maps.view(B, T, Q, *maps.shape[1:])
            codes_of_stages.append((codes.view(B, T, Q, -1), maps))
        return codes_of_stages


CODECS: dict[str, Callable[[Config], MaskCodec]] = {
    "pca": lambda config: PrincipalCodes(config.mask_side, config.code, noisy=config.noisy),
    "dct": lambda config: CosineCodes(config.mask_side, config.code),
    "ae": lambda config: LearnedCodes(config.mask_side, config.code),
}


def build(config: Config) -> ISTR:
    """The model with fresh weights; its codes still are to be fitted, where they are learned.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    generation = GENERATIONS[config.generation]
    backbone = backbones.build(config.backbone)
    if not generation.frozen:
        # v2 trains the whole backbone; v1 keeps the stem and first stage, as detectron2 does.
        backbone.requires_grad_(True)
    return ISTR(
        frames=config.frames,
        queries=config.queries,
        d_model=config.d_model,
        query_propagation=config.query_propagation,
        backbone=backbone,
        pyramid=FeaturePyramid(backbone.channels, config.d_model),
        stages=[
            RefinementStage(
                config.d_model,
                classes=config.classes,
                num_heads=config.num_heads,
                ffn_dim=config.ffn_dim,
                dynamic=config.dynamic,
            )
            for _ in range(config.stages)
        ],
        code_heads=[_code_head(config) for _ in range(config.stages)],
        codec=CODECS[config.codec](config),
        loss=generation.loss,
        selection=CodeSelection(
            keep=config.keep, averaged=generation.averaged, inside=generation.inside
        ),
    ).with_config(config)


def _code_head(config: Config) -> LinearCodes | ConvCodes:
    if config.generation == "v1":
        return LinearCodes(config.d_model, config.code)
    return ConvCodes(
        config.d_model, config.code, side=config.mask_side, with_maps=config.codec == "ae"
    )


def _check(config: Config) -> None:
    check_counts(config, "classes mask_side code d_model queries stages num_heads ffn_dim")
    check_counts(config, "dynamic frames keep")
    check_choice(config, "generation", GENERATIONS)
    check_choice(config, "codec", CODECS)
    if config.d_model % config.num_heads:
        raise UsageError(f"d_model {config.d_model} is no multiple of the {config.num_heads} heads")
    if config.code > config.mask_side**2 and config.codec != "ae":
        raise UsageError(f"code {config.code} is longer than a mask of {config.mask_side} squared")
    if config.codec == "ae" and config.generation == "v1":
        raise UsageError("codec 'ae' needs generation 'v2', whose heads see the box")
    if config.generation == "v2" and (config.mask_side % 16 or config.mask_side < 32):
        raise UsageError(f"mask_side {config.mask_side} is no multiple of 16 from 32 on")
