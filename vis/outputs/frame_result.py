"""A frame with its objects, and what all sinks need of them: made once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from vis.ops import rle
from vis.outputs.encoding import run_lengths
from vis.tracking.confirmation import rows_of
from vis.video.cutouts import cut
from vis.video.drawing import DEFAULT, DrawStyle, draw_on

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from vis.formats.index_pictures import Numbers
    from vis.records import RLE, Frame, FrameTracks, VideoInfo
    from vis.video.cutouts import Cutout


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One frame on its way to the sinks."""

    frame: Frame
    """Its pixels are drawn on; sinks that draw nothing do without them."""
    tracks: FrameTracks
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    style: DrawStyle = DEFAULT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame in pixels."""
        return self.info.width, self.info.height

    @cached_property
    def cutouts(self) -> list[Cutout | None]:
        """The pixels of each object in the frame; None where it has none."""
        return [cut(mask, *self.size) for mask in self.tracks.masks]

    @cached_property
    def areas(self) -> list[int]:
        """Number of pixels of each object."""
        return [0 if one is None else int(np.count_nonzero(one.inside)) for one in self.cutouts]

    @cached_property
    def annotated(self) -> Frame:
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
    def index_map(self) -> Numbers:
        """`[H W]` the row of each pixel's object, from 1; the surest object is on top."""
        width, height = self.size
        rows = np.zeros((height, width), np.uint16)
        # 16 bits: a byte would wrap at 256 objects; of equal scores, the older object is on top
        for row in np.lexsort((-self.tracks.ids, self.tracks.scores)):
            cutout = self.cutouts[row]
            if cutout is not None:
                x0, y0, x1, y1 = cutout.box
                rows[y0:y1, x0:x1][cutout.inside] = row + 1
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class CompressedFrame:
    """The objects of one frame with masks as run lengths, as a whole video is kept in memory."""

    tracks: FrameTracks
    """Without masks: `[N 0 0]`."""
    rles: tuple[RLE | None, ...]
    """`N` masks at the size of the frame; None where an object has no pixel."""

    @classmethod
    def of(cls, tracks: FrameTracks, rles: Sequence[RLE | None]) -> CompressedFrame:
        """The same without the masks at the model's resolution."""
        # the soft masks are what fills memory: 100 objects of 90 x 160 are 6 MB a frame
        none = np.zeros((len(tracks), 0, 0), np.bool_)
        return cls(replace(tracks, masks=none), tuple(rles))

    def only(self, ids: Collection[int]) -> CompressedFrame:
        """The same frame with the objects of these numbers."""
        rows = np.isin(self.tracks.ids, list(ids))
        return CompressedFrame(rows_of(self.tracks, rows), tuple(compress(self.rles, rows)))


@dataclass(frozen=True, eq=False)
class ReplayedFrame(FrameResult):
    """A frame that was compressed; run lengths lose no pixel, so sinks write the same of it."""

    codes: tuple[RLE | None, ...] = ()
    """The masks, as `CompressedFrame.rles`."""

    @cached_property
    def rles(self) -> list[RLE | None]:
        """As `FrameResult.rles`."""
        return list(self.codes)

    @cached_property
    def areas(self) -> list[int]:
        """As `FrameResult.areas`."""
        return [0 if code is None else rle.area(code) for code in self.codes]

    @cached_property
    def cutouts(self) -> list[Cutout | None]:
        """As `FrameResult.cutouts`."""
        return [None if code is None else cut(rle.decode(code), *self.size) for code in self.codes]
