"""VIPSeg: a JSON file of segments beside `panomasksRGB/VIDEO/00000000.png`, things and stuff.

The colour of a pixel is the number of its segment, R + 256 G + 65536 B. Segments of things are the
objects, with one number through their video; stuff is no object and left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from vis.errors import DataError, InputError
from vis.formats.fields import (
    frame_name,
    integer,
    json_list,
    json_object,
    known_id,
    sides,
    text,
)
from vis.formats.ytvis_parse import parse_category
from vis.formats.ytvis_records import AnnotationSet, VideoEntry
from vis.ops.pictures import FAULTS
from vis.ops.rle import encode
from vis.records import Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from vis.formats.reading import Reading
    from vis.records import RLE

    Key = tuple[int, int, bool]
    """Number and category of a segment, and whether it is a crowd."""

LABELS, FRAMES = "panomasksRGB", "images"


def is_vipseg(value: object) -> bool:
    """Whether a JSON value has the outer form of segments by video."""
    annotations = value.get("annotations") if isinstance(value, dict) else None
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    inner = first.get("annotations") if isinstance(first, dict) else None
    return isinstance(inner, list) and isinstance(first, dict) and "video_id" in first


def vipseg_of(value: Any, reading: Reading) -> AnnotationSet:
    """The things that the JSON value of a file and the pictures beside it hold.

    Every picture of segments is read, which takes long: convert the set once, and use that.

    Raises:
        InputError: the folder of the pictures is missing.
        DataError: a record or picture is faulty and `reading` does not collect it.
    """
    root = Path(reading.path).parent / LABELS
    if not root.is_dir():
        remedy = "Put it beside the file."
        raise InputError("there is no such folder", where=str(root), remedy=remedy)
    categories = reading.by_id(json_list(value, "categories"), "categories", parse_category)
    things = {key: one for key, one in categories.items() if one.extra.get("isthing", 1) == 1}
    annotations = dict(
        reading.records(json_list(value, "annotations"), "annotations", _frames_of_video)
    )
    videos: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    ids = count(1)
    for video, places in reading.records(json_list(value, "videos"), "videos", _video):
        video_id = len(videos) + 1
        segments = _Segments(
            root / video.name, places, (video.height, video.width), set(categories)
        )
        for entry in reading.records(annotations.get(video.name, []), video.name, segments.frame):
            segments.add(entry)
        frames = tuple(sorted(segments.frames))
        videos[video_id] = replace(video, id=video_id, annotated_frames=frames)
        tracks[video_id] = [
            Track(next(ids), label, 1.0, dict(sorted(masks.items())), crowd)
            for (_, label, crowd), masks in segments.masks.items()
            if label in things
        ]
    return AnnotationSet(things, videos, tracks)


class _Frame(NamedTuple):
    place: int
    masks: dict[Key, RLE]


@dataclass(slots=True)
class _Segments:
    """The segments of one video, gathered frame by frame."""

    root: Path
    places: Mapping[object, int]
    """Id of a picture -> place of its frame."""
    size: tuple[int, int]
    labels: set[int]
    frames: set[int] = field(default_factory=set)
    masks: dict[Key, dict[int, RLE]] = field(default_factory=dict)

    def frame(self, value: object) -> _Frame:
        """The segments of one frame.

        Raises:
            DataError: record and picture are faulty, or do not fit each other.
        """
        record = json_object(value)
        image_id = record.get("image_id")
        if not isinstance(image_id, str | int) or image_id not in self.places:
            raise DataError(f"image_id {image_id!r:.40} is no frame of it", remedy="Correct it.")
        numbers = self._numbers(self.root / frame_name(record.get("file_name")))
        labels = dict.fromkeys(self.labels)
        masks: dict[Key, RLE] = {}
        for one in json_list(record, "segments_info"):
            segment = json_object(one)
            number = integer(segment, "id")
            label = known_id(segment, "category_id", labels, "categories")
            crowd = segment.get("iscrowd", 0) == 1
            mask = numbers == number
            if mask.any():
                masks[number, label, crowd] = encode(mask)
        return _Frame(self.places[image_id], masks)

    def add(self, frame: _Frame) -> None:
        """Go on with one more frame."""
        self.frames.add(frame.place)
        for key, mask in frame.masks.items():
            self.masks.setdefault(key, {})[frame.place] = mask

    def _numbers(self, path: Path) -> npt.NDArray[np.int64]:
        """`[H W]` number of each pixel's segment."""
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                pixels = np.asarray(picture.convert("RGB"), np.int64)
        except FAULTS as error:
            what = f"{path.name} cannot be read ({error})"
            raise DataError(what, remedy="Fetch it again.") from None
        if pixels.shape[:2] != self.size:
            raise DataError(
                f"{path.name} is {pixels.shape[1]} x {pixels.shape[0]}, its record says "
                f"{self.size[1]} x {self.size[0]}",
                remedy="Correct the record, or fetch the picture again.",
            )
        numbers: npt.NDArray[np.int64] = pixels @ np.array([1, 256, 65536])
        return numbers


def _frames_of_video(value: object) -> tuple[str, list[Any]]:
    record = json_object(value)
    return text(record, "video_id"), json_list(record, "annotations")


def _video(value: object) -> tuple[VideoEntry, dict[object, int]]:
    """A video without its number, and the place of each picture by its id."""
    record = json_object(value)
    name = text(record, "video_id")
    images = [json_object(image) for image in json_list(record, "images")]
    if not images:
        raise DataError("it has no images", remedy="Take the record out.")
    height, width = sides(images[0])
    if any(sides(image) != (height, width) for image in images):
        raise DataError("its images differ in size", remedy="Make all images of a video alike.")
    files = tuple(frame_name(f"{name}/{image.get('file_name')}") for image in images)
    if not all(isinstance(image.get("id"), str | int) for image in images):
        raise DataError("an image has no id", remedy="Add it.")
    places = {image["id"]: place for place, image in enumerate(images)}
    return VideoEntry(0, name, width, height, len(images), files), places
