"""Finding out what a damaged video lost: FFmpeg alone often ends early without a word.

Every packet that enters the decoder is noted by its presentation time; every frame that leaves
removes its packet. What remains was lost. The header's promises are compared at the end.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vis.errors import VideoError, printable

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong while reading."""

    what: str
    """What happened, as part of a sentence."""
    time: Fraction | None = None
    """Seconds into the video, where known."""
    lost: int = 0
    """Frames lost by it."""

    def __str__(self) -> str:
        return self.what if self.time is None else f"{self.what} at {float(self.time):.2f} s"


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What a finished reading came to."""

    decoded: int = 0
    """Frames that were given out."""
    declared: int | None = None
    """Frames that the header promised, where it did."""
    lost: int = 0
    """Frames known to be lost."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        """`49 of 50 frames; 1 lost: an undecodable packet at 4.90 s`."""
        expected = self.declared if self.declared is not None else self.decoded + self.lost
        head = f"{self.decoded} of {expected} frames" if self.problems else f"{self.decoded} frames"
        if not self.problems:
            return head
        first_problems = ", ".join(str(problem) for problem in self.problems[:3])
        more = f" and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        return printable(f"{head}; {self.lost or 'none known'} lost: {first_problems}{more}")


@dataclass
class PacketAccounting:
    """Matches frames with the packets that they come of, numbers frames and gathers problems.

    Args:
        name: the source, for error messages.
        strict: raise at the first problem instead of gathering it.
        timed: whether packets carry presentation times; if not, frames are merely counted.
    """

    name: str
    strict: bool = False
    timed: bool = True
    packets: int = 0
    """Packets that should each give a frame."""
    discarded: int = 0
    """Packets that the container itself marks as not to be shown."""
    undecodable: int = 0
    decoded: int = 0
    lost: int = 0
    problems: list[Problem] = field(default_factory=list)
    first_key: int | None = None
    """Presentation time of the first key frame."""
    ahead_of_key: int = 0
    """Packets before the first key frame, which is damaged or was never recorded."""
    _pending: list[int] = field(default_factory=list)
    _next_index: int = 0
    _has_key: bool = False

    def add_packet(self, pts: int | None, *, key: bool) -> None:
        """Note a packet that should give one frame."""
        self.packets += 1
        self._has_key |= key
        if not self._has_key:
            self.ahead_of_key += 1
        elif self.first_key is None:
            self.first_key = pts
        # one packet without a time, and no frame can be matched to its packet any more
        if pts is None:
            self.timed = False
        elif self.timed:
            # a heap: packets come in decoding order, frames leave in order of presentation
            heapq.heappush(self._pending, pts)

    def add_frame(self, pts: int | None, tick: Fraction) -> int:
        """Index of a frame, whose packet is removed; packets that remain before it were lost."""
        if self.timed and pts is not None:
            self._count_skipped(pts, tick)
        self.decoded += 1
        self._next_index += 1
        return self._next_index - 1

    def add_problem(self, what: str, time: Fraction | None = None, lost: int = 0) -> None:
        """Gather a problem, or raise it when strict."""
        self.lost += lost
        problem = Problem(what, time, lost)
        self.problems.append(problem)
        if self.strict:
            raise VideoError(
                f"damaged: {problem}",
                where=self.name,
                done=f"Reading stopped after {self.decoded} frames",
                remedy="Read without strict to use what can be decoded",
            )

    def count_missing(self, tick: Fraction) -> None:
        """At the end: packets that remain never became frames."""
        # they have no numbers: whoever reads the frames in any order counts from the key frame on
        unshown = min(self.ahead_of_key, self.packets - self.decoded) if self._has_key else 0
        if unshown > 0:
            self.add_problem(f"{_frames(unshown)} before the first key frame", lost=unshown)
        if not self.timed:
            if self.undecodable:
                self.add_problem(_packets(self.undecodable), lost=self.undecodable)
            return
        missing = sorted(self._pending)
        self._pending.clear()
        if missing and self.decoded:
            self.add_problem(
                _frames(len(missing)) + " at the end", missing[0] * tick, lost=len(missing)
            )
        if self.undecodable and not self.problems:
            self.add_problem(_packets(self.undecodable))

    def report(self, declared: int | None) -> ReadReport:
        """The result so far."""
        return ReadReport(self.decoded, declared, self.lost, tuple(self.problems))

    def _count_skipped(self, pts: int, tick: Fraction) -> None:
        skipped = []
        while self._pending and self._pending[0] < pts:
            skipped.append(heapq.heappop(self._pending))
        if self._pending and self._pending[0] == pts:
            heapq.heappop(self._pending)
        if self.first_key is not None:  # what leads the first key frame has no reference: no damage
            skipped = [time for time in skipped if time >= self.first_key]
        if skipped:
            self._next_index += len(skipped)
            self.add_problem(_frames(len(skipped)), skipped[0] * tick, lost=len(skipped))


def _frames(count: int) -> str:
    return "1 frame was not decodable" if count == 1 else f"{count} frames were not decodable"


def _packets(count: int) -> str:
    return "1 packet was undecodable" if count == 1 else f"{count} packets were undecodable"
