"""A mask in few numbers that a network chose: encoder and decoder of convolutions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from typing import Self

DOWN, UP = (1, 16, 32, 64, 128), (128, 64, 32, 16, 16)
"""Channels from the mask to the code, and back."""
MEETING = 2
"""Before this doubling of the decoder, the map of the box is added."""


class LearnedCodes(nn.Module):
    """The encoder makes targets: it does not learn with the model, not even its norms.

    Args:
        side: cells of a mask, a multiple of 16.
        length: numbers of a code.
    """

    def __init__(self, side: int, length: int) -> None:
        super().__init__()
        self.side, self.length = side, length
        halves = (
            (nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ELU()) for a, b in pairwise(DOWN)
        )
        self.encoder = nn.Sequential(
            *(part for half in halves for part in half), nn.Conv2d(DOWN[-1], length, side // 16)
        )
        self.first = nn.Sequential(
            nn.ConvTranspose2d(length, UP[0], side // 16), nn.BatchNorm2d(UP[0]), nn.ELU()
        )
        self.doublings = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ELU())
            for a, b in pairwise(UP)
        )
        self.last = nn.Conv2d(UP[-1], 1, 1)
        self.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """The decoder alone learns."""
        super().train(mode)
        # Batch statistics would make targets of a mask depend on its neighbours in the batch.
        self.encoder.eval()
        return self

    def encode(self, masks: Tensor) -> Tensor:
        """`[N m m]` bool -> `[N E]`."""
        codes: Tensor = self.encoder(masks[:, None].to(self.last.weight.dtype))
        return codes.flatten(1)

    def decode(self, codes: Tensor, sides: Tensor | None) -> Tensor:
        """`[N E]` and maps `[N 32 m/4 m/4]`, if there are any -> `[N m m]` probabilities."""
        x = self.first(codes[:, :, None, None])
        for i, doubling in enumerate(self.doublings):
            if i == MEETING and sides is not None:
                x = x + sides
            # align_corners=True, unlike everywhere else: the published weights need it.
            x = doubling(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        probs: Tensor = self.last(x)[:, 0].sigmoid()
        return probs
