"""SOTR (Guo et al., 2021): a pyramid of grids; a cell may name an object and embed its mask."""

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
from vis.layers.padding import padded_size_of, padding_mask
from vis.layers.positions import AddedPlace
from vis.layers.twin import HybridTwinLayer, PureTwinLayer, TwinTransformer
from vis.layers.upsampling import GROUPS, FeaturePyramid, MultiLevelUpsampling
from vis.losses.grid import GridLoss, GridOutput
from vis.losses.targets import check_batch, check_classes
from vis.models._checks import check_choice, check_counts, check_fractions
from vis.models._contract import Model
from vis.models._grid_selection import GridSelection
from vis.models._memory_order import ordered

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

    RENAMED: ClassVar[dict[str, str]] = {
        "width": "d_model",
        "heads": "num_heads",
        "places": "position_codes",
    }

    classes: int
    """Number of classes in the data set."""
    backbone: str = "resnet50"
    """A name of `vis.backbones`."""
    d_model: int = 256
    """Channels of pyramid, transformer and mask embeddings."""
    mask_width: int = 128
    """Channels of the mask branch."""
    layers: str = "hybrid"
    """Kind of the transformer's layers: `hybrid` as released, `pure` as in the article."""
    depth: int = 12
    """Layers of the transformer."""
    num_heads: int = 8
    """Heads of each attention."""
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
    position_codes: bool = False
    """Tell cells and mask feature where they lie, which the released model has to guess."""
    pixels: float = 0.0
    """Weight of a head that names every pixel, which only the loss looks at; 0 for none."""
    published_targets: bool = False
    """Whether a cell that several objects want learns all their masks, as released."""
    min_class: float = 0.1
    """Cells whose class is less probable hold nothing."""
    min_score: float = 0.05
    """Objects below it, after mask and overlaps were looked at, are not predicted."""
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
    """The grids of a batch of pictures, and what of the padded frames is content."""

    grids: GridOutput
    sizes: Tensor
    """`[B 2]` pixels of the content."""


class SOTR(Model[Output]):
    """A clip has one frame.

    Args:
        classes: number of classes in the data set.
        grids: cells of the side of each level's grid.
        backbone: frames to four maps.
        pyramid: four maps to five of one width.
        transformer: a map to a map.
        class_head: cell to logits.
        kernel_head: cell to the embedding of its mask, the paper's kernel.
        masks: four maps to the mask features that the embeddings are applied to.
        position_codes: add to a map where each cell lies; none for nothing.
        pixel_head: feature to logits of classes; none where the loss has no such term.
        loss: of output and targets.
        selection: which cells become predictions.
    """

    name: ClassVar[str] = "sotr"

    def __init__(
        self,
        *,
        classes: int,
        grids: Sequence[int],
        backbone: Backbone,
        pyramid: FeaturePyramid,
        transformer: TwinTransformer,
        class_head: nn.Linear,
        kernel_head: nn.Linear,
        masks: MultiLevelUpsampling,
        position_codes: nn.ModuleList | None = None,
        pixel_head: nn.Conv2d | None = None,
        loss: GridLoss,
        selection: GridSelection,
    ) -> None:
        super().__init__()
        self.frames, self.classes, self.grids = 1, classes, grids
        self.loss, self.selection = loss, selection
        self.backbone, self.pyramid, self.transformer = backbone, pyramid, transformer
        self.class_head, self.kernel_head, self.masks = class_head, kernel_head, masks
        # Weight files know it by this name.
        self.add_module("places", position_codes)
        self.pixel_head = pixel_head
        for head in (class_head, pixel_head):
            if head is not None and head.bias is not None:
                nn.init.constant_(head.bias, -math.log((1 - RARE) / RARE))

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips of one frame.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        padded_size = padded_size_of(clip.frames, max(32, self.backbone.multiple))
        padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
        x = self.normalize(clip.frames[:, 0], padding, self.class_head.weight.dtype)
        levels = self.pyramid(self.backbone(ordered(x)))
        cells = [self.transformer(level) for level in _gridded(levels, self.grids)]
        # The fourth level passes the transformer unresized, as released: its cost grows with it.
        mask_features = self.masks([*levels[:3], self.transformer(levels[3])])
        pixels = (
            self.pixel_head(mask_features)
            if self.pixel_head is not None and self.training
            else None
        )
        if isinstance(self.places, nn.ModuleList):
            of_cells, of_feature = self.places
            cells, mask_features = [of_cells(x) for x in cells], of_feature(mask_features)
        cell_heads = (self.class_head, self.kernel_head)
        logits, mask_embeddings = ([_at_cells(head, x) for x in cells] for head in cell_heads)
        return Output(GridOutput(logits, mask_embeddings, mask_features, pixels), clip.sizes)

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_batch(targets, len(output.sizes))
        check_classes(targets, self.classes)
        return self.loss(output.grids, targets)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """The objects of each picture, the best first; `embeddings` are those of the masks."""
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
        classes=config.classes,
        grids=config.grids,
        backbone=backbone,
        pyramid=FeaturePyramid(backbone.channels, config.d_model),
        transformer=TwinTransformer(
            [layer(config.d_model, config.num_heads) for _ in range(config.depth)],
            doubled=config.doubled,
        ),
        class_head=nn.Linear(config.d_model, config.classes),
        kernel_head=nn.Linear(config.d_model, config.d_model),
        masks=MultiLevelUpsampling(
            config.d_model, mid_channels=config.mask_width, out=config.d_model, levels=4
        ),
        position_codes=nn.ModuleList(AddedPlace(config.d_model) for _ in range(2))
        if config.position_codes
        else None,
        pixel_head=nn.Conv2d(config.d_model, config.classes, 1) if config.pixels else None,
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
    ).with_config(config)


def _gridded(levels: list[Tensor], sides: Sequence[int]) -> list[Tensor]:
    """Five maps as square grids; the first is halved before, the last enlarged to the fourth."""
    # Levels of strides 4 and 64 are brought to 8 and 32 before the grids (SOLO).
    first = interpolate(levels[0], scale_factor=0.5, mode="bilinear")
    last = interpolate(levels[4], levels[3].shape[-2:], mode="bilinear")
    maps = [first, *levels[1:4], last]
    return [
        interpolate(x, (side, side), mode="bilinear") for x, side in zip(maps, sides, strict=True)
    ]


def _at_cells(head: nn.Linear, x: Tensor) -> Tensor:
    """`[M C g g]` -> `[M D g g]`, cell by cell."""
    # A linear layer, not a convolution: so are the released weights shaped.
    cells: Tensor = head(rearrange(x, "m c h w -> m h w c"))
    return rearrange(cells, "m h w c -> m c h w")


def _check(config: Config) -> None:
    check_counts(config, "classes d_model mask_width depth num_heads candidates keep")
    check_fractions(config, "min_class min_score")
    check_choice(config, "layers", LAYERS)
    if config.d_model % config.num_heads:
        raise UsageError(f"d_model {config.d_model} is no multiple of the {config.num_heads} heads")
    for name in ("d_model", "mask_width"):
        if getattr(config, name) > GROUPS and getattr(config, name) % GROUPS:
            raise UsageError(f"{name} {getattr(config, name)} is no multiple of {GROUPS}")
    if len(config.grids) != LEVELS or len(config.sizes) != LEVELS or min(config.grids) < 1:
        raise UsageError(f"grids and sizes need {LEVELS} entries each, grids of at least 1 cell")
