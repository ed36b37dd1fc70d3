"""A mask in few numbers: principal components, or the lowest cosines; both fixed once fitted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SURE = 3.7693
"""Mean logit of a cell of a mask under the published noise."""
DOUBT = (0.01, 0.05)
"""That noise: a cell's probability of being wrong, at least and at most."""
LEAST = 1e-4
"""Of the largest variance: no component has less, as codes of other masks would have no bound."""


class MaskCodec(Protocol):
    """A way there and a way back."""

    side: int
    """Cells of a mask."""
    length: int
    """Numbers of a code."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What learns."""
        ...

    def encode(self, masks: Tensor) -> Tensor:
        """`[N m m]` bool -> `[N E]`."""
        ...

    def decode(self, codes: Tensor, sides: Tensor | None) -> Tensor:
        """`[N E]` and, where the codec uses them, maps `[N 32 m/4 m/4]` -> `[N m m]`."""
        ...


class PrincipalCodes(nn.Module):
    """Whitened principal components of the masks' logits (Hu et al., 2021, 3.1).

    Before it is fitted, the mean is a disc, and the components are the lowest cosines.

    Args:
        side: cells of a mask.
        length: numbers of a code.
        noisy: in training, cells are as sure as chance will have it, each anew, as released;
            otherwise all as sure as that is on average, so that a mask has one code.
    """

    components: Tensor
    """`[E m*m]`, orthonormal."""
    mean: Tensor
    """`[m*m]`."""
    variances: Tensor
    """`[E]`."""

    def __init__(self, side: int, length: int, *, noisy: bool = False) -> None:
        super().__init__()
        self.side, self.length, self.noisy = side, length, noisy
        rows, columns = zigzag(side, length)
        self.register_buffer("components", slowest(side, length).float())
        self.register_buffer("mean", _disc(side))
        # most masks are smooth: what varies fast varies little; the first as in COCO's masks
        self.register_buffer("variances", (SURE * side / (1 + rows + columns)).square() / 6)

    def encode(self, masks: Tensor) -> Tensor:
        """`[N m m]` bool -> `[N E]`."""
        shape, like = masks.flatten(1).shape, self.mean
        if self.noisy and self.training:
            # Published: targets are drawn anew at every call, for the matching and the loss apart.
            doubt = torch.rand(shape, dtype=like.dtype, device=like.device) * DOUBT[1]
            doubt = doubt.clamp(min=DOUBT[0])
            sure = torch.log((1 - doubt) / doubt)
        else:
            sure = like.new_full((), SURE).expand(shape)
        return self.code_of(torch.where(masks.flatten(1), sure, -sure))

    def code_of(self, logits: Tensor) -> Tensor:
        """`[N m*m]` -> `[N E]`."""
        return (logits - self.mean) @ self.components.T / self.variances.sqrt()

    def decode(self, codes: Tensor, sides: Tensor | None = None) -> Tensor:
        """`[N E]` -> `[N m m]` probabilities."""
        del sides
        logits = codes * self.variances.sqrt() @ self.components + self.mean
        return logits.sigmoid().view(-1, self.side, self.side)

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> float:
        """Components, mean and variances of all masks, by the eigenvectors of their covariance.

        Args:
            batches: `[N m m]` bool each; each is looked at once, and none is kept.

        Returns:
            The share of the variance that is kept, 0..1.

        Raises:
            DataError: all masks are alike, or there is none.
        """
        cells, count = self.side * self.side, 0
        total = torch.zeros(cells, dtype=torch.float64, device=self.mean.device)
        products = torch.zeros(cells, cells, dtype=torch.float64, device=self.mean.device)
        for masks in batches:
            # of ones and zeros: 24 bits are exact, and a product of double would take as long again
            flat = masks.flatten(1).to(self.mean.device, torch.float32)
            total += flat.sum(dim=0)
            products += flat.T @ flat
            count += len(flat)
        total /= max(1, count)
        # E[x x'] - E[x] E[x]': one pass in double, so that no mask has to be kept.
        covariance = products / max(1, count) - total[:, None] * total
        if not covariance.any():
            raise DataError(f"{count} masks that do not differ tell nothing of masks")
        values, vectors = torch.linalg.eigh(covariance * (2 * SURE) ** 2)
        components = vectors.flip(1)[:, : self.length].T
        # eigenvectors have no sign of their own: the largest number is positive
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        self.components.copy_(components * largest.sign())
        # A cell that is inside in a share p of the masks has the mean logit SURE (2 p - 1).
        self.mean.copy_(SURE * (2 * total - 1))
        variances = values.flip(0)[: self.length]
        self.variances.copy_(variances.clamp(min=LEAST * float(variances[0])))
        return float(variances.sum() / values.sum())


class CosineCodes(nn.Module):
    """The lowest coefficients of the cosine transform (Shen et al., 2021); nothing is fitted.

    Args:
        side: cells of a mask.
        length: numbers of a code.
    """

    basis: Tensor
    """`[E m*m]`."""

    def __init__(self, side: int, length: int) -> None:
        super().__init__()
        self.side, self.length = side, length
        self.register_buffer("basis", slowest(side, length).float(), persistent=False)

    def encode(self, masks: Tensor) -> Tensor:
        """`[N m m]` bool -> `[N E]`."""
        return masks.flatten(1).to(self.basis.dtype) @ self.basis.T

    def decode(self, codes: Tensor, sides: Tensor | None = None) -> Tensor:
        """`[N E]` -> `[N m m]`, near 0 and 1 but not bound to lie between."""
        del sides
        return (codes @ self.basis).view(-1, self.side, self.side)


def zigzag(side: int, count: int) -> tuple[Tensor, Tensor]:
    """`[count]` rows and columns of a square, along its antidiagonals, to and fro."""
    order = [
        (k, i - k)
        for i in range(2 * side - 1)
        for k in (range(i, -1, -1) if i % 2 == 0 else range(i + 1))
        if k < side and i - k < side
    ]
    rows, columns = torch.tensor(order[:count]).unbind(dim=1)
    return rows, columns


def slowest(side: int, count: int) -> Tensor:
    """`[count side*side]` cosine waves of a square, float64, orthonormal, in `zigzag`'s order."""
    positions = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    waves = torch.arange(side, dtype=torch.float64)
    table = math.sqrt(2 / side) * torch.cos(math.pi * waves[:, None] * positions)
    # The constant wave has twice the energy of the others; so all have length 1.
    table[0] /= math.sqrt(2)
    rows, columns = zigzag(side, count)
    both = table[rows][:, :, None] * table[columns][:, None]
    return both.flatten(1)


def _disc(side: int) -> Tensor:
    """`[side*side]` logits of a disc that leaves the corners of its square."""
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    return SURE * (1 - axis.square() - axis[:, None].square()).flatten()
