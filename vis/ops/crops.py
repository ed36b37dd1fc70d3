"""A mask within its box: cut out at one size, and put back where the box is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.ops import roi_align


def cut_out(masks: Tensor, rows: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What a box shows of a mask, at one size: cells that the mask covers by half at least.

    Args:
        masks: `[M H W]` bool.
        rows: `[N]` which mask.
        boxes: `[N 4]` corners as fractions.
        side: cells of the result.

    Returns:
        `[N side side]` bool.
    """
    height, width = masks.shape[1:]
    corners = boxes * boxes.new_tensor((width, height, width, height))
    places = torch.cat((rows[:, None].to(boxes.dtype), corners), dim=1)
    values: Tensor = roi_align(masks[:, None].to(boxes.dtype), places, side, aligned=True)
    return values[:, 0] >= 0.5


def put_back(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The way back, bilinear between the centres of cells; zero outside of the box.

    Args:
        masks: `[N m m]`.
        boxes: `[N 4]` corners as fractions; none without height or width.
        size: height and width of the result.

    Returns:
        `[N h w]`.
    """
    left, top, right, bottom = boxes.unbind(dim=1)
    x, y = _within(left, right, size[1]), _within(top, bottom, size[0])
    grid = torch.stack(
        (
            x[:, None].expand(-1, size[0], -1),
            y[:, :, None].expand(-1, -1, size[1]),
        ),
        dim=-1,
    )
    return grid_sample(masks[:, None], grid.to(masks.dtype), align_corners=False)[:, 0]


def _within(start: Tensor, end: Tensor, count: int) -> Tensor:
    """`[N count]` centres of an axis: -1 where the box starts, 1 where it ends."""
    centres = (torch.arange(count, device=start.device, dtype=start.dtype) + 0.5) / count
    return 2 * (centres - start[:, None]) / (end - start)[:, None] - 1
