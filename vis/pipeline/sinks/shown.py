"""A frame with its objects, and what all sinks need of them: made once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vis.pipeline.encoding import encoded
from vis.video.cutouts import cut
from vis.video.drawing import DEFAULT, DrawStyle, draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.index_pictures import Numbers
    from vis.records import RLE, Frame, FrameTracks, VideoInfo


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame on its way to the sinks."""

    frame: Frame
    tracks: FrameTracks
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    style: DrawStyle = DEFAULT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame."""
        return self.info.width, self.info.height

    @cached_property
    def drawn(self) -> Frame:
        """The frame with its objects drawn on it."""
        return draw(self.frame, self.tracks, names=self.names, style=self.style)

    @cached_property
    def rles(self) -> list[RLE | None]:
        """The mask of each object at the size of the frame; None where it has no pixel."""
        return encoded(self.tracks, self.info)

    @cached_property
    def painted(self) -> Numbers:
        """`[H W]` the row of each pixel's object, from 1; the surest object is on top."""
        width, height = self.size
        numbers = np.zeros((height, width), np.uint16)
        for row in np.lexsort((-self.tracks.ids, self.tracks.scores)):
            cutout = cut(self.tracks.masks[row], width, height)
            if cutout is not None:
                x0, y0, x1, y1 = cutout.box
                numbers[y0:y1, x0:x1][cutout.inside] = row + 1
        return numbers
