"""From a query and its frame to a mask: attention map, pyramid, and the head over time.

DETR (Carion et al., 2020, figure 8) and VisTR (Wang et al., 2021, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vis.layers.deformable import TAPS, DeformableConv

GROUPS = 8
VOLUME_GROUPS = 4

MakeActivation = Callable[[], nn.Module]


class AttentionMaps(nn.Module):
    """How much a query looks at each cell, a map for each head; there are no values.

    Args:
        d_model: channels of query and memory.
        num_heads: number of maps.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        for linear in (self.query, self.key):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def keys(self, memory: Tensor) -> Tensor:
        """`[F C h w]` -> `[F h*w C]`, once for all queries of a frame."""
        return self.key(memory.flatten(2).transpose(1, 2))  # type: ignore[no-any-return]

    def forward(self, queries: Tensor, keys: Tensor, padding: Tensor | None) -> Tensor:
        """`[M C]`, `[M h*w C]`, `[M h*w]` bool -> `[M heads h*w]`.

        The softmax runs over all heads and cells together: they sum to 1 for each query.
        """
        q = rearrange(self.query(queries), "m (heads c) -> m heads c", heads=self.num_heads)
        k = rearrange(keys, "m cells (heads c) -> m cells heads c", heads=self.num_heads)
        logits = torch.einsum("mhc,mphc->mhp", q * q.shape[-1] ** -0.5, k)
        if padding is not None:
            logits = logits.masked_fill(padding[:, None], float("-inf"))
        # DETR's fault, which its weights and VisTR's are trained with: one softmax for all heads.
        return logits.flatten(1).softmax(dim=1).view_as(logits)


class NormedConv(nn.Module):
    """3 x 3 convolution, group norm, activation."""

    def __init__(self, width: int, out: int, activation: MakeActivation) -> None:
        super().__init__()
        self.conv = _start(nn.Conv2d(width, out, 3, padding=1))
        self.norm = nn.GroupNorm(GROUPS, out)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M D h w]`."""
        return self.finish(self.conv(x))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the convolution."""
        return self.activation(self.norm(x))  # type: ignore[no-any-return]


class DeformableEnd(nn.Module):
    """VisTR's last step of the pyramid; with the offsets at zero, as it starts, a convolution."""

    def __init__(self, width: int, out: int, activation: MakeActivation) -> None:
        super().__init__()
        # Deformable, version 1; with a plain convolution VisTR's loss is reported not to descend.
        self.offsets = nn.Conv2d(width, 2 * TAPS, 1)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(_bias(self.offsets))
        self.conv = DeformableConv(width, out)
        self.norm = nn.GroupNorm(GROUPS, out)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M D h w]`."""
        return self.activation(self.norm(self.conv(x, self.offsets(x))))  # type: ignore[no-any-return]


class PlainEnd(nn.Module):
    """DETR's last steps of the pyramid, down to the mask's logit."""

    def __init__(self, width: int, out: int, activation: MakeActivation) -> None:
        super().__init__()
        self.conv = NormedConv(width, out, activation)
        self.logit = _start(nn.Conv2d(out, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M 1 h w]`."""
        return self.logit(self.conv(x))  # type: ignore[no-any-return]


class Pyramid(nn.Module):
    """Attention maps, refined by ever larger maps of the backbone.

    Args:
        d_model: channels of the frame's map of stride 32.
        num_heads: attention maps of a query.
        channels: of the backbone's maps of strides 4, 8 and 16.
        end: the last step, `inner / 8 -> inner / 16` channels.
        activation: makes the activation.
        inner: twice the channels of the second step, each later one has half; unset: `width`.
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_heads: int,
        channels: Sequence[int],
        end: Callable[[int, int, MakeActivation], nn.Module],
        activation: MakeActivation,
        inner: int | None = None,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        inner = inner or d_model
        # The attention maps lie beside the context as further channels.
        widths = [d_model + num_heads, d_model + num_heads, inner // 2, inner // 4, inner // 8]
        self.stages = nn.ModuleList(NormedConv(*pair, activation) for pair in pairwise(widths))
        self.laterals = nn.ModuleList(
            _start(nn.Conv2d(*pair, 1)) for pair in zip(reversed(channels), widths[2:], strict=True)
        )
        self.end = end(inner // 8, inner // 16, activation)

    def lateral_maps(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps `[F C h w]` of strides 4, 8 and 16 -> the laterals of strides 16, 8 and 4."""
        pairs = zip(self.laterals, reversed(levels), strict=True)
        return [lateral(level) for lateral, level in pairs]

    def frame_term(self, context: Tensor) -> Tensor:
        """`[F C h w]` -> `[F C+heads h w]` what the frame adds to the first convolution.

        A convolution is linear in its channels, so this share is common to a frame's queries.
        """
        conv = self._first().conv
        return functional.conv2d(context, conv.weight[:, : self.d_model], conv.bias, padding=1)

    def forward(
        self, maps: Tensor, frames: Tensor, frame_term: Tensor, laterals: Sequence[Tensor]
    ) -> Tensor:
        """`[M heads h w]` -> `[M D 4h 4w]` or so.

        Args:
            maps: attention maps of queries.
            frames: `[M]` which of the F frames each is of.
            frame_term: of the F frames.
            laterals: `[F C h w]` of strides 16, 8 and 4, as many channels as the pyramid has there.
        """
        first = self._first()
        # One layout throughout: adding maps of two layouts takes longer than convolving them.
        maps = maps.contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(maps, first.conv.weight[:, self.d_model :], padding=1)
        x = first.finish(x.add_(frame_term[frames]))
        x = self.stages[1](x)
        for stage, lateral in zip(self.stages[2:], laterals, strict=False):
            x = stage(_enlarged(x, lateral, frames))
        return self.end(_enlarged(x, laterals[-1], frames))  # type: ignore[no-any-return]

    def _first(self) -> NormedConv:
        first = self.stages[0]
        assert isinstance(first, NormedConv)
        return first


def volume_head(
    width: int, activation: MakeActivation, *, prior: float | None = None
) -> nn.Sequential:
    """`[S C T h w] -> [S 1 T h w]` logits from six frames either way (VisTR).

    Args:
        width: channels of the refined maps.
        activation: makes the activation.
        prior: probability that the fresh head gives a pixel (RetinaNet, 2017, 4.1), or chance.
    """
    middle = width // 2
    layers: list[nn.Module] = []
    for channels in (width, middle, middle):
        layers += [
            # Dilation 2, three times: 13 frames wide, six to either side.
            nn.Conv3d(channels, middle, 3, padding=2, dilation=2),
            nn.GroupNorm(VOLUME_GROUPS, middle),
            activation(),
        ]
    last = nn.Conv3d(middle, 1, 1)
    if prior is not None:
        nn.init.constant_(_bias(last), math.log(prior / (1 - prior)))
    return nn.Sequential(*layers, last)


def _enlarged(x: Tensor, lateral: Tensor, frames: Tensor) -> Tensor:
    return functional.interpolate(x, lateral.shape[-2:], mode="nearest").add_(lateral[frames])


def _start(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_uniform_(conv.weight, a=1)
    nn.init.zeros_(_bias(conv))
    return conv


def _bias(conv: nn.Conv2d | nn.Conv3d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
