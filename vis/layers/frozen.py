"""Batch norm that never learns, folded into the convolution before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import deform_conv2d

EPSILON = 1e-5


class FrozenNorm(nn.Module):
    """A batch norm's four vectors as buffers: the same in training and use, changed by no step.

    Args:
        channels: of the maps.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def affine(self) -> tuple[Tensor, Tensor]:
        """Scale and shift `[C]` of the norm."""
        scale = self.weight * (self.running_var + EPSILON).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        scale, shift = self.affine()
        return x * scale[:, None, None] + shift[:, None, None]


class FrozenNormConv(nn.Module):
    """A convolution without bias and its frozen norm in one pass over the map.

    Args:
        conv: the convolution, whose weight is taken over.
        norm: its norm.
    """

    def __init__(self, conv: nn.Conv2d, norm: FrozenNorm) -> None:
        super().__init__()
        assert conv.bias is None and isinstance(conv.padding, tuple)
        self.stride, self.padding, self.dilation = conv.stride, conv.padding, conv.dilation
        self.groups = conv.groups
        # The convolution itself is not kept: its weight alone has a name in weight files.
        self.weight, self.norm = conv.weight, norm

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M D h' w']`."""
        scale, shift = self.norm.affine()
        # Folded at every call, not once: the weight may learn though the norm does not.
        weight = self.weight * scale[:, None, None, None]
        return functional.conv2d(
            x, weight, shift, self.stride, self.padding, self.dilation, self.groups
        )


class FrozenNormDeformableConv(FrozenNormConv):
    """The same, where each tap looks where it is sent and counts as much as it is told (v2).

    To begin with, taps look where a plain convolution's do and count half (Zhu et al., 2019).

    Args:
        conv: the convolution of 3 x 3, whose weight is taken over.
        norm: its norm.
    """

    def __init__(self, conv: nn.Conv2d, norm: FrozenNorm) -> None:
        super().__init__(conv, norm)
        taps = conv.weight[0, 0].numel()
        self.offsets = nn.Conv2d(
            conv.in_channels,
            3 * taps,
            (int(conv.kernel_size[0]), int(conv.kernel_size[1])),
            stride=conv.stride,  # type: ignore[arg-type]
            padding=self.padding,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
        )
        self.taps = taps
        # At zero the sigmoid of the modulation is a half, and the taps lie where they always do.
        nn.init.zeros_(self.offsets.weight)
        assert self.offsets.bias is not None
        nn.init.zeros_(self.offsets.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M D h' w']`.

        The first two thirds of the offsets' channels are the taps' ways down and right in turn, in
        cells; the last third, by a sigmoid, is how much they count.
        """
        offsets = self.offsets(x)
        scale, shift = self.norm.affine()
        # Half precision cannot tell places apart that are a fraction of a cell from each other.
        x, offsets = x.to(self.weight.dtype), offsets.to(self.weight.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return deform_conv2d(  # type: ignore[no-any-return]
                x,
                offsets[:, : 2 * self.taps],
                self.weight * scale[:, None, None, None],
                shift,
                self.stride,
                self.padding,
                self.dilation,
                offsets[:, 2 * self.taps :].sigmoid(),
            )
