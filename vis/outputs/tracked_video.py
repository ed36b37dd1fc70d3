"""All objects of one video, compressed: what a result holds, apart from its verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vis.outputs.video_name import video_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from vis.outputs.frame_result import CompressedFrame
    from vis.records import Identity, Track, VideoInfo
    from vis.video.damage import ReadReport


@dataclass(frozen=True, slots=True, eq=False)
class TrackedVideo:
    """The objects of one video, with masks as run lengths at its size.

    Labels are class indices. Files have category ids, which are COCO's for COCO's classes and else
    one more, as data sets count, unless a method is given others.
    """

    tracks: list[Track]
    """By id; class and score are those of the end, masks those of frames that showed the object."""
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    frames: tuple[CompressedFrame, ...]
    """Each frame that the model saw, with what was known of its objects when it came out."""
    length: int
    """Frames of the video as far as it was read; those the model did not see count too."""
    identities: Mapping[int, Identity]
    """By id of the track, with the probabilities of all classes."""
    report: ReadReport
    """What was lost in reading."""

    @property
    def times(self) -> dict[int, Fraction]:
        """Index of each frame that the model saw -> its time in seconds."""
        return {frame.tracks.index: frame.tracks.time for frame in self.frames}

    @property
    def video_name(self) -> str:
        """Name of the video inside files."""
        return video_name(self.info.name)
