"""CocoVID: COCO files whose pictures are frames of videos and whose objects have lasting ids.

A picture has `video_id` and `frame_id`, an annotation `instance_id`; TAO's names for the same,
`frame_index` and `track_id`, are read too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import beyond, integer, json_list, json_object, known_id, text
from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.reading import Reading
    from vis.records import RLE, Track

_FRAME = ("frame_id", "frame_index")
_INSTANCE = ("instance_id", "track_id")
_OF_PICTURE = {*_FRAME, "video_id"}
_OF_OBJECT = {*_INSTANCE, "video_id"}
_OF_VIDEO = {"id", "name", "width", "height"}
_OF_MASK = {"bbox", "area", "bboxes", "areas"}
"""Said by the masks; where it was stated otherwise, that is not carried over."""


@dataclass(frozen=True, slots=True)
class _Video:
    id: int
    name: str
    extra: Extra


@dataclass(slots=True)
class _Life:
    """One object, gathered frame by frame."""

    video_id: int
    instance: int
    first: Track
    masks: dict[int, RLE] = field(default_factory=dict)
    said: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Frame -> the other keys."""


def together(pictures: AnnotationSet, reading: Reading) -> AnnotationSet:
    """Videos from single pictures that name theirs; `pictures.extra` holds the list `videos`.

    Where two videos use the same instance id, all are numbered anew.

    Raises:
        DataError: a record is faulty and `reading` does not collect it.
    """
    named = reading.by_id(json_list(pictures.extra, "videos"), "videos", _video)
    frames = _frames(pictures, named, reading)
    videos = {
        video_id: _entry(named[video_id], [pictures.videos[key] for key in keys])
        for video_id, keys in frames.items()
    }
    places = {key: (v, place) for v, keys in frames.items() for place, key in enumerate(keys)}
    lives = _lives(pictures, places, reading)
    instances = [life.instance for life in lives]
    fresh = count(1) if len(set(instances)) < len(instances) else None
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in videos}
    extra: dict[int, Extra] = {}
    for life in lives:
        track_id = life.instance if fresh is None else next(fresh)
        track = replace(life.first, id=track_id, masks=dict(sorted(life.masks.items())))
        tracks[life.video_id].append(track)
        extra[track_id] = _gathered(life, videos[life.video_id].length)
    return AnnotationSet(
        categories=pictures.categories,
        videos=videos,
        tracks=tracks,
        track_extra={key: keys for key, keys in extra.items() if keys},
        extra=beyond(pictures.extra, {"videos"}),
    )


def apart(annotation_set: AnnotationSet) -> AnnotationSet:
    """Every frame as a picture of its own that names its video; `together` undoes it."""
    pictures: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    extra: dict[int, Extra] = {}
    ids = count(1)
    for video in annotation_set.videos.values():
        found = annotation_set.tracks.get(video.id, [])
        for frame, name in enumerate(video.file_names):
            picture_id = len(pictures) + 1
            keys = {
                **_of_place(video.extra, "images", frame),
                "video_id": video.id,
                "frame_id": frame,
            }
            entry = replace(video, id=picture_id, name=name, length=1, file_names=(name,))
            pictures[picture_id] = replace(entry, extra=keys)
            tracks[picture_id] = []
            for track in found:
                if frame in track.masks:
                    one = replace(track, id=next(ids), masks={0: track.masks[frame]})
                    tracks[picture_id].append(one)
                    extra[one.id] = _of_frame(annotation_set, track.id, video.id, frame)
    listed = [_listed(video) for video in annotation_set.videos.values()]
    return AnnotationSet(
        categories=annotation_set.categories,
        videos=pictures,
        tracks=tracks,
        track_extra=extra,
        extra={**annotation_set.extra, "videos": listed},
    )


def _video(value: object) -> _Video:
    record = json_object(value)
    video_id = integer(record, "id")
    name = text(record, "name") if "name" in record else str(video_id)
    return _Video(video_id, name, beyond(record, _OF_VIDEO))


def _listed(video: VideoEntry) -> dict[str, Any]:
    kept = beyond(video.extra, {"images"})
    own = {"id": video.id, "name": video.name, "width": video.width, "height": video.height}
    return kept | own


