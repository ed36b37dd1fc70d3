"""SSD on MobileNetV2 (Liu et al., 2016; Sandler et al., 2018) with outlines: a box, then its mask.

The detector is TensorFlow's `ssd_mobilenet_v2_coco`, number for number; what it lacks, outlines, a
mask head of no class adds, as RetinaMask (Fu et al., 2019) does for another single-shot detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from vis.backbones.mobilenet_v2 import (
    CHANNELS,
    EXPANDED_CHANNELS,
    LAST,
    MIDDLE,
    MiddleBlocks,
    MobileNetV2,
)
from vis.errors import UsageError
from vis.layers.anchors import COUNTS, anchors, by_anchor, class_head, decode
from vis.layers.padding import squash
from vis.layers.roi_masks import RoiMaskHead
from vis.layers.same_conv import ExtraMap
from vis.losses.anchor_loss import RoiSampling, detector_terms, mask_terms
from vis.losses.targets import check_batch
from vis.models._box_selection import BoxSelection, embeddings, filled, widened
from vis.models._checks import check_counts, check_fractions
from vis.models._contract import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.backbones.mobilenet_v2 import Maps
    from vis.layers.roi_masks import RoiMasks
    from vis.records import Clip, ClipPredictions, ClipTargets

EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels within and of the four maps after the trunk, each half as large as the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the model that ships."""

    classes: int
    """Number of classes in the data set."""
    aspect: float = 4 / 3
    """Long side of what the detector sees, in short sides, at most: longer pictures are squashed to
    it. The published one squashes all pictures to a square: 1."""
    masks: bool = True
    """Whether objects have outlines; the published detector's are its boxes."""
    mask_blocks: bool = True
    """Whether masks see strides 8 and 16 through blocks of their own, which begin as the
    trunk's: so masks are learnt through them while boxes and names stay as they are."""
    mask_width: int = 64
    """Channels of the mask head."""
    margin: float = 0.15
    """What the mask head sees around a box, on each side, in parts of the side."""
    train_detector: bool = True
    """Whether boxes and names are learnt too, or the masks alone."""
    rois: int = 8
    """Boxes of a picture whose masks are learnt in a step."""
    jitter: float = 0.1
    """How far these are off, in parts of their sides (standard deviation)."""
    min_score: float = 0.05
    """Detections of a lower score are none."""
    overlap: float = 0.6
    """IoU from which the less sure of two boxes is suppressed, whatever their classes."""
    keep: int = 20
    """The most detections of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What the network says of a batch of pictures, all squashed to one size."""

    logits: Tensor
    """`[B A K]`; a sigmoid each."""
    offsets: Tensor
    """`[B A 4]` of boxes from the anchors."""
    anchors: Tensor
    """`[B A 4]` centres and sides as fractions, the same for all."""
    levels: list[Tensor]
    """`[B C h w]` of strides 2 to 32, where masks are seen."""
    sizes: Tensor
    """`[B 2]` pixels of the content."""
    network_size: tuple[int, int]
    """Height and width in pixels to which the content was squashed."""

    @property
    def boxes(self) -> Tensor:
        """`[B A 4]` corners as fractions of the content, not necessarily inside."""
        offsets = self.offsets.to(torch.promote_types(self.offsets.dtype, torch.float32))
        return decode(offsets, self.anchors.to(offsets.dtype))


