"""A model at work on windows: size, device, precision, and what to do when memory ends."""

from __future__ import annotations

import sys
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch

from vis.datasets.raw_clip import raw_clip, resized
from vis.datasets.transforms import size_for
from vis.errors import DeviceError, UsageError, VisWarning
from vis.records import Clip, ClipPredictions
from vis.video.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.models import Model
    from vis.pipeline.windows import Window
    from vis.records import Pixels

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_THRIFT = 4
"""How many times less a model computes at once after its memory ended."""


class Looker:
    """Frames to predictions.

    Windows of one batch share nothing: what is said of one does not depend on the others.

    Args:
        model: put into eval mode and onto the device.
        length: frames of a window; shorter ones repeat their last frame.
        short: pixels of the short side that the model sees.
        longest: pixels that the long side may have at most.
        device: where to compute.
        precision: one of `PRECISIONS`; all but the first compute in half precision.
    """

    def __init__(
        self,
        model: Model[Any],
        *,
        length: int,
        short: int,
        longest: int,
        device: torch.device,
        precision: str = "fp32",
    ) -> None:
        self._model = model.eval().to(device)
        self._length, self._short, self._longest = length, short, longest
        self._device, self._dtype = device, PRECISIONS[precision]
        self._most = sys.maxsize  # windows at once
        self._pool = Pool(2 * length)
        self._frames = torch.empty(0)

    def small(self, pixels: Pixels) -> Tensor:
        """`[H W 3]` -> `[3 h w]` uint8 as training showed them: bilinear, antialiased."""
        owned = pixels if pixels.flags.writeable else pixels.copy()
        frames = torch.from_numpy(owned).permute(2, 0, 1)[None]
        height, width = size_for((pixels.shape[0], pixels.shape[1]), self._short, self._longest)
        small = resized(raw_clip(frames, ()), height, width).frames[0]
        # in memory of its own: a view of the picture would hold its pixels, or change with them
        room = torch.from_numpy(self._pool.empty((*small.shape[1:], 3))).permute(2, 0, 1)
        return room.copy_(small)

    def look(self, windows: Sequence[Window]) -> list[ClipPredictions]:
        """What the model says of each window, its masks over all `length` frames.

        Where the GPU's memory ends, the same is computed in smaller parts, with a warning.

        Raises:
            DeviceError: its memory does not suffice for one window in the smallest parts.
        """
        while len(windows) <= self._most:
            predictions = self._attempt(windows)
            # not in `except`: its traceback would hold all that the failed forward computed
            if not isinstance(predictions, torch.OutOfMemoryError):
                return predictions
            self._compute_less(windows, predictions)
        return [one for window in windows for one in self.look([window])]

    def _attempt(self, windows: Sequence[Window]) -> list[ClipPredictions] | torch.OutOfMemoryError:
        try:
            return self._predictions(windows)
        except torch.OutOfMemoryError as error:
            return error.with_traceback(None)

    def _compute_less(self, windows: Sequence[Window], error: torch.OutOfMemoryError) -> None:
        if len(windows) > 1:
            self._most = 1
            _say(f"{len(windows)} windows at once", "from here on they are looked at one by one")
        elif in_smaller_parts(self._model):
            _say("a window", "it is looked at again in smaller parts")
        else:
            height, width = windows[0].seen[0].small.shape[1:]
            raise DeviceError(
                f"the memory of {self._device} ended at a window of {self._length} frames of"
                f" {width} x {height}",
                done="What was tracked before is kept.",
                remedy="Take a smaller size, a shorter window, or precision bf16.",
            ) from error

    @torch.inference_mode()
    def _predictions(self, windows: Sequence[Window]) -> list[ClipPredictions]:
        frames = self._gathered(windows)
        sizes = torch.tensor([frames.shape[-2:]] * len(windows))
        clip = Clip(frames, sizes.to(self._device))
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
            found = self._model.predictions(self._model(clip), clip)
        return [_plain(one) for one in found]

    def _gathered(self, windows: Sequence[Window]) -> Tensor:
        """`[B T 3 h w]` 0..1, in memory that the next windows use again."""
        small = [one for window in windows for one in self._padded(window)]
        shape = (len(windows), self._length, *small[0].shape)
        if self._frames.shape[1:] != shape[1:] or len(self._frames) < len(windows):
            self._frames = torch.empty(shape, device=self._device)
        frames = self._frames[: len(windows)]
        for place, one in zip(frames.flatten(0, 1), small, strict=True):
            torch.div(one.to(self._device), 255, out=place)
        return frames

    def _padded(self, window: Window) -> list[Tensor]:
        """`T` times `[3 h w]`."""
        small = [seen.small for seen in window.seen]
        return small + small[-1:] * (self._length - len(small))


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is a GPU where there is one.

    Raises:
        DeviceError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).splitlines()[0]
        raise DeviceError(
            f"there is no device {name!r} here ({cause})", remedy="Take auto or cpu."
        ) from None
    return device


def in_smaller_parts(model: Model[Any]) -> bool:
    """Make the model compute less at once, with the same results; whether that can be.

    It is changed in place: a second one would need the memory that has just ended.
    """
    chunk = getattr(model.config, "chunk", 1)
    if chunk <= 1:
        return False
    model.set_chunk(max(1, chunk // _THRIFT))
    return True


def check_precision(name: str) -> None:
    """Refuse an unknown precision.

    Raises:
        UsageError: naming those that there are.
    """
    if name not in PRECISIONS:
        raise UsageError(f"no precision {name!r}", remedy=f"One of: {', '.join(PRECISIONS)}.")


def _plain(found: ClipPredictions) -> ClipPredictions:
    """In single precision, as the tracker and all that follows expect."""
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    for name, value in values.items():
        if value is not None and value.is_floating_point():
            values[name] = value.float()
    return ClipPredictions(**values)


def _say(what: str, done: str) -> None:
    warnings.warn(f"the GPU's memory ended at {what}; {done}", VisWarning, stacklevel=4)
