"""Frames at a model's size, gathered into overlapping windows."""

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


class ResizedFrame(NamedTuple):
    """One frame at the model's size."""

    stamp: Stamp
    small: Tensor
    """`[3 h w]` uint8 at the model's size; empty once the model is done with it."""
    frame: Frame | None
    """With the pixels, where somebody wants to draw on them."""
    cut: bool = False
    """Whether a new shot begins with it."""
    memory: Memory | None = None
    """By which cuts after it are detected; None where none are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One clip's worth of frames."""

    frames: tuple[ResizedFrame, ...]
    """At least one; fewer than a whole window only where the stream ends here."""
    settled: int
    """How many of the first frames no later window repeats."""
    following: int
    """Index from which frames are read for the next window, those of the overlap again."""

    @property
    def cut(self) -> bool:
        """Whether a new shot begins with it."""
        return self.frames[0].cut

    @property
    def memory(self) -> Memory | None:
        """By which cuts are detected from `following` on."""
        return self.frames[self.settled - 1].memory

    @property
    def stamps(self) -> list[Stamp]:
        """Of its frames."""
        return [frame.stamp for frame in self.frames]

    def without_inputs(self) -> Window:
        """The same without what the model alone needs."""
        nothing = self.frames[0].small.new_empty(0)
        return replace(self, frames=tuple(frame._replace(small=nothing) for frame in self.frames))


class Windows:
    """Frames pushed in one by one become windows; at most one window of them is held.

    A window that overlaps the next one waits for the frame after it, by which it knows that it is
    not the last. One that does not overlap is ready with its own last frame. No window spans a cut:
    it ends there as at the end of a stream.

    Args:
        length: frames of a window.
        stride: frames from the start of one window to that of the next.
        buffer: frames of a window that began before.

    Raises:
        UsageError: the stride leaves frames out, or a number is not positive.
    """

    def __init__(self, length: int, stride: int, buffer: Sequence[ResizedFrame] = ()) -> None:
        check_plan(window=length, stride=stride)
        self._length, self._stride = length, stride
        self.buffer = list(buffer)
        """Frames of the window that is not whole yet."""

    def add(self, frame: ResizedFrame) -> list[Window]:
        """Take a frame; the windows that are now ready: two at most, often none."""
        # the frame of the cut itself is the first of the next window
        ready = self.finish() if frame.cut else None
        # only now is it known that the window is not the last: its tail will be seen again
        if len(self.buffer) == self._length:
            ready = self._next()
        windows = [] if ready is None else [ready]
        self.buffer.append(frame)
        # without overlap nothing of it is seen again, so it need not wait for another frame
        if self._stride == self._length == len(self.buffer):
            windows.append(self._next())
        return windows

    def finish(self) -> Window | None:
        """The last window, where frames are left that were in none."""
        if not self.buffer:
            return None
        window = Window(tuple(self.buffer), len(self.buffer), self.buffer[-1].stamp.index + 1)
        self.buffer = []
        return window

    def _next(self) -> Window:
        whole, self.buffer = tuple(self.buffer), self.buffer[self._stride :]
        following = self.buffer[0].stamp.index if self.buffer else whole[-1].stamp.index + 1
        return Window(whole, self._stride, following)


def windows_of(stream: Iterable[ResizedFrame], windows: Windows) -> Iterator[Window]:
    """All windows of a stream that ends."""
    for frame in stream:
        ready = windows.add(frame)
        del frame  # its pixels must not outlive their window while the next frame is awaited
        while ready:
            yield ready.pop(0)
    last = windows.finish()
    if last is not None:
        yield last


class FrameSampler:
    """The frames of a reader that the model sees, in order.

    Args:
        reader: of all frames; what lies before the first is decoded and dropped, which is right on
            every file, as going to a place by its time is not on a damaged one.
        every: frames are taken whose index is a multiple of it.
        first: index of the first one that may be taken.
        max_frames: how many are taken; None for all.
    """

    def __init__(
        self, reader: VideoReader, *, every: int = 1, first: int = 0, max_frames: int | None = None
    ) -> None:
        self._reader, self._every, self._first, self._left = reader, every, first, max_frames
        self.info = reader.info
        self.read = 0
        """Length of the source as far as it was read: one more than the last frame's index."""

    def __iter__(self) -> FrameSampler:
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
