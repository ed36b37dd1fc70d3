"""Which frames of a video make a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vis.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Sampling(Protocol):
    """A rule for the frames of a clip."""

    def items(self, length: int) -> int:
        """How many items a video of `length` frames makes."""

    def frames(self, item: int, length: int, random: np.random.Generator) -> tuple[int, ...]:
        """The frames, from 0, of a clip of one item of a video of `length` frames."""


@dataclass(frozen=True, slots=True)
class Cyclic:
    """Consecutive frames, one item for each frame of the video: the rule of VisTR.

    The clip of frame f ends there: its frame k is (f - (T - 1) + k) mod the video's length. So a
    short video repeats, and a clip of the first frames begins with the last ones.
    """

    count: int
    """T."""

    def __post_init__(self) -> None:
        _check_count(self.count)

    def items(self, length: int) -> int:
        """One for each frame."""
        return length

    def frames(self, item: int, length: int, random: np.random.Generator) -> tuple[int, ...]:
        """Nothing is random here."""
        del random
        return tuple((item - (self.count - 1) + k) % length for k in range(self.count))


@dataclass(frozen=True, slots=True)
class Strided:
    """Frames at a random even distance from a random place, one item for each video.

    A video that is too short for the distance gets the largest that fits; one that is too short
    for any is played there and back, so that no frame is ever followed by a distant one.
    """

    count: int
    """T."""
    lowest: int = 1
    highest: int = 1
    """Frames from one frame of the clip to the next, both ends included."""

    def __post_init__(self) -> None:
        _check_count(self.count)
        if not 1 <= self.lowest <= self.highest:
            raise UsageError(
                f"the stride goes from {self.lowest} to {self.highest}",
                remedy="Write 1 or more first, then as much or more.",
            )

    def items(self, length: int) -> int:
        """One, so that a long video counts no more than a short one."""
        del length
        return 1

    def frames(self, item: int, length: int, random: np.random.Generator) -> tuple[int, ...]:
        """The stride and the first frame are random."""
        del item
        steps = self.count - 1
        stride = int(random.integers(self.lowest, self.highest + 1))
        stride = min(stride, max(1, (length - 1) // max(1, steps)))
        room = length - steps * stride
        start = int(random.integers(room if room > 0 else length))
        return tuple(_there_and_back(start + k * stride, length) for k in range(self.count))


@dataclass(frozen=True, slots=True)
class Nearby:
    """A random frame and others from around it, in order, one item for each video (Mask2Former).

    No frame is there twice, unless the video has too few.
    """

    count: int
    """T."""
    reach: int = 20
    """The others are at most so many frames away."""

    def __post_init__(self) -> None:
        _check_count(self.count)
        if self.reach < 1:
            raise UsageError(f"frames from at most {self.reach} around", remedy="Write 1 or more.")

    def items(self, length: int) -> int:
        """One, so that a long video counts no more than a short one."""
        del length
        return 1

    def frames(self, item: int, length: int, random: np.random.Generator) -> tuple[int, ...]:
        """All frames but for their order are random."""
        del item
        middle = int(random.integers(length))
        first, last = max(0, middle - self.reach), min(length - 1, middle + self.reach)
        others = [frame for frame in range(first, last + 1) if frame != middle]
        drawn = [middle, *(others[i] for i in random.permutation(len(others)))]
        return tuple(sorted(drawn[k % len(drawn)] for k in range(self.count)))


def _there_and_back(place: int, length: int) -> int:
    """0 1 2 1 0 1 ... of 3 frames."""
    turn = max(1, 2 * (length - 1))
    place %= turn
    return min(place, turn - place) if length > 1 else 0


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError(f"a clip of {count} frames", remedy="Ask for 1 or more.")
