"""`vis.Result`: all tracks of a video, to be saved, shown and given to other tools."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.formats.coco import coco_value
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.formats.ytvis_values import results_value
from vis.outputs.encoding import encoded
from vis.records import Track

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from vis.inference.stream import Tracking
    from vis.records import RLE, Identity, VideoInfo
    from vis.video.damage import ReadReport


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The objects of one video, with masks as run lengths at its size.

    Labels are class indices. Files have category ids, which are one more, as data sets count,
    unless a method is given others.
    """

    tracks: list[Track]
    """By id; class and score are those of the end, masks those of frames that showed the object."""
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    times: Mapping[int, Fraction]
    """Index of each frame that was looked at -> its time in seconds."""
    length: int
    """Frames of the video as far as it was read; those not looked at count too."""
    identities: Mapping[int, Identity]
    """By id of the track, with the probabilities of all classes."""
    report: ReadReport
    """What was lost in reading."""

    def __len__(self) -> int:
        return len(self.tracks)

    def save(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,  # noqa: A002 - the word of every library that saves
        *,
        ids: Sequence[int] | None = None,
        source: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the tracks.

        Args:
            path: of the file, or of the folder for `davis` and `mots`.
            format: `json` (YouTube-VIS results), `coco`, `csv`, `davis`, `mots` or `video`; None
                for that of the suffix: .json, .coco.json, .csv, and those of videos.
            ids: category id of each class index; None for one more than the index.
            source: the video to draw on, where it is not where it was.
            overwrite: whether a file that is there may be replaced.

        Raises:
            UsageError: no format has this suffix or name.
            OutputExistsError: `path` is there and `overwrite` is not set.
            OutputError: it cannot be written.
            DataError: the format cannot hold so many objects.
            InputError, VideoError: the video to draw on cannot be read again.
        """
        from vis.outputs.saving import write

        write(self, Path(path), format, ids=ids, source=source, overwrite=overwrite)

    def to_ytvis(self, video_id: int = 1, ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """The list of a YouTube-VIS results file."""
        tracks = [replace(track, label=_id(track.label, ids)) for track in self.tracks]
        return results_value({video_id: tracks}, {video_id: self.length})

    def to_coco(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """The object of a COCO file with videos: a picture a frame, with scores."""
        return coco_value(self.annotations(ids))

    def to_supervision(self) -> Iterator[tuple[int, Any]]:
        """Index of each frame that was looked at and its `supervision.Detections`.

        Raises:
            DeviceError: the library is not installed.
        """
        from vis.outputs.supervision import detections

        return detections(self)

    def annotations(self, ids: Sequence[int] | None = None) -> AnnotationSet:
        """One video with its tracks, as all writers of `vis.formats` take it."""
        name = _plain_name(self.info.name)
        entry = VideoEntry(
            id=1,
            name=name,
            width=self.info.width,
            height=self.info.height,
            length=self.length,
            file_names=tuple(f"{name}/{index:05d}.jpg" for index in range(self.length)),
        )
        categories = [Category(_id(index, ids), name) for index, name in self.names.items()]
        return AnnotationSet(
            categories={category.id: category for category in categories},
            videos={1: entry},
            tracks={1: [replace(track, label=_id(track.label, ids)) for track in self.tracks]},
            track_extra={track.id: {"score": track.score} for track in self.tracks},
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the objects, and some frames where they can be read."""
        from vis.outputs.notebook import page

        return page(self)


def collected(tracking: Tracking) -> Result:
    """All that a tracking gives; its memory grows with the video, by run lengths alone."""
    masks: dict[int, dict[int, RLE]] = defaultdict(dict)
    times: dict[int, Fraction] = {}
    identities: dict[int, Identity] = {}
    for frame in tracking:
        times[frame.index] = frame.time
        for identity, mask in zip(frame.ids.tolist(), encoded(frame, tracking.info), strict=True):
            if mask is not None:
                masks[identity][frame.index] = mask
        identities |= {one.id: one for one in tracking.ended()}
    identities |= {one.id: one for one in tracking.ended()}
    kept = {key: identities[key] for key in sorted(masks) if key in identities}
    return Result(
        tracks=[Track(key, one.label, float(one.score), masks[key]) for key, one in kept.items()],
        info=tracking.info,
        names=tracking.names,
        times=times,
        length=tracking.length,
        identities=kept,
        report=tracking.report,
    )


def _id(label: int, ids: Sequence[int] | None) -> int:
    return label + 1 if ids is None else ids[label]


def _plain_name(name: str) -> str:
    """Of the source, fit for the name of a folder."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem).strip("._") or "video"
