"""COCO files whose objects name their track, as CVAT exports videos: the pictures are frames."""

from __future__ import annotations

from itertools import count
from typing import Any

from vis.ops.natural import natural


def with_videos(value: dict[str, Any]) -> dict[str, Any]:
    """The value of a COCO file in which `attributes.track_id` ties objects, as CocoVID has it.

    The pictures of one folder are one video, in natural order. An object without a track is one of
    its own. A value in which no object has a track stays as it is, and so does a faulty record.
    """
    annotations, images = value.get("annotations"), value.get("images")
    if "videos" in value or not isinstance(annotations, list) or not isinstance(images, list):
        return value
    track_ids = [_track_id(one) for one in annotations]
    if all(id_ is None for id_ in track_ids):
        return value
    video_ids: dict[str, int] = {}
    frames: dict[int, dict[str, int]] = {}
    names = [_file_name(one) for one in images]
    for place in sorted(range(len(images)), key=lambda place: natural(names[place])):
        folder = names[place].rpartition("/")[0]
        video_id = video_ids.setdefault(folder, len(video_ids) + 1)
        # rising over the whole file: only the order within a video counts
        frames[place] = {"video_id": video_id, "frame_id": len(frames)}
    free = count(1 + max(id_ for id_ in track_ids if id_ is not None))
    return {
        **value,
        "videos": [{"id": id_, "name": name or str(id_)} for name, id_ in video_ids.items()],
        "images": [
            {**one, **frames[place]} if isinstance(one, dict) else one
            for place, one in enumerate(images)
        ],
        "annotations": [
            {**one, "instance_id": next(free) if id_ is None else id_}
            if isinstance(one, dict)
            else one
            for one, id_ in zip(annotations, track_ids, strict=True)
        ],
    }


def _track_id(annotation: object) -> int | None:
    attributes = annotation.get("attributes") if isinstance(annotation, dict) else None
    id_ = attributes.get("track_id") if isinstance(attributes, dict) else None
    return id_ if type(id_) is int else None


def _file_name(image: object) -> str:
    name = image.get("file_name") if isinstance(image, dict) else None
    return name.replace("\\", "/") if isinstance(name, str) else ""
