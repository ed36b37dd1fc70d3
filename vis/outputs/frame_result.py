"""A frame with its objects, and what all sinks need of them: made once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vis.outputs.encoding import run_lengths
from vis.video.cutouts import cut
from vis.video.drawing import DEFAULT, DrawStyle, draw_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.index_pictures import Numbers
    from vis.records import RLE, Frame, FrameTracks, VideoInfo
    from vis.video.cutouts import Cutout


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
    def cutouts(self) -> list[Cutout | None]:
        """The pixels of each object in the frame; None where it has none."""
        return [cut(mask, *self.size) for mask in self.tracks.masks]

    @cached_property
    def areas(self) -> list[int]:
        """How many pixels each object has."""
        return [0 if one is None else int(np.count_nonzero(one.inside)) for one in self.cutouts]

    @cached_property
    def drawn(self) -> Frame:
        """The frame with its objects drawn on it: on its own pixels, which nobody else needs."""
        draw_on(
            self.frame.pixels,
            self.tracks,
            names=self.names,
            style=self.style,
            cutouts=self.cutouts,
        )
        return self.frame

    @cached_property
    def rles(self) -> list[RLE | None]:
        """The mask of each object at the size of the frame; None where it has no pixel."""
        return run_lengths(self.cutouts, *self.size)

    @cached_property
    def painted(self) -> Numbers:
        """`[H W]` the row of each pixel's object, from 1; the surest object is on top."""
        width, height = self.size
        numbers = np.zeros((height, width), np.uint16)
        for row in np.lexsort((-self.tracks.ids, self.tracks.scores)):
            cutout = self.cutouts[row]
            if cutout is not None:
                x0, y0, x1, y1 = cutout.box
                numbers[y0:y1, x0:x1][cutout.inside] = row + 1
        return numbers
