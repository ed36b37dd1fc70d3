"""The crop of training on classes of pixels: any scale, and not all of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vis.datasets.raw_clip import NOWHERE, RawClip, cropped, resized
from vis.ops.rle import decode

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ScaledCrop:
    """A random scale, then a window in which no class has too large a share (mmsegmentation).

    A clip that is smaller than the window stays as small.
    """

    lowest: float
    highest: float
    """The clip is brought to fit into so many times `short` and `longest`."""
    short: int
    longest: int
    """Pixels of the clip's sides, at most, at a scale of 1."""
    side: int
    """Pixels of the window's sides."""
    share: float
    """Of the pixels with a class, in the first frame."""
    tries: int
    """Windows that are drawn; the last one is taken whatever it shows."""

    def __call__(self, clip: RawClip, random: np.random.Generator) -> RawClip:
        """One scale and one window for all frames."""
        scale = random.uniform(self.lowest, self.highest)
        fit = min(self.longest / max(clip.size), self.short / min(clip.size))
        clip = resized(clip, *(max(1, int(side * scale * fit + 0.5)) for side in clip.size))
        classes = _classes(clip)
        height, width = (min(self.side, side) for side in clip.size)
        # mmsegmentation's rule (`cat_max_ratio`): windows of road alone teach little
        for _ in range(self.tries):
            top = int(random.integers(clip.size[0] - height + 1))
            left = int(random.integers(clip.size[1] - width + 1))
            if self._mixed(classes[top : top + height, left : left + width]):
                break
        return cropped(clip, top, left, height=height, width=width)

    def _mixed(self, window: npt.NDArray[np.int64]) -> bool:
        # shifted by one, so that -1, pixels of no class, is counted and dropped
        counts = np.bincount(window.ravel() + 1)[1:]
        return bool((counts > 0).sum() > 1 and counts.max() < self.share * counts.sum())


def _classes(clip: RawClip) -> npt.NDArray[np.int64]:
    """`[H W]` class of each pixel of the first frame, -1 where there is none."""
    rows, columns = (np.maximum(lines, 0) for lines in (clip.rows, clip.columns))
    labels = np.full(clip.size, -1, np.int64)
    for instance in clip.instances:
        if 0 in instance.masks:
            labels[decode(instance.masks[0])[rows][:, columns]] = instance.label
    labels[clip.rows == NOWHERE] = -1
    labels[:, clip.columns == NOWHERE] = -1
    return labels
