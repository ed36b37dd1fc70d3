"""Videos and objects as annotation tools list them, by names: numbered once all are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
from vis.records import Track

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from vis.records import RLE

NO_AREA = "{} points, lines, tags and the like cover no area: they are left out"


class Opened(NamedTuple):
    """What a reader makes of a path."""

    annotations: AnnotationSet
    frames: Path | None
    """The folder that the file names are relative to, where it was found."""


class _Object(NamedTuple):
    video: int
    label: str
    masks: Mapping[int, RLE]
    crowd: bool
    box_only: bool
    extra: Extra


@dataclass(slots=True)
class Gathering:
    """A set in the making; videos and tracks are numbered from 1 as they come."""

    names: Iterable[str] = ()
    """Categories whose order is stated; others follow by name."""
    videos: dict[int, VideoEntry] = field(default_factory=dict)
    objects: list[_Object] = field(default_factory=list)

    def add_video(
        self,
        name: str,
        size: tuple[int, int],
        file_names: Iterable[str],
        annotated: tuple[int, ...] | None = None,
    ) -> VideoEntry:
        """A new video of (height, width) = `size`; `annotated` are the places of its frames."""
        height, width = size
        names = tuple(file_names)
        id_, length = len(self.videos) + 1, len(names)
        video = VideoEntry(id_, name, width, height, length, names, annotated_frames=annotated)
        self.videos[video.id] = video
        return video

    def add_object(
        self,
        video: VideoEntry,
        label: str,
        masks: Mapping[int, RLE],
        *,
        crowd: bool = False,
        box_only: bool = False,
        extra: Extra | None = None,
    ) -> None:
        """A new object by the name of its category."""
        self.objects.append(_Object(video.id, label, masks, crowd, box_only, extra or {}))

    def annotation_set(self, first_id: int = 1) -> AnnotationSet:
        """All of it; categories are numbered from `first_id`."""
        stated = dict.fromkeys(self.names)
        others = sorted({one.label for one in self.objects} - stated.keys())
        ids = {name: id_ for id_, name in enumerate([*stated, *others], first_id)}
        tracks: dict[int, list[Track]] = {id_: [] for id_ in self.videos}
        extra: dict[int, Extra] = {}
        for id_, one in enumerate(self.objects, 1):
            masks = dict(sorted(one.masks.items()))
            tracks[one.video].append(
                Track(id_, ids[one.label], 1.0, masks, one.crowd, one.box_only)
            )
            if one.extra:
                extra[id_] = one.extra
        categories = {id_: Category(id_, name) for name, id_ in ids.items()}
        return AnnotationSet(categories, self.videos, tracks, extra)


def notes_of(counts: Counter[str]) -> tuple[str, ...]:
    """Each note with its count."""
    return tuple(template.format(count) for template, count in counts.items() if count)
