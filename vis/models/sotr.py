"""SOTR (Guo et al., 2021): a pyramid of grids; each cell may name an object and hold its kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vis import backbones
from vis.errors import UsageError
from vis.layers.canvas import canvas_of, normalised, padding_of
from vis.layers.positions import AddedPlace
from vis.layers.twin import HybridTwinLayer, PureTwinLayer, TwinTransformer
from vis.layers.upsampling import GROUPS, FeaturePyramid, MultiLevelUpsampling
from vis.losses.grid import GridLoss, GridOutput
from vis.losses.targets import check_batch, check_classes
from vis.models._contract import Model
from vis.models._grid_selection import GridSelection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vis.backbones.levels import Backbone
    from vis.records import Clip, ClipPredictions, ClipTargets

LAYERS: dict[str, Callable[[int, int], nn.Module]] = {
    "hybrid": HybridTwinLayer,
    "pure": PureTwinLayer,
}
RARE = 0.01
"""Probability that a fresh model gives any class in any cell."""
LEVELS = 5
SMALLEST = (8, 8, 16, 32, 32)
"""A mask of each level needs more cells of the mask feature than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are the released model's."""

    classes: int
    """Of the data set."""
    backbone: str = "resnet50"
    width: int = 256
    """Channels of pyramid, transformer and kernels."""
    mask_width: int = 128
    """Channels of the mask branch."""
    layers: str = "hybrid"
    """Of the transformer: `hybrid` as released, or `pure` as in the article."""
    depth: int = 12
    heads: int = 8
    doubled: bool = True
    """Whether the transformer looks at two copies side by side, as released."""
    grids: tuple[int, ...] = (40, 36, 24, 16, 12)
    """Cells of the side of each level's grid."""
    sizes: tuple[tuple[float, float], ...] = (
        (1, 96),
        (48, 192),
        (96, 384),
        (192, 768),
        (384, 2048),
    )
    """Root of the area of the boxes that each level answers for, in pixels, from and to."""
    places: bool = False
    """Tell cells and mask feature where they lie, which the released model has to guess."""
    pixels: float = 0.0
    """Weight of a head that names every pixel, which only the loss looks at; 0 for none."""
    published_targets: bool = False
    """Whether a cell that several objects want learns all their masks, as released."""
    min_class: float = 0.1
    """Cells whose class is less probable hold nothing."""
    min_score: float = 0.05
    """After the mask has been looked at and overlaps have been settled."""
    candidates: int = 500
    """The most masks of a picture that are compared."""
    keep: int = 100
    """The most of a picture that are predicted."""

    def __post_init__(self) -> None:
        """Files know lists alone."""
        object.__setattr__(self, "grids", tuple(self.grids))
        object.__setattr__(self, "sizes", tuple((low, high) for low, high in self.sizes))


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The grids of a batch of pictures, and what of the canvas is content."""

    grids: GridOutput
    sizes: Tensor
    """`[B 2]` pixels of the content."""


class SOTR(Model[Output]):
    """A clip has one frame.

    Args:
        config: what the parts were built from.
        backbone: frames to four maps.
        pyramid: four maps to five of one width.
        transformer: a map to a map.
        class_head: cell to logits.
        kernel_head: cell to the kernel of its mask.
        masks: four maps to the feature that kernels are applied to.
        places: adds to a map where each cell lies; none for nothing.
        pixel_head: feature to logits of classes; none where the loss has no such term.
        loss: of output and targets.
        selection: which cells become predictions.
    """

    name: ClassVar[str] = "sotr"

    def __init__(
        self,
        config: Config,
        *,
        backbone: Backbone,
        pyramid: FeaturePyramid,
        transformer: TwinTransformer,
        class_head: nn.Linear,
        kernel_head: nn.Linear,
        masks: MultiLevelUpsampling,
        places: nn.ModuleList | None = None,
        pixel_head: nn.Conv2d | None = None,
        loss: GridLoss,
        selection: GridSelection,
    ) -> None:
        super().__init__()
        self.config, self.frames = config, 1
        self.loss, self.selection = loss, selection
        self.backbone, self.pyramid, self.transformer = backbone, pyramid, transformer
        self.class_head, self.kernel_head, self.masks = class_head, kernel_head, masks
        self.places, self.pixel_head = places, pixel_head
        for head in (class_head, pixel_head):
            if head is not None and head.bias is not None:
                nn.init.constant_(head.bias, -math.log((1 - RARE) / RARE))

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips of one frame.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        canvas = canvas_of(clip.frames, max(32, self.backbone.multiple))
        padding = padding_of(clip.sizes, canvas)
        x = normalised(clip.frames[:, 0], padding, self.class_head.weight.dtype)
        levels = self.pyramid(self.backbone(x.contiguous(memory_format=torch.channels_last)))
        cells = [self.transformer(level) for level in _gridded(levels, self.config.grids)]
        feature = self.masks([*levels[:3], self.transformer(levels[3])])
        pixels = self.pixel_head(feature) if self.pixel_head is not None and self.training else None
        if self.places is not None:
            of_cells, of_feature = self.places
            cells, feature = [of_cells(x) for x in cells], of_feature(feature)
        heads = (self.class_head, self.kernel_head)
        logits, kernels = ([_at_cells(head, x) for x in cells] for head in heads)
        return Output(GridOutput(logits, kernels, feature, pixels), clip.sizes)

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_batch(targets, len(output.sizes))
        check_classes(targets, self.config.classes)
        return self.loss(output.grids, targets)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """The objects of each picture, the best first; `embeddings` are the kernels."""
        del clip
        return self.selection(output.grids, output.sizes)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.transformer.layers


def build(config: Config) -> SOTR:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    backbone = backbones.build(config.backbone)
    layer = LAYERS[config.layers]
    return SOTR(
        config,
        backbone=backbone,
        pyramid=FeaturePyramid(backbone.channels, config.width),
        transformer=TwinTransformer(
            [layer(config.width, config.heads) for _ in range(config.depth)],
            doubled=config.doubled,
        ),
        class_head=nn.Linear(config.width, config.classes),
        kernel_head=nn.Linear(config.width, config.width),
        masks=MultiLevelUpsampling(
            config.width, hidden=config.mask_width, out=config.width, levels=4
        ),
        places=nn.ModuleList(AddedPlace(config.width) for _ in range(2)) if config.places else None,
        pixel_head=nn.Conv2d(config.width, config.classes, 1) if config.pixels else None,
        loss=GridLoss(
            ranges=config.sizes, pixels=config.pixels, published=config.published_targets
        ),
        selection=GridSelection(
            min_class=config.min_class,
            min_score=config.min_score,
            smallest=SMALLEST,
            candidates=config.candidates,
            keep=config.keep,
        ),
    )


def _gridded(levels: list[Tensor], sides: Sequence[int]) -> list[Tensor]:
    """Five maps as square grids; the first is halved before, the last enlarged to the fourth."""
    first = interpolate(levels[0], scale_factor=0.5, mode="bilinear")
    last = interpolate(levels[4], levels[3].shape[-2:], mode="bilinear")
    maps = [first, *levels[1:4], last]
    return [
        interpolate(x, (side, side), mode="bilinear") for x, side in zip(maps, sides, strict=True)
    ]


def _at_cells(head: nn.Linear, x: Tensor) -> Tensor:
    """`[M C g g]` -> `[M D g g]`, cell by cell."""
    cells: Tensor = head(rearrange(x, "m c h w -> m h w c"))
    return rearrange(cells, "m h w c -> m c h w")


def _check(config: Config) -> None:
    counts = ("classes", "width", "mask_width", "depth", "heads", "candidates", "keep")
    for name in counts:
        if getattr(config, name) < 1:
            raise UsageError(f"{name} is {getattr(config, name)}, it must be at least 1")
    for name in ("min_class", "min_score"):
        if not 0 <= getattr(config, name) <= 1:
            raise UsageError(f"{name} is {getattr(config, name)}, it must be within 0..1")
    if config.layers not in LAYERS:
        raise UsageError(f"layers is {config.layers!r}", remedy=f"One of: {', '.join(LAYERS)}.")
    if config.width % config.heads:
        raise UsageError(f"width {config.width} is no multiple of the {config.heads} heads")
    for name in ("width", "mask_width"):
        if getattr(config, name) > GROUPS and getattr(config, name) % GROUPS:
            raise UsageError(f"{name} {getattr(config, name)} is no multiple of {GROUPS}")
    if len(config.grids) != LEVELS or len(config.sizes) != LEVELS or min(config.grids) < 1:
        raise UsageError(f"grids and sizes need {LEVELS} entries each, grids of at least 1 cell")
