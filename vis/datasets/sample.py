"""What a data set gives: one clip, uncollated, with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from vis.records import ClipTargets


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One clip with its truth."""

    frames: Tensor
    """`[T 3 H W]` uint8 RGB."""
    targets: ClipTargets
    """Labels are class indices; the masks have the size of the frames. It says which classes are
    annotated here."""
    name: str
    """The video and its frames, for messages."""
    lost: tuple[str, ...] = ()
    """What could not be read, so that this clip takes its place."""


class ClipSource(Protocol):
    """Clips by number; the same number and random state give the same clip."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""

    def __len__(self) -> int:
        """Number of items."""

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of item `index`; whatever is random in it is drawn from `random`.

        Raises:
            VisError: a file is missing or wrong; names it.
        """

    def where(self, index: int) -> str:
        """What item `index` is, for messages; touches no file."""
