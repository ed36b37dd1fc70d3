"""A model at work on windows: size, device, precision, and less at once when memory ends."""

from __future__ import annotations

import copy
import sys
import warnings
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from vis.datasets.raw_clip import raw_clip, resized
from vis.datasets.transforms import size_for
from vis.errors import DeviceError, VisWarning
from vis.models._contract import OnlineModel, State
from vis.ops.transfer import tf32_products, to_host
from vis.records import Clip, ClipPredictions
from vis.video.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from vis.inference.windows import Window
    from vis.models import Model
    from vis.records import Pixels

Said = TypeVar("Said")

PRECISIONS = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_CHUNK_DIVISOR = 4
"""How many times less a model computes at once after its memory ended."""


class Predictor:
    """Frames to predictions.

    Windows of one batch share nothing: what is said of one does not depend on the others.

    Args:
        model: put into eval mode and onto the device.
        length: frames of a window; shorter ones repeat their last frame.
        short: pixels of the short side that the model sees.
        longest: pixels that the long side may have at most.
        squeezed: height and width that all frames come to, in place of these two.
        bicubic: whether frames are resized so, as some published models were shown them.
        device: where to compute.
        precision: one of `PRECISIONS`; the last two compute in half precision.
        compile: whether the first window of a shape waits for the model to be compiled for it.
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
        squeezed: tuple[int, int] | None = None,
        bicubic: bool = False,
        compile: bool = False,  # noqa: A002  the option's name
    ) -> None:
        self._model = model.eval().to(device)
        self.is_online = isinstance(model, OnlineModel)
        """Whether windows must be given one after the other, to `step`."""
        # beside the model, which stays its owner's as it was; windows have one shape
        self._forward = torch.compile(self._model, dynamic=False) if compile else self._model
        self._length, self._short, self._longest = length, short, longest
        self._squeezed, self._bicubic = squeezed, bicubic
        self._device, self._dtype = device, PRECISIONS[precision]
        self._tf32 = precision == "tf32"
        self._max_batch = sys.maxsize
        # two windows are on the way at most: one at the model, one being gathered
        self._pool = Pool(2 * length)
        self._frames = torch.empty(0)

    @property
    def is_side_by_side(self) -> bool:
        """Whether two of it, on half of the processors each, are faster than one on all."""
        single = self._length == 1 and self._device.type == "cpu" and not self._tf32
        return self._model.side_by_side and single and torch.get_num_threads() > 1

    def twin(self) -> Predictor:
        """The same model in memory of its own for windows, to be used at the same time."""
        twin = copy.copy(self)
        twin._frames = torch.empty(0)
        return twin

    def resize(self, pixels: Pixels) -> Tensor:
        """`[H W 3]` -> `[3 h w]` uint8 as training showed them."""
        # torch warns of memory that it could write to but must not
        owned = pixels if pixels.flags.writeable else pixels.copy()
        frames = torch.from_numpy(owned).permute(2, 0, 1)[None]
        size = (pixels.shape[0], pixels.shape[1])
        # at once where the model would squash it anyway: resampled twice, it would blur
        fixed = self._squeezed or self._model.input_size
        height, width = fixed or size_for(size, self._short, self._longest)
        small = resized(
            raw_clip(frames, ()),
            height,
            width,
            antialias=self._model.antialias,
            bicubic=self._bicubic,
        ).frames[0]
        # in memory of its own: a view of the picture would hold its pixels, or change with them
        room = torch.from_numpy(self._pool.empty((*small.shape[1:], 3))).permute(2, 0, 1)
        return room.copy_(small)

    def predict(self, windows: Sequence[Window]) -> list[ClipPredictions]:
        """What the model says of each window, its masks over all `length` frames.

        Where the GPU's memory ends, the same is computed in smaller parts, with a warning.

        Raises:
            DeviceError: its memory does not suffice for one window in the smallest parts.
        """
        # a batch that was too large once is never tried again: each failure costs a whole forward
        while len(windows) <= self._max_batch:
            predictions = _attempt(partial(self._predictions, windows))
            # not in `except`: its traceback would hold all that the failed forward computed
            if not isinstance(predictions, torch.OutOfMemoryError):
                return predictions
            self._compute_less(windows, predictions)
        return [one for window in windows for one in self.predict([window])]

    def step(self, window: Window, state: State | None) -> tuple[ClipPredictions, State | None]:
        """What the model says of the next window, and what it carries on to the one after it.

        A model that carries nothing on says what `predict` says.

        Args:
            window: the next one; at a cut the model begins anew.
            state: after the window before; None at the beginning.

        Raises:
            DeviceError: as `predict`.
        """
        if not isinstance(self._model, OnlineModel):
            return self.predict([window])[0], None
        before = None if window.cut else state
        while True:
            said = _attempt(partial(self._following, self._model, window, before))
            if not isinstance(said, torch.OutOfMemoryError):
                return said
            self._compute_less([window], said)

    def _compute_less(self, windows: Sequence[Window], error: torch.OutOfMemoryError) -> None:
        if len(windows) > 1:
            self._max_batch = 1
            _warn(f"{len(windows)} windows at once", "from here on they go one by one")
        elif reduce_chunk(self._model):
            _warn("a window", "it is computed again in smaller parts")
        else:
            height, width = windows[0].frames[0].small.shape[1:]
            raise DeviceError(
                f"the memory of {self._device} ended at a window of {self._length} frames of"
                f" {width} x {height}",
                done="What was tracked before is kept.",
                remedy="Take a smaller size, a shorter window, or precision bf16.",
            ) from error

    @torch.inference_mode()
    def _predictions(self, windows: Sequence[Window]) -> list[ClipPredictions]:
        clip = self._clip([self._padded(window) for window in windows])
        with tf32_products(self._tf32), self._autocast():
            predictions = self._model.predictions(self._forward(clip), clip)
        return _on_host(predictions)

    @torch.inference_mode()
    def _following(
        self, model: OnlineModel[Any], window: Window, state: State | None
    ) -> tuple[ClipPredictions, State]:
        # never filled up: what is carried on would have seen a frame several times
        clip = self._clip([[frame.small for frame in window.frames]])
        with tf32_products(self._tf32), self._autocast():
            output, after = model.step(clip, state)
            predictions = model.query_predictions(output, clip)
        return _on_host(predictions)[0], after

    def _autocast(self) -> torch.autocast:
        # weights stay in fp32: autocast rounds what each operation reads, so one model serves both
        return torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None)

    def _clip(self, windows: Sequence[list[Tensor]]) -> Clip:
        """`[B T 3 h w]` 0..1, in memory that the next windows use again."""
        small = [one for window in windows for one in window]
        shape = (len(windows), len(windows[0]), *small[0].shape)
        # kept between windows: a fresh one each time would be mapped and zeroed by the system
        if self._frames.shape[1:] != shape[1:] or len(self._frames) < len(windows):
            self._frames = torch.empty(shape, device=self._device)
        frames = self._frames[: len(windows)]
        if self._device.type == "cuda":
            # pinned, so that the copy to a GPU goes on while the host does; torch's allocator gives
            # no memory out again that a copy still reads
            pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
            torch.stack(small, out=pixels.flatten(0, 1))
            # bytes cross and become fractions there: a quarter of the traffic of floats
            torch.div(pixels.to(self._device, non_blocking=True), 255, out=frames)
        else:  # gathered where they become fractions, without a copy between
            for frame, one in zip(frames.flatten(0, 1), small, strict=True):
                torch.div(one.to(self._device), 255, out=frame)
        return Clip(frames, torch.tensor([frames.shape[-2:]] * len(windows)))

    def _padded(self, window: Window) -> list[Tensor]:
        """`T` times `[3 h w]`."""
        small = [frame.small for frame in window.frames]
        # the published models were trained on whole clips; a short one repeats its last frame
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
        # a device may exist by name and still not answer; an empty tensor asks it
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).splitlines()[0]
        raise DeviceError(
            f"there is no device {name!r} here ({cause})", remedy="Take auto or cpu."
        ) from None
    return device


def reduce_chunk(model: Model[Any]) -> bool:
    """Make the model compute less at once, with the same results; whether that can be.

    It is changed in place: a second one would need the memory that has just ended.
    """
    chunk = getattr(model.config, "chunk", 1)
    if chunk <= 1:
        return False
    model.set_chunk(max(1, chunk // _CHUNK_DIVISOR))
    return True


def _attempt(compute: Callable[[], Said]) -> Said | torch.OutOfMemoryError:
    try:
        return compute()
    except torch.OutOfMemoryError as error:
        return error.with_traceback(None)


def _on_host(predictions: Sequence[ClipPredictions]) -> list[ClipPredictions]:
    """In single precision in the host's memory, as the tracker and all that follows expect.

    All in one go: the tracker asks each mask for its place, and would wait for a GPU each time.
    """
    names = [field.name for field in fields(ClipPredictions)]
    moved = iter(to_host([getattr(one, name) for one in predictions for name in names]))
    values: list[dict[str, Any]] = [{name: next(moved) for name in names} for _ in predictions]
    return [ClipPredictions(**one) for one in values]


def _warn(what: str, done: str) -> None:
    warnings.warn(f"the GPU's memory ended at {what}; {done}", VisWarning, stacklevel=4)