class SSDMask(Model[Output]):
    """A clip has one frame.

    Args:
        aspect: long side of what the detector sees, in short sides, at most.
        margin: what the mask head sees around a box, in parts of its sides.
        train_detector: whether boxes and names are learnt too.
        backbone: frames to maps.
        extra: each makes the next smaller map.
        class_heads: of each of six maps, to logits of all anchors of a cell.
        box_heads: likewise, to offsets.
        masks: boxes to masks; none where objects have boxes alone.
        mask_blocks: what masks see at strides 8 and 16, where that is not what boxes see.
        sampling: which boxes the masks are learnt from.
        selection: which boxes become predictions.
    """

    name: ClassVar[str] = "ssd_mask"
    side_by_side = True

    def __init__(
        self,
        *,
        aspect: float,
        margin: float,
        train_detector: bool,
        backbone: MobileNetV2,
        extra: Sequence[ExtraMap],
        class_heads: Sequence[nn.Conv2d],
        box_heads: Sequence[nn.Conv2d],
        masks: RoiMaskHead | None,
        mask_blocks: MiddleBlocks | None,
        sampling: RoiSampling,
        selection: BoxSelection,
    ) -> None:
        super().__init__()
        self.frames, self.sampling, self.selection = 1, sampling, selection
        self.aspect, self.margin, self.train_detector = aspect, margin, train_detector
        self.backbone, self.extra = backbone, nn.ModuleList(extra)
        self.class_heads, self.box_heads = nn.ModuleList(class_heads), nn.ModuleList(box_heads)
        self.masks, self.mask_blocks = masks, mask_blocks
        # Frozen, the detector stays the published one while masks are learnt.
        for part in (self.backbone, self.extra, self.class_heads, self.box_heads):
            part.requires_grad_(train_detector)

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips of one frame.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        x = squash(clip.frames[:, 0], clip.sizes, self.aspect).to(self.backbone.stem.weight.dtype)
        # TensorFlow's pixels: -1..1, no mean of ImageNet.
        features = self.backbone((2 * x - 1).contiguous(memory_format=torch.channels_last))
        maps = self._maps(features)
        logits, offsets = (
            torch.cat(
                [by_anchor(head(x), n) for head, x, n in zip(map_heads, maps, COUNTS, strict=True)],
                dim=1,
            )
            for map_heads in (self.class_heads, self.box_heads)
        )
        anchor_boxes = anchors([(m.shape[2], m.shape[3]) for m in maps], (x.shape[2], x.shape[3]))
        anchor_boxes = anchor_boxes.to(x).expand(len(x), -1, -1)
        levels = self._mask_levels(features.levels)
        return Output(logits, offsets, anchor_boxes, levels, clip.sizes, (x.shape[2], x.shape[3]))

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_batch(targets, len(output.sizes))
        terms: dict[str, Tensor] = {}
        if self.train_detector:
            terms = detector_terms(output.logits, output.offsets, output.anchors[0], targets)
        if self.masks is None:
            return terms
        with torch.no_grad():
            scores = output.logits.amax(dim=2).sigmoid()
            # Boxes are not learnt through their masks: RoIAlign's corners are given.
            rois = self.sampling(output.boxes, scores, targets)
            rois = rois._replace(boxes=widened(rois.boxes, self.margin))
        masks = self._masks(self.masks, output, rois.pictures, rois.boxes)
        return terms | mask_terms(masks, rois, targets)

    def lay_out(self) -> None:
        """Channels together: a CPU's convolutions would else turn the weights at every frame."""
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """The objects of each picture, the best first; `embeddings` are how their pixels look."""
        del clip
        boxes, scores = output.boxes.float(), output.logits.float().sigmoid()
        detections = [self.selection.boxes(*one) for one in zip(scores, boxes, strict=True)]
        around = [widened(one.boxes, self.margin) for one in detections]
        masks = self._all_masks(output, around)
        looks = [
            embeddings([level[number] for level in output.levels], *pair, output.network_size)
            for number, pair in enumerate(zip(masks, around, strict=True))
        ]
        parts = zip(detections, masks, around, looks, output.sizes.tolist(), strict=True)
        return [self.selection(*part) for part in parts]

    def _all_masks(self, output: Output, boxes: Sequence[Tensor]) -> Sequence[Tensor]:
        """Probabilities `[N m m]` within the boxes `[N 4]` of each picture."""
        if self.masks is None:
            return [filled(part, self.margin) for part in boxes]
        counts = [len(part) for part in boxes]
        numbers = torch.arange(len(counts), device=output.offsets.device)
        pictures = numbers.repeat_interleave(numbers.new_tensor(counts))
        every = torch.cat(list(boxes))
        every = every.to(torch.promote_types(output.offsets.dtype, every.dtype))
        masks = self._masks(self.masks, output, pictures, every).fine.float().sigmoid()
        return torch.split(masks, counts)

    def completed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """With blocks for masks that begin as the trunk's, where there are none."""
        tensors_of_both = dict(tensors)
        for name in self.state_dict() if self.mask_blocks is not None else ():
            if name.startswith("mask_blocks."):
                _, number, rest = name.split(".", 2)
                theirs = f"backbone.blocks.{int(number) + MIDDLE.start}.{rest}"
                if name not in tensors_of_both and theirs in tensors_of_both:
                    tensors_of_both[name] = tensors_of_both[theirs]
        return tensors_of_both

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        for parts in (self.extra, self.class_heads, self.mask_blocks or ()):
            yield from parts

    def _maps(self, features: Maps) -> list[Tensor]:
        """The six that the predictors read."""
        maps = [features.expanded, features.last]
        for extra in self.extra:
            maps.append(extra(maps[-1]))
        return maps

    def _mask_levels(self, levels: list[Tensor]) -> list[Tensor]:
        """What masks are seen in: the trunk's maps, or in its middle their own."""
        if self.mask_blocks is None:
            return levels
        return [*levels[:2], *self.mask_blocks(levels[1]), levels[4]]

    @staticmethod
    def _masks(head: RoiMaskHead, output: Output, pictures: Tensor, boxes: Tensor) -> RoiMasks:
        """Of boxes `[R 4]`, corners as fractions."""
        height, width = output.network_size
        corners = boxes * boxes.new_tensor((width, height, width, height))
        dtype = output.levels[0].dtype
        # losses are computed after autocast has ended, and this head is most of the work
        half = dtype in (torch.bfloat16, torch.float16)
        with torch.autocast(boxes.device.type, dtype=dtype if half else None, enabled=half):
            return head(output.levels, pictures, corners)  # type: ignore[no-any-return]


