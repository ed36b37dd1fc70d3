"""Convolutions padded as TensorFlow pads them, with the batch norm folded into weight and bias."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SameConv(nn.Conv2d):
    """A convolution whose output has `ceil(n / stride)` cells, and ReLU6 after it.

    TensorFlow's "SAME": of an uneven padding the larger half lies below and to the right, so that
    with stride 2 an even side is padded on one side alone. PyTorch pads both sides alike.

    Args:
        channels: in.
        out: channels.
        kernel: side in cells, 1 or 3.
        stride: 1 or 2.
        depthwise: whether each channel is convolved alone.
        active: whether ReLU6 follows.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        depthwise: bool = False,
        active: bool = True,
    ) -> None:
        super().__init__(channels, out, kernel, stride, groups=channels if depthwise else 1)
        self.active = active
        # without a norm to correct it, a start from nothing must keep the variance by itself
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu" if active else "linear")
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[M C H W]` -> `[M D ceil(H / stride) ceil(W / stride)]`."""
        weight, sides = self.weight, (0, 0)
        if self.kernel_size[0] > 1:
            # an uneven padding is moved into the weights: to pad the map would copy it
            sides = (self.kernel_size[0] // 2, self.kernel_size[0] // 2)
            rows, columns = (self.stride[0] == 2 and side % 2 == 0 for side in x.shape[-2:])
            weight = functional.pad(weight, (int(columns), 0, int(rows), 0))
        x = functional.conv2d(x, weight, self.bias, self.stride, sides, 1, self.groups)
        return functional.relu6(x, inplace=True) if self.active else x


class ExtraMap(nn.Sequential):
    """Half as large a map: narrow, look at each channel alone, widen.

    Args:
        channels: in.
        mid_channels: channels in between.
        out: channels.
    """

    def __init__(self, channels: int, mid_channels: int, out: int) -> None:
        super().__init__(
            SameConv(channels, mid_channels),
            SameConv(mid_channels, mid_channels, 3, stride=2, depthwise=True),
            SameConv(mid_channels, out),
        )
