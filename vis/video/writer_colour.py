"""RGB pixels -> the pictures that encoders take, in the colours that the source states."""

from __future__ import annotations

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from vis.records import Colour, Pixels, VideoInfo

_UNSPECIFIED = 2
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    _UNSPECIFIED: Colorspace.ITU601,  # what FFmpeg, and so our reader, takes it for
}
"""The matrices of ITU-T H.273 that swscale can convert to."""

_BT709 = Colour(matrix=1, primaries=1, transfer=1)
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def stated_colour(info: VideoInfo | None) -> Colour:
    """How the output codes and labels its colour: as its source did, but always limited range.

    What an unlabelled video leaves unsaid stays unsaid, so that a player shows both alike. A source
    of RGB, or of a matrix that cannot be written, becomes BT.709.
    """
    if info is None or (
        info.colour.matrix == _UNSPECIFIED and info.pixel_format.startswith(("rgb", "bgr", "pal"))
    ):
        return _BT709
    colour = info.colour
    matrix = colour.matrix if colour.matrix in _MATRICES else _BT709.matrix
    return Colour(matrix, colour.primaries, colour.transfer)


class Yuv420:
    """RGB to 4:2:0 of limited range.

    Args:
        matrix: of `stated_colour`.
    """

    pixel_format = "yuv420p"

    def __init__(self, matrix: int) -> None:
        self._matrix = _MATRICES[matrix]
        self._reformatter = VideoReformatter()

    def __call__(self, pixels: Pixels) -> VideoFrame:
        """`pixels` `[H W 3]` with even sides; they are not referred to afterwards."""
        return self._reformatter.reformat(
            VideoFrame.from_numpy_buffer(pixels, "rgb24"),
            format=self.pixel_format,
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
        )


class Palette:
    """RGB to 256 colours chosen anew for every picture.

    Args:
        width: of every picture.
        height: of every picture.
    """

    pixel_format = "pal8"

    def __init__(self, width: int, height: int) -> None:
        self._graph = graph = Graph()
        size = f"video_size={width}x{height}:pix_fmt=rgb24:time_base=1/100"
        source = graph.add("buffer", size)
        split = graph.add("split")
        choose = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        # an ordered dither stands still where the picture does; diffused errors would swarm
        use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=5")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(choose, 1, 0)
        choose.link_to(use, 0, 1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        self._count = 0

    def __call__(self, pixels: Pixels) -> VideoFrame:
        """`pixels` `[H W 3]`; they are not referred to afterwards."""
        frame = VideoFrame.from_ndarray(pixels, "rgb24")
        frame.pts = self._count  # the filters want rising times; the writer sets the true one
        self._count += 1
        self._graph.push(frame)
        quantised = self._graph.pull()
        assert isinstance(quantised, VideoFrame)
        return quantised


def even(pixels: Pixels) -> Pixels:
    """`pixels` with the last row or column repeated where a side is odd, as 4:2:0 needs."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
