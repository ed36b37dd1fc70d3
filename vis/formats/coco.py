"""COCO instance files: the truth of single pictures, each a video of one frame, or of videos.

A fault is an error with the file, the record and a remedy. Who passes a list as `faults` gets every
faulty record in it, and the sound ones as the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.box_only import box_mask, without_drawn_box
from vis.formats.coco_identities import with_videos
from vis.formats.coco_video import group_frames, split_frames
from vis.formats.fields import (
    ADD_SIZE,
    describe,
    frame_name,
    integer,
    is_crowd,
    json_object,
    known_id,
    sides,
    unknown_keys,
)
from vis.formats.json_file import read_json, write_json
from vis.formats.reading import Reading, before_writing, with_unique_id
from vis.formats.ytvis_kinds import picture_lists
from vis.formats.ytvis_masks import check_area, check_box, frame_boxes
from vis.formats.ytvis_parse import parse_category
from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry
from vis.ops.polygons import rasterise
from vis.ops.rle import area, parse_rle, to_coco
from vis.records import RLE, Track

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LISTS = ("images", "categories", "annotations")
_OF_PICTURE = {"id", "file_name", "width", "height"}
_OF_OBJECT = {"id", "image_id", "category_id", "iscrowd", "segmentation", "bbox", "area"}


@dataclass(frozen=True, slots=True)
class PictureObject:
    """One entry of `annotations`."""

    id: int
    image_id: int
    track: Track
    extra: Extra


def read_coco(path: str | Path, faults: list[DataError] | None = None) -> AnnotationSet:
    """The truth of a set of pictures: video i is picture i, track i is annotation i.

    Where the file lists videos (CocoVID), they are the videos, and instances are the tracks; where
    objects have `attributes.track_id` (CVAT), the pictures of a folder are a video.

    Polygons become masks by COCO's own rule. A picture is named by its file. Boxes and areas are in
    `track_extra` where the mask says otherwise, as those of polygons mostly do.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `faults` does not take it.
    """
    return pictures_of(read_json(path), Reading(str(path), faults))


def write_coco(path: str | Path, annotation_set: AnnotationSet, *, overwrite: bool = False) -> None:
    """Write the truth, masks as run lengths; read again, it is equal.

    Videos of several frames become pictures that name their video, as CocoVID has them; then stated
    boxes and areas that differ from the masks are left out, and objects without any mask.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: it cannot be written.
        DataError: the file would not be read again.
    """
    with before_writing(path):
        value = coco_value(annotation_set)
        pictures_of(value, Reading("the new file"))
    write_json(path, value, overwrite=overwrite)


def coco_value(annotation_set: AnnotationSet) -> dict[str, Any]:
    """What `write_coco` writes, as plain lists and objects.

    Raises:
        DataError: a picture that is alone has a track with masks in other frames.
    """
    has_videos = any(video.length > 1 for video in annotation_set.videos.values())
    return _value(split_frames(annotation_set) if has_videos else annotation_set)


def pictures_of(value: Any, reading: Reading) -> AnnotationSet:
    """The truth that the JSON value of a COCO file holds.

    Raises:
        DataError: as `read_coco`.
    """
    lists = picture_lists(value, reading.path, _LISTS)
    value = with_videos(value)
    lists = {key: value[key] for key in lists}
    videos = reading.by_id(lists["images"], "images", parse_picture)
    categories = reading.by_id(lists["categories"], "categories", parse_category)
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in videos}
    extra: dict[int, Extra] = {}

    def parse(entry: object) -> PictureObject:
        # TAO, known by its list of tracks, draws its boxes
        entry = without_drawn_box(entry) if "tracks" in value else entry
        return with_unique_id(parse_object(entry, videos, categories), extra)

    needs = {"image_id": "images", "category_id": "categories"}
    for annotation in reading.records(lists["annotations"], "annotations", parse, needs):
        tracks[annotation.image_id].append(annotation.track)
        extra[annotation.id] = annotation.extra
    single = AnnotationSet(
        categories=categories,
        videos=videos,
        tracks=tracks,
        track_extra={track_id: keys for track_id, keys in extra.items() if keys},
        extra=unknown_keys(value, set(_LISTS)),
    )
    return group_frames(single, reading) if "videos" in value else single


def parse_picture(value: object) -> VideoEntry:
    """A picture, as a video of one frame.

    Raises:
        DataError: what is wrong with it.
    """
    record = json_object(value)
    picture_id = integer(record, "id")
    height, width = sides(record, ADD_SIZE)
    name = frame_name(record.get("file_name"))
    return VideoEntry(
        id=picture_id,
        name=name,
        width=width,
        height=height,
        length=1,
        file_names=(name,),
        extra=unknown_keys(record, _OF_PICTURE),
    )


def parse_object(
    value: object, videos: Mapping[int, VideoEntry], categories: Mapping[int, Any]
) -> PictureObject:
    """The truth of one object in one picture.

    Raises:
        DataError: what is wrong with it.
    """
    record = json_object(value)
    object_id = integer(record, "id")
    picture = videos[known_id(record, "image_id", videos, "images")]
    label = known_id(record, "category_id", categories, "categories")
    crowd = is_crowd(record)
    # detectors' files have boxes alone, with an empty segmentation or none
    box_only = record.get("segmentation") in (None, [])
    mask = _mask(record, picture)
    track = Track(object_id, label, 1.0, {0: mask}, crowd, box_only)
    return PictureObject(object_id, picture.id, track, _beyond_mask(record, mask))


def _mask(record: Mapping[str, Any], picture: VideoEntry) -> RLE:
    """The mask of one object: polygons, run lengths compressed or listed, or a filled box."""
    value = record.get("segmentation")
    if value in (None, []):
        if record.get("bbox") is None:
            stated = describe(value) if "segmentation" in record else "missing"
            raise DataError(
                f"segmentation is {stated}, not a mask, and there is no box",
                remedy="Draw the mask, or take the annotation out.",
            )
        return box_mask(record["bbox"], picture.height, picture.width)
    if isinstance(value, list):
        # a list of polygons is one object in several parts, never several objects
        return rasterise(value, picture.height, picture.width)
    return parse_rle(value, (picture.height, picture.width))


def _beyond_mask(record: Mapping[str, Any], mask: RLE) -> Extra:
    """The keys that say more than the mask: unknown ones, and a box and area that differ."""
    extra = unknown_keys(record, _OF_OBJECT)
    box_stated, area_stated = record.get("bbox"), record.get("area")
    if box_stated is not None:
        check_box(box_stated, mask)
    check_area(area_stated)
    # kept only where they say more: COCO measures boxes and areas on the polygons, not on pixels
    if box_stated not in (None, frame_boxes({0: mask}, 1)[0]):
        extra["bbox"] = box_stated
    if area_stated not in (None, area(mask)):
        extra["area"] = area_stated
    return extra


def _value(annotation_set: AnnotationSet) -> dict[str, Any]:
    videos = annotation_set.videos.values()
    annotations = [
        _annotation(track, video) | dict(annotation_set.track_extra.get(track.id, {}))
        for video in videos
        for track in annotation_set.tracks.get(video.id, [])
    ]
    return {
        **annotation_set.extra,
        "categories": [
            {"id": category.id, "name": category.name, **category.extra}
            for category in annotation_set.categories.values()
        ],
        "images": [_image(video) for video in videos],
        "annotations": annotations,
    }


def _image(video: VideoEntry) -> dict[str, Any]:
    return {
        "id": video.id,
        "file_name": video.file_names[0],
        "width": video.width,
        "height": video.height,
        **video.extra,
    }


def _annotation(track: Track, video: VideoEntry) -> dict[str, Any]:
    if set(track.masks) != {0}:
        raise DataError(
            f"track {track.id} of video {video.id} has masks in frames {sorted(track.masks)}, "
            "not in frame 0 alone",
            remedy="Give each object of a picture one mask.",
        )
    return {
        "id": int(track.id),
        "image_id": video.id,
        "category_id": int(track.label),
        "iscrowd": int(track.crowd),
        "segmentation": [] if track.box_only else to_coco(track.masks[0]),
        "bbox": frame_boxes(track.masks, 1)[0],
        "area": area(track.masks[0]),
    }
