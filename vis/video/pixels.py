"""Decoded pictures as RGB arrays of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from av.error import FFmpegError
from PIL import Image

from vis.errors import VideoError
from vis.video.limits import letterbox

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vis.records import Pixels


def rgb(frame: VideoFrame, *, where: str) -> Pixels:
    """`[H W 3]` by the colour matrix and range that the frame states (unstated: BT.601, limited).

    Raises:
        VideoError: the picture cannot be converted; `where` names the source.
    """
    try:
        # one way for training and use: of 10-bit video, readers make RGB 2 to 3 levels apart
        array = frame.to_ndarray(format="rgb24")
    except (FFmpegError, ValueError) as error:
        what = f"a decoded {frame.format.name} picture cannot be converted ({error})"
        raise VideoError(what, where=where, remedy="Free memory, or convert the video") from error
    assert array.dtype == np.uint8
    return array  # type: ignore[return-value]


def fit_into(pixels: Pixels, width: int, height: int) -> Pixels:
    """`[H W 3]` scaled into `[height width 3]` with its shape kept, black around it."""
    if pixels.shape[:2] == (height, width):
        return pixels
    left, top, w, h = letterbox(pixels.shape[1], pixels.shape[0], into=(width, height))
    small = Image.fromarray(pixels).resize((w, h), Image.Resampling.BILINEAR)
    out = np.zeros((height, width, 3), np.uint8)
    out[top : top + h, left : left + w] = np.asarray(small)
    return out
