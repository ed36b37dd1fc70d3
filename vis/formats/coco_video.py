"""CocoVID: COCO files whose pictures are frames of videos and whose objects have lasting ids.

A picture has `video_id` and `frame_id`, an annotation `instance_id`; TAO's names for the same,
`frame_index` and `track_id`, are read too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import integer, json_list, json_object, known_id, text, unknown_keys
from vis.formats.ytvis_parse import FRAMES_KEY, annotated_frames
from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry
from vis.formats.ytvis_values import frames_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.reading import Reading
    from vis.records import RLE, Track

# CocoVID's name first, then TAO's
_FRAME = ("frame_id", "frame_index")
_INSTANCE = ("instance_id", "track_id")
_OF_PICTURE = {*_FRAME, "video_id"}
_OF_OBJECT = {*_INSTANCE, "video_id"}
_OF_VIDEO = {"id", "name", "width", "height", FRAMES_KEY}
_OF_MASK = {"bbox", "area", "bboxes", "areas"}
"""Keys that the masks say too; where they said otherwise, that is not carried over."""


@dataclass(frozen=True, slots=True)
class _Video:
    id: int
    name: str
    extra: Extra
    record: Mapping[str, Any]
    """As the file has it."""


@dataclass(slots=True)
class _Instance:
    """One object, gathered frame by frame."""

    video_id: int
    id: int
    first: Track
    masks: dict[int, RLE] = field(default_factory=dict)
    keys_by_frame: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Frame -> the keys of its annotation that are none of ours."""


def group_frames(pictures: AnnotationSet, reading: Reading) -> AnnotationSet:
    """Videos from single pictures that name theirs; `pictures.extra` holds the list `videos`.

    Where two videos use the same instance id, all are numbered anew.

    Raises:
        DataError: a record is faulty and `reading` does not collect it.
    """
    video_records = reading.by_id(json_list(pictures.extra, "videos"), "videos", _video)
    frames = _frames(pictures, video_records, reading)
    videos = {
        video_id: _entry(video_records[video_id], [pictures.videos[key] for key in keys], reading)
        for video_id, keys in frames.items()
    }
    frame_of = {key: (v, frame) for v, keys in frames.items() for frame, key in enumerate(keys)}
    instances = _instances(pictures, frame_of, reading)
    ids = [instance.id for instance in instances]
    # CocoVID counts instances within a video or within the file; our ids are those of the file
    new_ids = count(1) if len(set(ids)) < len(ids) else None
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in videos}
    extra: dict[int, Extra] = {}
    for instance in instances:
        track_id = instance.id if new_ids is None else next(new_ids)
        track = replace(instance.first, id=track_id, masks=dict(sorted(instance.masks.items())))
        tracks[instance.video_id].append(track)
        extra[track_id] = keys_by_frame(instance.keys_by_frame, videos[instance.video_id].length)
    return AnnotationSet(
        categories=pictures.categories,
        videos=videos,
        tracks=tracks,
        track_extra={key: keys for key, keys in extra.items() if keys},
        extra=unknown_keys(pictures.extra, {"videos"}),
    )


def split_frames(annotation_set: AnnotationSet) -> AnnotationSet:
    """Every frame as a picture of its own that names its video; `group_frames` undoes it."""
    pictures: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    extra: dict[int, Extra] = {}
    ids = count(1)
    for video in annotation_set.videos.values():
        video_tracks = annotation_set.tracks.get(video.id, [])
        for frame, name in enumerate(video.file_names):
            picture_id = len(pictures) + 1
            keys = {
                **_frame_keys(video.extra, "images", frame),
                "video_id": video.id,
                "frame_id": frame,
            }
            entry = replace(video, id=picture_id, name=name, length=1, file_names=(name,))
            pictures[picture_id] = replace(entry, extra=keys, annotated_frames=None)
            tracks[picture_id] = []
            for track in video_tracks:
                if frame in track.masks:
                    frame_track = replace(track, id=next(ids), masks={0: track.masks[frame]})
                    tracks[picture_id].append(frame_track)
                    extra[frame_track.id] = _annotation_extra(
                        annotation_set, track.id, video.id, frame
                    )
    video_records = [_video_record(video) for video in annotation_set.videos.values()]
    return AnnotationSet(
        categories=annotation_set.categories,
        videos=pictures,
        tracks=tracks,
        track_extra=extra,
        extra={**annotation_set.extra, "videos": video_records},
    )


def _video(value: object) -> _Video:
    record = json_object(value)
    video_id = integer(record, "id")
    name = text(record, "name") if "name" in record else str(video_id)
    return _Video(video_id, name, unknown_keys(record, _OF_VIDEO), record)


def _video_record(video: VideoEntry) -> dict[str, Any]:
    extra = unknown_keys(video.extra, {"images"})
    standard_keys = {
        "id": video.id,
        "name": video.name,
        "width": video.width,
        "height": video.height,
    }
    return extra | standard_keys | frames_value(video)


