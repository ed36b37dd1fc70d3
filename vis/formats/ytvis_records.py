"""The records of a YouTube-VIS file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vis.records import Track

Extra = Mapping[str, Any]
"""Keys that we do not know, kept as they are so that a round trip loses nothing."""


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects."""

    id: int
    """As the data set states it; there may be gaps."""
    name: str
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """A video as its data set lists it."""

    id: int
    name: str
    """As stated, else the folder of the first frame, else the id; a label, never a path."""
    width: int
    height: int
    length: int
    """Number of frames."""
    file_names: tuple[str, ...]
    """One for each frame, relative to the folder of the frames."""
    extra: Extra = field(default_factory=dict)
    annotated_frames: tuple[int, ...] | None = None
    """Ascending places of the frames whose objects are annotated, None for all; what the others
    show is unknown. All places become None: one form, whoever lists them."""

    def __post_init__(self) -> None:
        if self.annotated_frames is not None and len(self.annotated_frames) == self.length:
            # a frozen record has no other way to set a field
            object.__setattr__(self, "annotated_frames", None)

    @property
    def truth_frames(self) -> Sequence[int]:
        """Ascending places of the frames whose objects are annotated."""
        return range(self.length) if self.annotated_frames is None else self.annotated_frames


@dataclass(frozen=True, slots=True)
class AnnotationSet:
    """Videos and the objects in them; of a results file, the tracks alone may be known."""

    categories: Mapping[int, Category]
    """By id."""
    videos: Mapping[int, VideoEntry]
    """By id."""
    tracks: Mapping[int, list[Track]]
    """By id of the video, in the order of the file."""
    track_extra: Mapping[int, Extra] = field(default_factory=dict)
    """By id of the track; stated boxes and areas are here only where the masks say otherwise."""
    extra: Extra = field(default_factory=dict)
    """The other top-level keys: info, licenses, ..."""

    def of(self, videos: Iterable[int]) -> AnnotationSet:
        """The same of these videos alone, in this order."""
        video_ids = list(videos)
        tracks = {key: self.tracks.get(key, []) for key in video_ids}
        ids = {track.id for video_tracks in tracks.values() for track in video_tracks}
        return replace(
            self,
            videos={key: self.videos[key] for key in video_ids},
            tracks=tracks,
            track_extra={key: keys for key, keys in self.track_extra.items() if key in ids},
        )
