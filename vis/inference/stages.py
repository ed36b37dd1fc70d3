"""Decoding and the model, each in a thread of its own, a bounded number of frames ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from vis.inference.side_by_side import predict_side_by_side
from vis.inference.windows import ResizedFrame, Windows, windows_of
from vis.tracking import Stamp
from vis.video.ahead import Ahead
from vis.video.limits import frames_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vis.inference.cuts import CutDetector
    from vis.inference.predictor import Predictor
    from vis.inference.resolved_options import ResolvedOptions
    from vis.inference.windows import FrameSampler, Window
    from vis.models._contract import State
    from vis.records import ClipPredictions, Frame


class Prediction(NamedTuple):
    """A window as the model saw it."""

    window: Window
    predictions: ClipPredictions
    state: State | None
    """What the model carries on from here, where it does."""


class Stages(Iterator[Prediction]):
    """Windows with the model's predictions.

    While one window is taken, the model works at the next, and the frames of the one after are
    decoded and made small.

    Args:
        frames: of the source.
        predictor: the model at work.
        options: of the windows.
        batch: windows that the model sees side by side.
        pixels: whether the windows keep the frames' pixels.
        detector: of cuts; None where cuts do not count.
        state: what the model carries on from the frames before.
    """

    def __init__(
        self,
        frames: FrameSampler,
        predictor: Predictor,
        options: ResolvedOptions,
        batch: int,
        *,
        pixels: bool,
        detector: CutDetector | None,
        state: State | None = None,
    ) -> None:
        self.pixels = pixels
        info = frames.info
        # in bytes, not frames: an 8K film must not hold as many as a small one
        depth = frames_ahead(options.stride * batch, info.width, info.height)
        self._resized = Ahead(resize(frames, predictor, detector, pixels=pixels), depth=depth)
        windows = Windows(options.window, options.stride)
        # one ahead: the model is the slowest, and each window of predictions is large
        predictions = predict(self._resized, predictor, windows, batch, state)
        self._predictions = Ahead(predictions, depth=1)

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """Stop the threads."""
        self._resized.close()
        self._predictions.close()


def resize(
    frames: Iterable[Frame], predictor: Predictor, detector: CutDetector | None, *, pixels: bool
) -> Iterator[ResizedFrame]:
    """Frames at the model's size."""
    for frame in frames:
        yield resized_frame(frame, predictor, detector, pixels=pixels)
        # the generator would hold the pixels until the next frame is asked for
        del frame


def resized_frame(
    frame: Frame, predictor: Predictor, detector: CutDetector | None, *, pixels: bool
) -> ResizedFrame:
    """One frame made small, and whether a new shot begins with it."""
    stamp, small = Stamp(frame.index, frame.time), predictor.resize(frame.pixels)
    cut = detector is not None and detector.step(small)
    memory = None if detector is None else detector.memory
    return ResizedFrame(stamp, small, frame if pixels else None, cut, memory)


def predict(
    stream: Iterable[ResizedFrame],
    predictor: Predictor,
    windows: Windows,
    batch: int,
    state: State | None = None,
) -> Iterator[Prediction]:
    """Windows with predictions; what was handed out is not held any more."""
    ready = windows_of(stream, windows)
    if predictor.is_online:
        yield from _one_by_one(ready, predictor, state)
        return
    if batch == 1 and predictor.is_side_by_side:
        for window, said in predict_side_by_side(ready, predictor):
            yield Prediction(window.without_inputs(), said, None)
            del window, said  # what was handed out is the caller's alone
        return
    while several := list(islice(ready, batch)):
        predictions = predictor.predict(several)
        pairs = deque(
            Prediction(window.without_inputs(), one, None)
            for window, one in zip(several, predictions, strict=True)
        )
        # what was handed out is the caller's alone, so that at most two windows are ever in memory
        del several, predictions
        while pairs:
            yield pairs.popleft()


def _one_by_one(
    windows: Iterator[Window], predictor: Predictor, state: State | None
) -> Iterator[Prediction]:
    """Each window goes on from the one before, so that no two are side by side."""
    for window in windows:
        predictions, state = predictor.step(window, state)
        yield Prediction(window.without_inputs(), predictions, state)
        # what was handed out is the caller's alone
        del window, predictions
