"""What every backbone has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


class Backbone(nn.Module, ABC):
    """Frames to maps of strides 4, 8, 16 and 32."""

    channels: tuple[int, int, int, int]
    """Of the four maps."""
    multiple: int = 1
    """Height and width of the frames are to be padded to a multiple of this."""

    @abstractmethod
    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""

    @abstractmethod
    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`."""