def _frames(
    pictures: AnnotationSet, video_records: Mapping[int, _Video], reading: Reading
) -> dict[int, list[int]]:
    """Ids of the pictures of each video, in the order of their frames."""
    frames_by_video: dict[int, dict[int, int]] = {}
    for picture in pictures.videos.values():
        try:
            video_id = known_id(picture.extra, "video_id", video_records, "videos")
            frames = frames_by_video.setdefault(video_id, {})
            frame = integer(picture.extra, _key(picture.extra, _FRAME))
            if frame in frames:
                raise _duplicate(f"frame {frame} of video {video_id}")
            first = pictures.videos[next(iter(frames.values()), picture.id)]
            if (picture.height, picture.width) != (first.height, first.width):
                raise DataError(
                    f"it is {picture.width} x {picture.height}, frames before it "
                    f"{first.width} x {first.height}",
                    remedy="Make all pictures of a video the same size.",
                )
            frames[frame] = picture.id
        except DataError as error:
            reading.collect(error, f"image {picture.id}")
    return {
        video_id: [frames[frame] for frame in sorted(frames)]
        for video_id, frames in frames_by_video.items()
        if frames
    }


def _entry(video: _Video, frames: list[VideoEntry], reading: Reading) -> VideoEntry:
    annotated = None
    try:
        annotated = annotated_frames(video.record, len(frames))
    except DataError as error:
        reading.collect(error, f"video {video.id}")
    frame_keys = [unknown_keys(frame.extra, _OF_PICTURE) for frame in frames]
    return VideoEntry(
        id=video.id,
        name=video.name,
        width=frames[0].width,
        height=frames[0].height,
        length=len(frames),
        file_names=tuple(frame.file_names[0] for frame in frames),
        extra={**video.extra, "images": frame_keys} if any(frame_keys) else video.extra,
        annotated_frames=annotated,
    )


def _instances(
    pictures: AnnotationSet, frame_of: Mapping[int, tuple[int, int]], reading: Reading
) -> list[_Instance]:
    instances: dict[tuple[int, int], _Instance] = {}
    for picture_id, (video_id, frame) in frame_of.items():
        for track in pictures.tracks[picture_id]:
            extra = pictures.track_extra.get(track.id, {})
            try:
                instance_id = integer(extra, _key(extra, _INSTANCE))
                instance = instances.setdefault(
                    (video_id, instance_id), _Instance(video_id, instance_id, first=track)
                )
                _check_same(instance, track, frame)
            except DataError as error:
                reading.collect(error, f"annotation {track.id}")
                continue
            instance.masks[frame] = track.masks[0]
            if track.box_only:
                instance.first = replace(instance.first, box_only=True)
            instance.keys_by_frame[frame] = unknown_keys(extra, _OF_OBJECT)
    return list(instances.values())


def _check_same(instance: _Instance, track: Track, frame: int) -> None:
    if frame in instance.masks:
        raise _duplicate(f"instance {instance.id} in frame {frame} of video {instance.video_id}")
    # a track has one label here; taking the first frame's would change the truth without a word
    if (track.label, track.crowd) != (instance.first.label, instance.first.crowd):
        raise DataError(
            f"instance {instance.id} is of another category or crowd than in frames before",
            remedy="Give each object one category, or another instance id.",
        )


def keys_by_frame(keys: Mapping[int, Mapping[str, Any]], length: int) -> dict[str, Any]:
    """Keys of an object in single frames: those alike in all once, the rest under `by_frame`."""
    first = next(iter(keys.values()), {})
    shared = {
        key: value
        for key, value in first.items()
        if key not in _OF_MASK and all(one.get(key, ...) == value for one in keys.values())
    }
    extra: dict[str, Any] = dict(shared)
    apart = {frame: unknown_keys(one, {*shared, *_OF_MASK}) for frame, one in keys.items()}
    if any(apart.values()):
        extra["by_frame"] = [apart.get(frame, {}) for frame in range(length)]
    return extra


def _annotation_extra(
    annotation_set: AnnotationSet, track_id: int, video_id: int, frame: int
) -> Extra:
    keys = keys_of_frame(annotation_set.track_extra.get(track_id, {}), frame)
    return {**keys, "instance_id": track_id, "video_id": video_id}


def keys_of_frame(extra: Extra, frame: int) -> dict[str, Any]:
    """What `keys_by_frame` was given of one frame."""
    return {
        **unknown_keys(extra, {"by_frame", *_OF_MASK}),
        **_frame_keys(extra, "by_frame", frame),
    }


def _frame_keys(extra: Extra, key: str, frame: int) -> Extra:
    """What `group_frames` kept of one frame; a foreign key of the same name is none of that."""
    by_frame = extra.get(key)
    keys = by_frame[frame] if isinstance(by_frame, list) and frame < len(by_frame) else {}
    return keys if isinstance(keys, dict) else {}


def _key(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in record), names[0])


def _duplicate(what: str) -> DataError:
    return DataError(f"{what} is there twice", remedy="Keep one of the two.")
