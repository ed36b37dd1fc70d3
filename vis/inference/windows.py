"""Frames on their way to a model: small ones for its eyes, gathered into overlapping windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from vis.tracking.windows import check_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from vis.inference.cuts import Memory
    from vis.records import Frame
    from vis.tracking import Stamp
    from vis.video import VideoReader


class Seen(NamedTuple):
    """One frame as the road carries it."""

    stamp: Stamp
    small: Tensor
    """`[3 h w]` uint8 at the model's size; empty once the model is done with it."""
    frame: Frame | None
    """With the pixels, where somebody wants to draw on them."""
    cut: bool = False
    """Whether a new shot begins with it."""
    memory: Memory | None = None
    """By which cuts after it are found; None where none are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One clip's worth of frames."""

    seen: tuple[Seen, ...]
    """At least one; fewer than a whole window only where the stream ends here."""
    settled: int
    """How many of the first frames no later window repeats."""
    following: int
    """Index from which frames are read for the next window, those of the overlap again."""

    @property
    def cut(self) -> bool:
        """Whether a new shot begins with it."""
        return self.seen[0].cut

    @property
    def memory(self) -> Memory | None:
        """By which cuts are found from `following` on."""
        return self.seen[self.settled - 1].memory

    @property
    def stamps(self) -> list[Stamp]:
        """Of its frames."""
        return [seen.stamp for seen in self.seen]

    def looked_at(self) -> Window:
        """The same without what the model alone needs."""
        nothing = self.seen[0].small.new_empty(0)
        return replace(self, seen=tuple(seen._replace(small=nothing) for seen in self.seen))


class Windows:
    """Frames pushed in one by one become windows; at most one window of them is held.

    A window that overlaps the next one waits for the frame after it, by which it knows that it is
    not the last. One that does not overlap is ready with its own last frame. No window spans a cut:
    it ends there as at the end of a stream.

    Args:
        length: frames of a window.
        stride: frames from the start of one window to that of the next.
        held: frames of a window that was begun before.

    Raises:
        UsageError: the stride leaves frames out, or a number is not positive.
    """

    def __init__(self, length: int, stride: int, held: Sequence[Seen] = ()) -> None:
        check_plan(window=length, stride=stride)
        self._length, self._stride = length, stride
        self.held = list(held)
        """Frames of the window that is not whole yet."""

    def add(self, seen: Seen) -> list[Window]:
        """Take a frame; the windows that are now ready: two at most, often none."""
        ready = self.finish() if seen.cut else None
        if len(self.held) == self._length:
            ready = self._next()
        windows = [] if ready is None else [ready]
        self.held.append(seen)
        if self._stride == self._length == len(self.held):
            windows.append(self._next())
        return windows

    def finish(self) -> Window | None:
        """The last window, where frames are left that were in none."""
        if not self.held:
            return None
        window = Window(tuple(self.held), len(self.held), self.held[-1].stamp.index + 1)
        self.held = []
        return window

    def _next(self) -> Window:
        whole, self.held = tuple(self.held), self.held[self._stride :]
        following = self.held[0].stamp.index if self.held else whole[-1].stamp.index + 1
        return Window(whole, self._stride, following)


def windows_of(stream: Iterable[Seen], windows: Windows) -> Iterator[Window]:
    """All windows of a stream that ends."""
    for seen in stream:
        ready = windows.add(seen)
        del seen  # its pixels must not outlive their window while the next frame is awaited
        while ready:
            yield ready.pop(0)
    last = windows.finish()
    if last is not None:
        yield last


class Chosen:
    """The frames of a reader that are looked at, in order.

    Args:
        reader: of all frames; what lies before the first is decoded and dropped, which is right on
            every file, as going to a place by its time is not on a damaged one.
        every: frames are taken whose index is a multiple of it.
        first: index of the first one that may be taken.
        most: how many are taken; None for all.
    """

    def __init__(
        self, reader: VideoReader, *, every: int = 1, first: int = 0, most: int | None = None
    ) -> None:
        self._reader, self._every, self._first, self._left = reader, every, first, most
        self.info = reader.info
        self.read = 0
        """Length of the source as far as it was read: one more than the last frame's index."""

    def __iter__(self) -> Chosen:
        return self

    def __next__(self) -> Frame:
        if self._left == 0:
            raise StopIteration
        for frame in self._reader:
            self.read = frame.index + 1
            if frame.index >= self._first and frame.index % self._every == 0:
                self._left = None if self._left is None else self._left - 1
                return frame
        raise StopIteration
