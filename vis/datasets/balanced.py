"""Pictures of rare classes more often than others: repeat factor sampling."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.datasets.sample import ClipSource, Sample
    from vis.formats.ytvis_records import AnnotationSet


class Balanced:
    """A `ClipSource` that shows each item of another as often in a round as its factor says.

    A factor's whole part is how often it is shown at least; the rest is a chance.

    Args:
        source: of the clips.
        factors: `[len(source)]`, at least 1.
    """

    def __init__(self, source: ClipSource, factors: Sequence[float]) -> None:
        self.source = source
        self._ends = np.cumsum(factors)
        self._count = int(np.ceil(self._ends[-1]))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""
        return self.source.names

    def __len__(self) -> int:
        return self._count

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of the item at a random place between `index` and the next.

        Raises:
            VisError: a file is missing or wrong; names it.
        """
        # a factor of 1.5 spans one place and a half, and is hit so often in a round on average
        return self.source.sample(self._item(index + random.random()), random)

    def where(self, index: int) -> str:
        """What item `index` most likely is, for messages; touches no file."""
        return self.source.where(self._item(index + 0.5))

    def _item(self, place: float) -> int:
        # the factors' sum is stretched to a whole number of items, less than one more
        item = np.searchsorted(self._ends, place * self._ends[-1] / self._count, side="right")
        return min(int(item), len(self.source) - 1)


def repeat_factors(
    annotations: AnnotationSet, indices: Mapping[int, int], threshold: float
) -> tuple[float, ...]:
    """How often each video is to be shown, in their order: `max_c max(1, sqrt(threshold / f_c))`.

    `f_c` is the share of the videos that show class `c` (Gupta et al., 2019, LVIS, section 4.1).

    Args:
        annotations: of the videos.
        indices: category id -> class; others do not count.
        threshold: the share from which a class is common enough.
    """
    labels_of = [
        {indices[track.label] for track in annotations.tracks[id_] if track.label in indices}
        for id_ in annotations.videos
    ]
    counts = Counter(label for labels in labels_of for label in labels)
    factor: dict[int, float] = {
        label: max(1.0, (threshold * len(labels_of) / count) ** 0.5)
        for label, count in counts.items()
    }
    return tuple(max((factor[label] for label in labels), default=1.0) for labels in labels_of)
