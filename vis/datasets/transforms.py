"""Changes of whole clips: each is drawn once and done to all frames, masks included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vis.datasets.raw_clip import RawClip, cropped, flipped, padded, resized
from vis.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Transform(Protocol):
    """A change of a clip."""

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """The changed clip; whatever is random in it is drawn from `random`."""


@dataclass(frozen=True, slots=True)
class Flip:
    """Left and right exchanged, sometimes."""

    probability: float = 0.5

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """All frames or none."""
        return flipped(clip) if random.random() < self.probability else clip


@dataclass(frozen=True, slots=True)
class ShortSide:
    """The short side to one of several lengths, the long one in proportion (DETR's rule)."""

    lengths: tuple[int, ...]
    """Pixels."""
    longest: int | None = None
    """Pixels that the long side may have at most."""

    def __post_init__(self) -> None:
        if not self.lengths or min(self.lengths) < 1:
            raise UsageError("the short side needs at least one length", remedy="Write [360].")

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """One choice for all frames."""
        short = self.lengths[int(random.integers(len(self.lengths)))]
        return resized(clip, *size_for(clip.size, short, self.longest))


@dataclass(frozen=True, slots=True)
class Fixed:
    """One size for all clips, whatever their proportions."""

    height: int
    width: int

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """Nothing is random here."""
        del random
        return resized(clip, self.height, self.width)


@dataclass(frozen=True, slots=True)
class Crop:
    """A random window; an object that it leaves out of a frame is not visible there any more."""

    lowest: int
    highest: int
    """Pixels of either side of the window, each drawn alone; at most what the clip has."""

    def __post_init__(self) -> None:
        if not 1 <= self.lowest <= self.highest:
            raise UsageError(
                f"the window goes from {self.lowest} to {self.highest} pixels",
                remedy="Write 1 or more first, then as much or more.",
            )

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """One window for all frames."""
        height, width = (
            int(random.integers(min(self.lowest, side), min(self.highest, side) + 1))
            for side in clip.size
        )
        top = int(random.integers(clip.size[0] - height + 1))
        left = int(random.integers(clip.size[1] - width + 1))
        return cropped(clip, top, left, height=height, width=width)


@dataclass(frozen=True, slots=True)
class ScaleJitter:
    """Large-scale jitter (Ghiasi et al., 2021): a random scale, a window of a fixed size."""

    lowest: float
    highest: float
    """The clip is brought to fit into so many times the window."""
    height: int
    width: int
    pad_value: int
    """Of the pixels that the clip does not fill."""

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """One scale and one window for all frames."""
        fits = min(self.height / clip.size[0], self.width / clip.size[1])
        scale = random.uniform(self.lowest, self.highest) * fits
        clip = resized(clip, *(max(1, round(side * scale)) for side in clip.size))
        height, width = min(self.height, clip.size[0]), min(self.width, clip.size[1])
        top = int(random.integers(clip.size[0] - height + 1))
        left = int(random.integers(clip.size[1] - width + 1))
        # filled up at the bottom right alone, where batches are padded too
        clip = cropped(clip, top, left, height=height, width=width)
        return padded(clip, self.height, self.width, pad_value=self.pad_value)


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Several changes together, or none of them."""

    transforms: tuple[Transform, ...]
    probability: float = 0.5

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """In order."""
        if random.random() < self.probability:
            for transform in self.transforms:
                clip = transform(clip, random)
        return clip


def size_for(size: tuple[int, int], short: int, longest: int | None) -> tuple[int, int]:
    """Height and width with the short side as asked, less where the long one would be too long.

    The long side is cut to whole pixels, as DETR and VisTR do; no side is below 1.
    """
    low, high = min(size), max(size)
    if longest is not None and high / low * short > longest:
        short = max(1, round(longest * low / high))
    long = max(1, int(short * high / low))
    return (short, long) if size[0] <= size[1] else (long, short)
