"""A class for every pixel of a large picture: window by window, at several sizes, mirrored too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from torch import Tensor

Look = Callable[["Tensor"], "Tensor"]
"""Pictures `[M 3 H W]` -> scores `[M K H W]`."""


class Tiling(NamedTuple):
    """How a picture is cut into windows."""

    window: int
    """Side in pixels."""
    stride: int
    """Pixels from one to the next."""
    chunk: int
    """How many are looked at at once."""


class ScaledPicture(NamedTuple):
    """A picture at some size."""

    picture: Tensor
    """`[3 H W]` normalised; before that, `[1 3 H W]`."""
    mirrored: bool
    """Whether left and right are exchanged."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How a picture is looked at in use."""

    side: int
    """Of a window, in pixels."""
    stride: int
    """Pixels from one window to the next."""
    scales: tuple[float, ...]
    """Sizes, beside the given one."""
    mirrored: bool
    """Whether each is looked at mirrored, too."""

    def pictures(self, picture: Tensor) -> Iterator[ScaledPicture]:
        """A picture `[1 3 H W]` at all sizes, as it is and mirrored: `[1 3 H' W']` each."""
        for scale in self.scales:
            # Half up, unlike Python's round: as released.
            size = [max(1, int(side * scale + 0.5)) for side in picture.shape[2:]]
            resized = interpolate(picture, size, mode="bilinear")
            yield ScaledPicture(resized, mirrored=False)
            if self.mirrored:
                yield ScaledPicture(resized.flip(-1), mirrored=True)


def averaged(
    look: Look, views: Sequence[ScaledPicture], tiling: Tiling, size: tuple[int, int]
) -> Tensor:
    """Mean over views of one picture of its probabilities `[K H W]` (Segmenter's released code).

    Args:
        look: the network.
        views: of the picture.
        tiling: of each view.
        size: height and width of the result.
    """
    total: Tensor | None = None
    for scaled in views:
        scores = interpolate(slid(look, scaled.picture, tiling)[None], size, mode="bilinear")[0]
        class_probs = (scores.flip(-1) if scaled.mirrored else scores).softmax(dim=0)
        total = class_probs if total is None else total + class_probs
    assert total is not None
    return total / len(views)


def slid(look: Look, picture: Tensor, tiling: Tiling) -> Tensor:
    """Scores `[K H W]` of a picture `[3 H W]`, the mean of all windows that show a pixel.

    A picture whose short side is less than a window is enlarged to it, and so is the result.
    """
    window = tiling.window
    picture = interpolate(picture[None], enlarged(picture.shape[1:], window), mode="bilinear")[0]
    height, width = picture.shape[1:]
    corners = window_corners((height, width), window, tiling.stride)
    parts = [(slice(top, top + window), slice(left, left + window)) for top, left in corners]
    total, counts = picture.new_zeros(()), picture.new_zeros((height, width))
    for i in range(0, len(parts), tiling.chunk):
        some = parts[i : i + tiling.chunk]
        scores = look(torch.stack([picture[:, rows, columns] for rows, columns in some]))
        if not total.dim():
            total = scores.new_zeros((scores.shape[1], height, width))
        for (rows, columns), window_scores in zip(some, scores, strict=True):
            total[:, rows, columns] += window_scores
            counts[rows, columns] += 1
    # Windows overlap; a pixel's scores are the mean of all windows that hold it.
    return total / counts


def enlarged(size: Sequence[int], window: int) -> tuple[int, int]:
    """Height and width with the short side at least a window."""
    short = min(size)
    if short >= window:
        return size[0], size[1]
    # Truncated, not rounded, as released: the grid of windows depends on it.
    return int(size[0] * (window / short)), int(size[1] * (window / short))


def window_corners(size: tuple[int, int], window: int, stride: int) -> list[tuple[int, int]]:
    """Top and left of each window; the last of a row or column ends where the picture does."""
    ys, xs = ([*range(0, max(side - window, 0), stride), max(side - window, 0)] for side in size)
    return [(y, x) for y in ys for x in xs]