def _frames(
    pictures: AnnotationSet, named: Mapping[int, _Video], reading: Reading
) -> dict[int, list[int]]:
    """Ids of the pictures of each video, in the order of their frames."""
    placed: dict[int, dict[int, int]] = {}
    for picture in pictures.videos.values():
        try:
            video_id = known_id(picture.extra, "video_id", named, "videos")
            frames = placed.setdefault(video_id, {})
            frame = integer(picture.extra, _key(picture.extra, _FRAME))
            if frame in frames:
                raise _twice(f"frame {frame} of video {video_id}")
            first = pictures.videos[next(iter(frames.values()), picture.id)]
            if (picture.height, picture.width) != (first.height, first.width):
                raise DataError(
                    f"it is {picture.width} x {picture.height}, frames before it "
                    f"{first.width} x {first.height}",
                    remedy="Make all pictures of a video the same size.",
                )
            frames[frame] = picture.id
        except DataError as error:
            reading.keep(error, f"image {picture.id}")
    return {
        video_id: [frames[frame] for frame in sorted(frames)]
        for video_id, frames in placed.items()
        if frames
    }


def _entry(video: _Video, frames: list[VideoEntry]) -> VideoEntry:
    said = [beyond(frame.extra, _OF_PICTURE) for frame in frames]
    return VideoEntry(
        id=video.id,
        name=video.name,
        width=frames[0].width,
        height=frames[0].height,
        length=len(frames),
        file_names=tuple(frame.file_names[0] for frame in frames),
        extra={**video.extra, "images": said} if any(said) else video.extra,
    )


def _lives(
    pictures: AnnotationSet, places: Mapping[int, tuple[int, int]], reading: Reading
) -> list[_Life]:
    lives: dict[tuple[int, int], _Life] = {}
    for picture_id, (video_id, frame) in places.items():
        for track in pictures.tracks[picture_id]:
            said = pictures.track_extra.get(track.id, {})
            try:
                instance = integer(said, _key(said, _INSTANCE))
                life = lives.setdefault(
                    (video_id, instance), _Life(video_id, instance, first=track)
                )
                _check_same(life, track, frame)
            except DataError as error:
                reading.keep(error, f"annotation {track.id}")
                continue
            life.masks[frame] = track.masks[0]
            life.said[frame] = beyond(said, _OF_OBJECT)
    return list(lives.values())


def _check_same(life: _Life, track: Track, frame: int) -> None:
    if frame in life.masks:
        raise _twice(f"instance {life.instance} in frame {frame} of video {life.video_id}")
    if (track.label, track.crowd) != (life.first.label, life.first.crowd):
        raise DataError(
            f"instance {life.instance} is of another category or crowd than in frames before",
            remedy="Give each object one category, or another instance id.",
        )


def _gathered(life: _Life, length: int) -> Extra:
    """The other keys: those alike in all frames once, the rest by frame."""
    first, *others = life.said.values()
    alike = {
        key: value
        for key, value in first.items()
        if key not in _OF_MASK and all(other.get(key, ...) == value for other in others)
    }
    extra: dict[str, Any] = dict(alike)
    apart = {frame: beyond(said, {*alike, *_OF_MASK}) for frame, said in life.said.items()}
    if any(apart.values()):
        extra["by_frame"] = [apart.get(frame, {}) for frame in range(length)]
    return extra


def _of_frame(annotation_set: AnnotationSet, track_id: int, video_id: int, frame: int) -> Extra:
    said = annotation_set.track_extra.get(track_id, {})
    own = _of_place(said, "by_frame", frame)
    kept = beyond(said, {"by_frame", *_OF_MASK})
    return {**kept, **own, "instance_id": track_id, "video_id": video_id}


def _of_place(extra: Extra, key: str, frame: int) -> Extra:
    """What `together` kept of one frame; a foreign key of the same name is none of that."""
    listed = extra.get(key)
    kept = listed[frame] if isinstance(listed, list) and frame < len(listed) else {}
    return kept if isinstance(kept, dict) else {}


def _key(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in record), names[0])


def _twice(what: str) -> DataError:
    return DataError(f"{what} is there twice", remedy="Keep one of the two.")
