"""Single records of YouTube-VIS files; a fault is an error that says what and in which frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import (
    ADD_SIZE,
    frame_name,
    integer,
    is_crowd,
    json_list,
    json_object,
    known_id,
    score,
    sides,
    text,
    unknown_keys,
)
from vis.formats.ytvis_masks import (
    Size,
    check_areas,
    check_boxes,
    frame_areas,
    frame_boxes,
    parse_masks,
    stated_size,
)
from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
from vis.records import RLE, Track

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_CATEGORY = {"id", "name"}
FRAMES_KEY = "annotated_frames"
"""Of a video that is annotated in part: our own key, as neither YouTube-VIS nor COCO has one."""
_OF_VIDEO = {"id", "name", "width", "height", "length", "file_names", FRAMES_KEY}
_OF_TRACK = {"id", "video_id", "category_id", "iscrowd", "segmentations", "width", "height"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One entry of `annotations`."""

    id: int
    video_id: int
    track: Track
    extra: Extra


@dataclass(frozen=True, slots=True)
class Result:
    """One entry of a results file."""

    video_id: int
    track: Track
    length: int
    """Frames that it speaks of."""
    size: Size | None
    """(height, width) of the video, where it is known or any mask shows it."""


def parse_category(value: object) -> Category:
    """A category.

    Raises:
        DataError: what is wrong with it.
    """
    record = json_object(value)
    return Category(
        id=integer(record, "id"),
        name=text(record, "name"),
        extra=unknown_keys(record, _OF_CATEGORY),
    )


def parse_video(value: object) -> VideoEntry:
    """A video.

    Raises:
        DataError: what is wrong with it.
    """
    record = json_object(value)
    video_id, length = integer(record, "id"), integer(record, "length", low=1)
    height, width = sides(record, ADD_SIZE)
    names = []
    for frame, name in enumerate(json_list(record, "file_names", length)):
        try:
            names.append(frame_name(name))
        except DataError as error:
            raise error.at(f"frame {frame}") from None
    # YouTube-VIS and OVIS give videos no name; their folder tells them apart
    folder = names[0].rpartition("/")[0]
    return VideoEntry(
        id=video_id,
        name=text(record, "name") if "name" in record else folder or str(video_id),
        width=width,
        height=height,
        length=length,
        file_names=tuple(names),
        extra=unknown_keys(record, _OF_VIDEO),
        annotated_frames=annotated_frames(record, length),
    )


def annotated_frames(record: Mapping[str, Any], length: int) -> tuple[int, ...] | None:
    """The frames of a video's record that are annotated, None where it lists none.

    Raises:
        DataError: they are no ascending places of the `length` frames.
    """
    if FRAMES_KEY not in record:
        return None
    places = json_list(record, FRAMES_KEY)
    is_ascending = all(type(place) is int for place in places) and places == sorted(set(places))
    if not is_ascending or not set(places) <= set(range(length)):
        raise DataError(
            f"{FRAMES_KEY} has other entries than ascending places of the {length} frames, from 0",
            remedy="Correct it, or leave it out where all frames are annotated.",
        )
    return tuple(places)


def parse_annotation(
    value: object, videos: Mapping[int, VideoEntry], categories: Mapping[int, Category]
) -> Annotation:
    """The truth of one object in one video.

    Raises:
        DataError: what is wrong with it, and in which frame.
    """
    record = json_object(value)
    annotation_id = integer(record, "id")
    video = videos[known_id(record, "video_id", videos, "videos")]
    label = known_id(record, "category_id", categories, "categories")
    crowd = is_crowd(record)
    _check_sides(record, video)
    frames = json_list(record, "segmentations", video.length)
    # an empty list is no polygon: what some converters write where nothing is visible
    frames = [None if value == [] else value for value in frames]
    masks = parse_masks(frames, (video.height, video.width))
    return Annotation(
        id=annotation_id,
        video_id=video.id,
        track=Track(id=annotation_id, label=label, score=1.0, masks=masks, crowd=crowd),
        extra=_beyond_masks(record, masks, video.length),
    )


def parse_result(value: object, track_id: int, truth: AnnotationSet | None) -> Result:
    """One object that a tracker found, checked against the truth's ids and sizes where given.

    Raises:
        DataError: what is wrong with it, and in which frame.
    """
    record = json_object(value)
    if truth is None:
        video_id, label = integer(record, "video_id"), integer(record, "category_id")
        frames = json_list(record, "segmentations")
        size = stated_size(frames)
    else:
        video_id = known_id(record, "video_id", truth.videos, "the videos of the truth")
        label = known_id(record, "category_id", truth.categories, "the categories of the truth")
        video = truth.videos[video_id]
        frames = json_list(record, "segmentations", video.length)
        size = (video.height, video.width)
    masks = {} if size is None else parse_masks(frames, size)
    track = Track(id=track_id, label=label, score=score(record, "score"), masks=masks)
    return Result(video_id=video_id, track=track, length=len(frames), size=size)


def _check_sides(record: dict[str, Any], video: VideoEntry) -> None:
    for key, stated in (("width", video.width), ("height", video.height)):
        if key in record and integer(record, key) != stated:
            raise DataError(
                f"{key} is {record[key]} but that of video {video.id} is {stated}",
                remedy="Make them agree, or leave it out here.",
            )


def _beyond_masks(record: dict[str, Any], masks: dict[int, RLE], length: int) -> Extra:
    """The keys that say more than the masks: unknown ones, and boxes and areas that differ."""
    # null for the whole list says what a list that is missing says
    silent = {key for key in ("bboxes", "areas") if record.get(key) is None}
    extra = unknown_keys(record, _OF_TRACK | silent)
    if record.get("bboxes") is not None:
        stated = json_list(record, "bboxes", length)
        check_boxes(stated, masks)
        if stated == frame_boxes(masks, length):
            del extra["bboxes"]
    if record.get("areas") is not None:
        stated = json_list(record, "areas", length)
        check_areas(stated)
        if stated == frame_areas(masks, length):
            del extra["areas"]
    return extra
