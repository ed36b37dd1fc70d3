"""Published video data sets with a JSON layout of their own, each known by what its file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vis.formats.burst import burst_of, is_burst
from vis.formats.sav import is_sav, sav_of
from vis.formats.vipseg import is_vipseg, vipseg_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import AnnotationSet

VideoKind = Literal["sav", "burst", "vipseg"]


class VideoFormat(NamedTuple):
    """A format."""

    kind: VideoKind
    title: str
    fits: Callable[[object], bool]
    """Whether a JSON value is of it."""
    read: Callable[[Any, Reading], AnnotationSet]


FORMATS = (
    VideoFormat("sav", "SA-V", is_sav, sav_of),
    VideoFormat("burst", "BURST", is_burst, burst_of),
    VideoFormat("vipseg", "VIPSeg", is_vipseg, vipseg_of),
)


def video_format(value: object) -> VideoFormat | None:
    """The format of a JSON value; None of another kind."""
    return next((one for one in FORMATS if one.fits(value)), None)
