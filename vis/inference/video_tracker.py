"""`vis.VideoTracker`: the same road for whoever has a loop of their own, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import UsageError
from vis.inference.cuts import Memory
from vis.inference.model_classes import load_model, names_of
from vis.inference.options import TrackOptions
from vis.inference.resolved_options import resolve
from vis.inference.signatures import with_options
from vis.inference.stages import resized_frame
from vis.inference.windows import ResizedFrame, Window, Windows
from vis.models._contract import plain_state, state_of
from vis.records import Frame
from vis.tracking import Stamp

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from vis.models import Model
    from vis.models._contract import State
    from vis.records import FrameTracks, Identity, Pixels


class VideoTracker:
    """A tracker to push frames into: `vis.track` turned inside out, with the same results.

    A frame comes out as soon as no later window repeats it, and no object in it is still to be
    confirmed (`Config.min_length`): often several at once after a few that gave none. With windows
    of one frame and `min_length=1`, each comes out at once.

        tracker = vis.VideoTracker("weights.safetensors", window=12)
        while running:
            for tracks in tracker.step(camera.read()):
                ...

    Args:
        model: as `vis.track` takes it.
        options: how it is tracked; the settings change single ones, as those of `vis.track`. Every
            frame is seen: `every` and `max_frames` are the caller's.
        device: as `vis.track` takes it.
        frame_rate: of frames that come as arrays, without a time, in frames per second.

    Raises:
        VisError: as `vis.track`.
    """

    @with_options
    def __init__(
        self,
        model: Model[Any] | str | os.PathLike[str] | None = None,
        *,
        options: TrackOptions = TrackOptions(),  # noqa: B008  frozen
        device: str = "auto",
        frame_rate: Fraction | float = 25,
        **settings: Any,
    ) -> None:
        options = options.updated(settings)
        if options.every != 1 or options.max_frames is not None:
            raise UsageError(
                "a camera loop chooses its frames itself", remedy="Leave every and max_frames out."
            )
        network = load_model(model)
        self.options = resolve(options, network)
        """As they were resolved for the model."""
        self.names = names_of(network)
        """Class index -> name."""
        self._predictor = self.options.predictor(network, device=device)
        self._session = self.options.session(len(self.names))
        self._windows = Windows(self.options.window, self.options.stride)
        self._detector = self.options.detector()
        self._model_state: State | None = None
        # 29.97 as a float is no multiple of anything: the nearest fraction gives exact times
        self._rate = Fraction(frame_rate).limit_denominator(1_000_000)
        self._last: Stamp | None = None
        self._over = False

    def step(self, frame: Frame | Pixels) -> list[FrameTracks]:
        """Take a frame; the frames that are settled by it, in order, often none.

        Args:
            frame: a frame, or its pixels `[H W 3]` uint8 RGB, which are then numbered and timed.

        Raises:
            UsageError: it is no such picture, has another size, or does not come after the last.
        """
        frame = frame if isinstance(frame, Frame) else self._numbered(frame)
        self._check(frame)
        self._last = Stamp(frame.index, frame.time)
        resized = resized_frame(frame, self._predictor, self._detector, pixels=False)
        buffer = self._windows.buffer
        # a window is one tensor; a camera that changes its size needs a tracker of its own
        if buffer and buffer[-1].small.shape != resized.small.shape:
            raise UsageError("the frame has another size than those before it")
        return self._linked(self._windows.add(resized))

    def finish(self) -> list[FrameTracks]:
        """The frames that are left after the last; `ended` then tells of all objects left."""
        self._over = True
        last = self._windows.finish()
        return self._linked([] if last is None else [last]) + self._session.end_shot()

    def ended(self) -> list[Identity]:
        """What is finally known of the objects that left for good since the last call.

        After `finish`, of all that are left.
        """
        return self._session.ended() + (self._session.finish() if self._over else [])

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later with the next frame, as plain values and tensors.

        The frames that are held, less than a window, are part of it at the model's size; those
        that wait for an object in them with their objects.
        """
        buffer = self._windows.buffer
        return {
            "options": self.options.state(),
            "session": self._session.state_dict(),
            "small": [frame.small for frame in buffer],
            "stamps": [_plain(frame.stamp) for frame in buffer],
            "cuts": [frame.cut for frame in buffer],
            "memory": None if self._detector is None else self._detector.memory.state(),
            "model": plain_state(self._model_state),
            "last": None if self._last is None else _plain(self._last),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was asked.

        Raises:
            UsageError: the settings are others than they were.
        """
        self.options.check_same(state["options"])
        self._session.load_state_dict(state["session"])
        rows = zip(state["stamps"], state["small"], state["cuts"], strict=True)
        buffer = [ResizedFrame(_stamp(plain), small, None, cut) for plain, small, cut in rows]
        if state["memory"] is not None:
            self._detector = self.options.detector(Memory.of(state["memory"]))
        self._windows = Windows(self.options.window, self.options.stride, buffer)
        self._model_state = state_of(state["model"])
        self._last = None if state["last"] is None else _stamp(state["last"])
        self._over = False

    def _linked(self, windows: Sequence[Window]) -> list[FrameTracks]:
        ready: list[FrameTracks] = []
        for window in windows:
            predictions, self._model_state = self._predictor.step(window, self._model_state)
            ready += self._session.step(window, predictions)
        return ready

    def _numbered(self, pixels: Pixels) -> Frame:
        index = 0 if self._last is None else self._last.index + 1
        time = Fraction(0) if self._last is None else self._last.time + 1 / self._rate
        return Frame(index, time, pixels)

    def _check(self, frame: Frame) -> None:
        pixels, last = frame.pixels, self._last
        if self._over:
            raise UsageError("the tracker has finished", remedy="Make a new one.")
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise UsageError(
                f"a frame is uint8 [H W 3], not {pixels.dtype} {list(pixels.shape)}",
                remedy="Give RGB pixels of 0..255.",
            )
        if last is not None and (frame.index <= last.index or frame.time <= last.time):
            raise UsageError(
                f"frame {frame.index} does not come after frame {last.index}",
                remedy="Give frames in order, each once.",
            )


def _plain(stamp: Stamp) -> list[int]:
    return [stamp.index, stamp.time.numerator, stamp.time.denominator]


def _stamp(plain: Sequence[int]) -> Stamp:
    index, numerator, denominator = plain
    return Stamp(index, Fraction(numerator, denominator))
