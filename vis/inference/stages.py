"""Decoding and the model, each in a thread of its own, a bounded number of frames ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from vis.inference.windows import Seen, Window, Windows, windows_of
from vis.records import ClipPredictions
from vis.tracking import Stamp
from vis.video.ahead import Ahead
from vis.video.limits import frames_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vis.inference.cuts import CutDetector
    from vis.inference.predictor import Looker
    from vis.inference.resolved_options import Plan
    from vis.inference.windows import Chosen
    from vis.records import Frame

Look = tuple[Window, ClipPredictions]


class Stages(Iterator[Look]):
    """Windows with what the model says of them.

    While one window is taken, the model works at the next, and the frames of the one after are
    decoded and made small.

    Args:
        frames: of the source.
        looker: the model at work.
        plan: of the windows.
        batch: windows that the model sees side by side.
        pixels: whether the windows keep the frames' pixels.
        detector: finds cuts; None where none are looked for.
    """

    def __init__(
        self,
        frames: Chosen,
        looker: Looker,
        plan: Plan,
        batch: int,
        *,
        pixels: bool,
        detector: CutDetector | None,
    ) -> None:
        self.pixels = pixels
        info = frames.info
        depth = frames_ahead(plan.stride * batch, info.width, info.height)
        self._seen = Ahead(see(frames, looker, detector, pixels=pixels), depth=depth)
        windows = Windows(plan.window, plan.stride)
        self._looks = Ahead(look(self._seen, looker, windows, batch), depth=1)

    def __next__(self) -> Look:
        return next(self._looks)

    def close(self) -> None:
        """Stop the threads."""
        self._seen.close()
        self._looks.close()


def see(
    frames: Iterable[Frame], looker: Looker, detector: CutDetector | None, *, pixels: bool
) -> Iterator[Seen]:
    """Frames as the road carries them."""
    for frame in frames:
        yield seen_of(frame, looker, detector, pixels=pixels)
        del frame


def seen_of(frame: Frame, looker: Looker, detector: CutDetector | None, *, pixels: bool) -> Seen:
    """One frame made small, and whether a new shot begins with it."""
    stamp, small = Stamp(frame.index, frame.time), looker.small(frame.pixels)
    cut = detector is not None and detector.step(small)
    memory = None if detector is None else detector.memory
    return Seen(stamp, small, frame if pixels else None, cut, memory)


def look(stream: Iterable[Seen], looker: Looker, windows: Windows, batch: int) -> Iterator[Look]:
    """Windows with predictions; what was handed out is not held any more."""
    ready = windows_of(stream, windows)
    while several := list(islice(ready, batch)):
        found = looker.look(several)
        pairs = deque(zip((window.looked_at() for window in several), found, strict=True))
        del several, found
        while pairs:
            yield pairs.popleft()
