"""Deformable convolution (Dai et al., 2017): each tap of the kernel looks where it is sent."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import deform_conv2d

KERNEL = 3
TAPS = KERNEL * KERNEL


class DeformableConv(nn.Module):
    """Version 1 (no modulation): 3 x 3, padding 1, without bias, one group of offsets.

    Args:
        width: channels of the maps.
        out: channels of the result.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, width, KERNEL, KERNEL))
        # The gain of a layer that a ReLU follows (He et al., 2015).
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
        """`[M C h w]`, `[M 18 h w]` -> `[M D h w]`.

        Channels 2k and 2k + 1 of `offsets` are tap k's way down and right, in cells.
        """
        # Half precision cannot tell places apart that are a fraction of a cell from each other.
        x, offsets = x.to(self.weight.dtype), offsets.to(self.weight.dtype)
        # torchvision's kernel is fast on a GPU; on a CPU it is a loop over single pixels.
        if x.device.type != "cpu":
            return deform_conv2d(x, offsets, self.weight, padding=1)  # type: ignore[no-any-return]
        # ONNX has a loop over pixels for a sum of rows, which takes minutes.
        sampled = torch.is_grad_enabled() or torch.compiler.is_exporting()
        deform = deform_by_sampling if sampled else deform_by_lookup
        # Autocast would halve the offsets again inside.
        with torch.autocast("cpu", enabled=False):
            return deform(x, offsets, self.weight)


def deform_by_sampling(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """The same as `deform_conv2d(x, offsets, weight, padding=1)`; its gradient is faster on a CPU.

    Args:
        x: `[M C h w]`.
        offsets: `[M 18 h w]`.
        weight: `[D C 3 3]`.
    """
    H, W = x.shape[2:]
    tap, row, column = (torch.arange(size, device=x.device) for size in (TAPS, H, W))
    down, right = offsets[:, 0::2], offsets[:, 1::2]
    y = down + row[:, None] + (tap // KERNEL - 1)[:, None, None]
    z = right + column + (tap % KERNEL - 1)[:, None, None]
    # grid_sample places the middle of the first cell at 1 / size - 1
    grid = torch.stack(((2 * z + 1) / W - 1, (2 * y + 1) / H - 1), dim=-1).flatten(1, 2)
    samples = functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
    taps = rearrange(samples, "m c (tap h) w -> m c tap h w", tap=TAPS)
    return torch.einsum("mcthw,dct->mdhw", taps, weight.flatten(2))


def deform_by_lookup(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """The same as `deform_conv2d(x, offsets, weight, padding=1)`; on a CPU many times as fast.

    Sampling and the kernel's matrices commute, so each tap's matrix is applied first, and a pixel
    is then the weighted sum of 36 rows (nine taps, four corners) of the table of all of them.

    Args:
        x: `[M C h w]`.
        offsets: `[M 18 h w]`.
        weight: `[D C 3 3]`.
    """
    M, C, H, W = x.shape
    # In this order a row of the table is (pixel, tap), so a tap's index is the smallest stride.
    matrix = weight.permute(1, 2, 3, 0).reshape(C, -1)
    table = (x.permute(0, 2, 3, 1).reshape(-1, C) @ matrix).view(M * H * W * TAPS, -1)
    rows, shares = _corners(offsets.permute(0, 2, 3, 1).reshape(M, H, W, TAPS, 2))
    mixed = functional.embedding_bag(rows, table, mode="sum", per_sample_weights=shares)
    return mixed.view(M, H, W, -1).permute(0, 3, 1, 2)


def _corners(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """`[M H W 9 2]` -> the 36 rows that make up each pixel and the share of each, `[M*H*W 36]`."""
    M, H, W = offsets.shape[:3]
    axis = [
        torch.arange(size, device=offsets.device, dtype=torch.int32) for size in (M, H, W, TAPS)
    ]
    down = axis[1][:, None, None] + axis[3] // KERNEL - 1
    right = axis[2][:, None] + axis[3] % KERNEL - 1
    y, y_share = _neighbours(offsets[..., 0] + down, H)
    x, x_share = _neighbours(offsets[..., 1] + right, W)
    first = axis[0][:, None, None, None] * (H * W * TAPS) + axis[3]
    y = y.mul_(W * TAPS).add_(first[..., None, :])
    rows = y[..., :, None, :] + x.mul_(TAPS)[..., None, :, :]
    shares = y_share[..., :, None, :] * x_share[..., None, :, :]
    return rows.reshape(M * H * W, -1), shares.reshape(M * H * W, -1)


def _neighbours(place: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The two cells around each place on an axis, `[... P]` -> `[... 2 P]`, and their shares.

    A cell beyond the ends has none.
    """
    below = place.floor()
    cells = torch.stack((below, below + 1), dim=-2)
    # Linear interpolation: a cell's share falls with the distance, to 0 at one cell.
    shares = 1 - (place[..., None, :] - cells).abs()
    inside = (cells >= 0) & (cells < size)
    return cells.clamp_(0, size - 1).int(), shares.mul_(inside)
