"""Several data sets as one, each with its share."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.datasets.sample import ClipSource, Sample


class Mixture:
    """A `ClipSource` in which each source has its share of the items, whatever its own length.

    It is as long as the source that is repeated least needs to be shown whole. The others are
    repeated; what is left of their share after the last whole repetition is drawn at random.

    Args:
        sources: at least one, all with the same classes.
        weights: one for each source, above 0.

    Raises:
        UsageError: the sources have other classes, or the weights are not as many or not above 0.
    """

    def __init__(self, sources: Sequence[ClipSource], weights: Sequence[float]) -> None:
        if len(sources) != len(weights) or not sources or not min(weights) > 0:
            raise UsageError(f"{len(sources)} data sets with weights {list(weights)}")
        if len({source.names for source in sources}) > 1:
            raise UsageError(
                "the data sets of a mixture have different classes",
                remedy="Name the classes, so that each data set is matched with all of them.",
            )
        self.sources = tuple(sources)
        total = max(len(source) / weight for source, weight in zip(sources, weights, strict=True))
        # no source is shown less than whole because of rounding
        self.shares = tuple(max(1, round(total * weight)) for weight in weights)
        self._ends = list(accumulate(self.shares))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""
        return self.sources[0].names

    def __len__(self) -> int:
        return self._ends[-1]

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of item `index`.

        Raises:
            VisError: a file is missing or wrong; names it.
        """
        number, item = self._find(index)
        whole = self.shares[number] // len(self.sources[number]) * len(self.sources[number])
        # the rest after whole rounds is drawn anew: fixed, the first items would come more often
        if item >= whole:
            item = int(random.integers(len(self.sources[number])))
        return self.sources[number].sample(item % len(self.sources[number]), random)

    def where(self, index: int) -> str:
        """What item `index` is, for messages; of a randomly drawn one, only its data set."""
        number, item = self._find(index)
        source = self.sources[number]
        if item >= self.shares[number] // len(source) * len(source):
            return f"some item of data set {number} of the mixture"
        return source.where(item % len(source))

    def _find(self, index: int) -> tuple[int, int]:
        """The source of an item, and the item's number within its share."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        return number, index - (self._ends[number - 1] if number else 0)