def build(config: Config) -> SSDMask:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    channels = (EXPANDED_CHANNELS, LAST, *(out for _, out in EXTRA))
    pairs = list(zip(channels, COUNTS, strict=True))
    before = (LAST, *(out for _, out in EXTRA[:-1]))
    selection = BoxSelection(min_score=config.min_score, overlap=config.overlap, keep=config.keep)
    return SSDMask(
        aspect=config.aspect,
        margin=config.margin,
        train_detector=config.train_detector,
        backbone=MobileNetV2(),
        extra=[ExtraMap(count, *sides) for count, sides in zip(before, EXTRA, strict=True)],
        class_heads=[class_head(count, n * config.classes) for count, n in pairs],
        box_heads=[nn.Conv2d(count, n * 4, 3, padding=1) for count, n in pairs],
        masks=RoiMaskHead(CHANNELS, config.mask_width) if config.masks else None,
        mask_blocks=MiddleBlocks() if config.masks and config.mask_blocks else None,
        sampling=RoiSampling(jitter=config.jitter, most=config.rois),
        selection=selection,
    ).with_config(config)


def _check(config: Config) -> None:
    check_counts(config, "classes mask_width rois keep")
    check_fractions(config, "min_score overlap")
    if not config.masks and not config.train_detector:
        raise UsageError("neither masks nor the detector are to be learnt")
    if config.mask_width % 32:
        raise UsageError(f"mask_width {config.mask_width} is no multiple of 32")
    if config.aspect < 1 or config.margin < 0 or config.jitter < 0:
        raise UsageError(
            f"aspect {config.aspect}, margin {config.margin}, jitter {config.jitter}",
            remedy="Give an aspect of at least 1, and a margin and jitter of at least 0.",
        )
