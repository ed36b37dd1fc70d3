"""Which frames of a video make a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vis.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Sampling(Protocol):
    """A rule for the frames of a clip."""

    def items(self, video_length: int) -> int:
        """How many items a video of `video_length` frames makes."""

    def frames(self, item: int, video_length: int, random: np.random.Generator) -> tuple[int, ...]:
        """The frames, from 0, of a clip of one item of a video of `video_length` frames."""


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

    def items(self, video_length: int) -> int:
        """One for each frame."""
        return video_length

    def frames(self, item: int, video_length: int, random: np.random.Generator) -> tuple[int, ...]:
        """Nothing is random here."""
        del random
        # Python's remainder is never negative: the first frames' clips begin at the video's end
        return tuple((item - (self.count - 1) + k) % video_length for k in range(self.count))


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

    def items(self, video_length: int) -> int:
        """One, so that a long video counts no more than a short one."""
        del video_length
        return 1

    def frames(self, item: int, video_length: int, random: np.random.Generator) -> tuple[int, ...]:
        """The stride and the first frame are random."""
        del item
        steps = self.count - 1
        stride = int(random.integers(self.lowest, self.highest + 1))
        # a shorter stride rather than a frame that repeats
        stride = min(stride, max(1, (video_length - 1) // max(1, steps)))
        room = video_length - steps * stride
        start = int(random.integers(room if room > 0 else video_length))
        return tuple(_there_and_back(start + k * stride, video_length) for k in range(self.count))


@dataclass(frozen=True, slots=True)
class Nearby:
    """A random frame and others from around it, in order, one item for each video (Mask2Former).

    No frame is there twice, unless the video has too few.
    """

    count: int
    """T."""
    max_offset: int = 20
    """The others are at most so many frames away."""

    def __post_init__(self) -> None:
        _check_count(self.count)
        if self.max_offset < 1:
            raise UsageError(
                f"frames from at most {self.max_offset} around", remedy="Write 1 or more."
            )

    def items(self, video_length: int) -> int:
        """One, so that a long video counts no more than a short one."""
        del video_length
        return 1

    def frames(self, item: int, video_length: int, random: np.random.Generator) -> tuple[int, ...]:
        """All frames but for their order are random."""
        del item
        middle = int(random.integers(video_length))
        first, last = (
            max(0, middle - self.max_offset),
            min(video_length - 1, middle + self.max_offset),
        )
        others = [frame for frame in range(first, last + 1) if frame != middle]
        # the middle first: it is there even where the clip has one frame
        candidates = [middle, *(others[i] for i in random.permutation(len(others)))]
        return tuple(sorted(candidates[k % len(candidates)] for k in range(self.count)))


def _there_and_back(position: int, video_length: int) -> int:
    """0 1 2 1 0 1 ... of 3 frames."""
    period = max(1, 2 * (video_length - 1))
    position %= period
    return min(position, period - position) if video_length > 1 else 0


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError(f"a clip of {count} frames", remedy="Ask for 1 or more.")
