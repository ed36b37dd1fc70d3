"""Samples that cannot be read: another takes the place of each, as long as they are few."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError, VisWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from vis.datasets.sample import ClipSource, Sample

BUDGET = 1e-3
"""Files that may be bad, as a share of the items; one is always borne."""
TRIES = 10
"""Bad items in a row that are too many."""


class ReplaceUnreadable:
    """A `ClipSource` that gives another item where one cannot be read.

    Which one is drawn from the random numbers of the sample, so it is the same in every run.

    Args:
        source: of the clips.
    """

    def __init__(self, source: ClipSource) -> None:
        self.source = source

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""
        return self.source.names

    def __len__(self) -> int:
        return len(self.source)

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of item `index`, or of another; says what could not be read.

        Raises:
            VisError: ten items in a row cannot be read.
        """
        lost: list[str] = []
        while True:
            try:
                return replace(self.source.sample(index, random), lost=tuple(lost))
            except (DataError, InputError) as error:
                lost.append(str(error))
                if len(lost) == TRIES:
                    raise
                # from the sample's own numbers: the same clip in every run and for any workers
                index = int(random.integers(len(self.source)))

    def where(self, index: int) -> str:
        """What item `index` is, for messages; touches no file."""
        return self.source.where(index)


@dataclass(slots=True)
class UnreadableSamples:
    """What could not be read since a run began or went on, each file counted once."""

    items: int
    """Of the data set."""
    faults: set[str] = field(default_factory=set)

    def add(self, lost: Sequence[str]) -> None:
        """Tell of what is new.

        Raises:
            DataError: it is more than the budget.
        """
        most = max(1, int(BUDGET * self.items))
        for fault in lost:
            # a file is met once an epoch; only new ones use up the budget
            if fault in self.faults:
                continue
            self.faults.add(fault)
            if len(self.faults) > most:
                raise DataError(
                    f"{len(self.faults)} samples cannot be read, more than {BUDGET:.1%} of the "
                    f"{self.items} items; the last: {fault}",
                    remedy="Run vis data check, and mend what it lists.",
                )
            words = f"{fault} Another clip takes its place ({len(self.faults)} of at most {most})."
            warnings.warn(VisWarning(words), stacklevel=2)
