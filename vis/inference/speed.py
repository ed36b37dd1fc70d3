"""How many frames a second a model sees on this machine."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch

from vis.inference.options import TrackOptions
from vis.inference.resolved_options import resolve
from vis.inference.windows import ResizedFrame, Window
from vis.tracking import Stamp

if TYPE_CHECKING:
    from vis.models import Model

_LONG = 5.0
"""Seconds from which a window is not computed twice."""


def frames_per_second(model: Model[Any], *, device: str = "auto") -> float:
    """New frames that `model` sees in a second, in windows and at a size as `vis.track` chooses.

    Decoding, tracking and drawing, which go on beside it, are not counted.

    Args:
        model: put onto the device; how good its weights are does not matter.
        device: as for `vis.track`.

    Raises:
        DeviceError: there is no such device, or its memory does not suffice.
    """
    options = resolve(TrackOptions(), model)
    predictor = options.predictor(model, device=device)
    draw = torch.Generator().manual_seed(0)
    shape = (3, options.short, options.longest)
    frames = [
        ResizedFrame(
            Stamp(index, Fraction(index)),
            torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8),
            None,
        )
        for index in range(options.window)
    ]
    seconds = _LONG
    for _ in range(2):  # the first is slower: memory is taken, kernels are chosen
        begin = time.perf_counter()
        predictor.step(Window(tuple(frames), options.stride, options.stride), None)
        seconds = time.perf_counter() - begin
        if seconds > _LONG:
            break
    return options.stride / seconds
