"""A mask of whatever a box holds: coarse from the pyramid, then refined by finer and finer maps.

The head knows no classes (DeepMAC: Birodkar et al., 2021), so that few masks teach it all objects;
it is refined by the maps before the pyramid as RefineMask's (Zhang et al., 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu
from torchvision.ops import roi_align

from vis.layers.rois import pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

COARSE, MIDDLE, FINE = 14, 28, 56
"""Cells of the side of a mask at each step."""
STRIDES = (2, 4, 8, 16, 32)
GROUPS = 8


class RoiMasks(NamedTuple):
    """Logits of the masks within R boxes."""

    coarse: Tensor
    """`[R 14 14]`."""
    fine: Tensor
    """`[R 56 56]`."""


class NormConv(nn.Sequential):
    """Convolution, group norm, ReLU; groups, since a batch of boxes is small and uneven.

    Args:
        channels: in.
        out: channels.
        stride: of the convolution.
    """

    def __init__(self, channels: int, out: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, out, 3, stride, padding=1, bias=False),
            # Batch statistics over a handful of boxes would say more of the boxes than of the task.
            nn.GroupNorm(GROUPS, out),
            nn.ReLU(inplace=True),
        )


class TopDown(nn.Module):
    """A light feature pyramid (Lin et al., 2017): the smoothing looks at each channel alone.

    Args:
        channels: of the levels, the largest map first.
        width: of all levels that come out.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1)
            )
            for _ in channels
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps `[M C h w]`, the largest first -> as many of `width` channels."""
        outputs: list[Tensor] = []
        for x, lateral in zip(reversed(levels), reversed(self.laterals), strict=True):
            here = lateral(x)
            if outputs:
                # Nearest, as in the pyramid's paper: the smoothing after it hides the steps.
                here = here + interpolate(outputs[-1], here.shape[-2:], mode="nearest")
            outputs.append(here)
        pairs = zip(reversed(outputs), self.smooth, strict=True)
        return [relu(smooth(x)) for x, smooth in pairs]


class Hourglass(nn.Module):
    """Looks at the whole box at half its cells, so that each cell knows what the shape is.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = NormConv(width, width)
        self.down = nn.Sequential(
            NormConv(width, 2 * width, stride=2), NormConv(2 * width, 2 * width)
        )
        self.up = nn.Conv2d(2 * width, width, 1)
        self.after = NormConv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[R C y x]` -> the same."""
        x = self.before(x)
        whole = interpolate(self.up(self.down(x)), x.shape[-2:], mode="bilinear")
        return self.after(x + whole)  # type: ignore[no-any-return]


class RoiMaskHead(nn.Module):
    """Boxes to masks.

    Args:
        channels: of the maps of strides 2, 4, 8, 16 and 32.
        width: of the pyramid and the coarse step; the finer ones have less.
    """

    def __init__(self, channels: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.pooled = pooled  # an exported graph needs one without rows of unknown number
        self.pyramid = TopDown(channels[1:], width)
        self.enter = NormConv(width + 2, width)  # with where a cell lies in its box
        self.hourglass = Hourglass(width)
        self.coarse = nn.Conv2d(width, 1, 1)
        self.middle = NormConv(width + channels[1], width // 2)
        self.fine = NormConv(width // 2 + channels[0], width // 4)
        self.out = nn.Conv2d(width // 4, 1, 1)

    def forward(self, levels: Sequence[Tensor], pictures: Tensor, boxes: Tensor) -> RoiMasks:
        """Look into boxes.

        Args:
            levels: `[M C h w]` of strides 2 to 32.
            pictures: `[R]` which of the M.
            boxes: `[R 4]` corners in pixels, not necessarily inside.
        """
        roi_features = self.pooled(self.pyramid(levels[1:]), pictures, boxes, COARSE)
        x = self.hourglass(self.enter(torch.cat((roi_features, _coordinates(roi_features)), dim=1)))
        coarse = self.coarse(x)[:, 0]
        indexed_boxes = torch.cat((pictures[:, None].to(boxes.dtype), boxes), dim=1)
        x = self._refined(x, levels[1], indexed_boxes, 1, self.middle)
        x = self._refined(x, levels[0], indexed_boxes, 0, self.fine)
        return RoiMasks(coarse, self.out(x)[:, 0])

    @staticmethod
    def _refined(
        x: Tensor, level: Tensor, indexed_boxes: Tensor, number: int, conv: nn.Module
    ) -> Tensor:
        """At twice as many cells, beside what the level of this number shows there."""
        x = interpolate(x, scale_factor=2.0, mode="bilinear")
        roi_features = roi_align(
            level.to(indexed_boxes.dtype),
            indexed_boxes,
            x.shape[-1],
            spatial_scale=1 / STRIDES[number],
            sampling_ratio=1,
            aligned=True,
        )
        return conv(torch.cat((x, roi_features.to(x.dtype)), dim=1))  # type: ignore[no-any-return]


def _coordinates(like: Tensor) -> Tensor:
    """`[R 2 y x]` from -1 to 1 over each box."""
    y, x = (
        torch.linspace(-1, 1, cells, device=like.device, dtype=like.dtype)
        for cells in like.shape[-2:]
    )
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij"))
    return grid.expand(len(like), -1, -1, -1)
