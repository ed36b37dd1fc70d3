"""CVAT's XML 1.1, written: masks in every frame that shows an object, so that nothing moves."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from vis.formats.coco_video import keys_of_frame
from vis.formats.fields import unknown_keys
from vis.formats.paths import unique_frame_paths
from vis.ops.rle import decode_box
from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.shapes import Painted
    from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry
    from vis.records import Track

_OWN = {"occluded", "rotation", "track_id", "keyframe"}
"""Keys that CVAT adds to the attributes in COCO files, and has places of their own for in XML."""


def write_cvat(path: str | Path, annotation_set: AnnotationSet, *, overwrite: bool = False) -> None:
    """Write a set: single pictures as images, else each video as a task with its tracks.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: it cannot be written.
    """
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    videos = list(annotation_set.videos.values())
    films = videos if any(video.length > 1 for video in videos) else []
    _add_meta(root, films, annotation_set)
    ids = count(0)
    for video in videos:
        tracks = annotation_set.tracks.get(video.id, [])
        # CVAT has no track without a shape
        for track in (one for one in tracks if films and one.masks):
            _add_track(root, next(ids), video, track, annotation_set)
        if not films:
            _add_image(root, video, tracks, annotation_set)
    indent(root)
    write_whole(path, tostring(root, "utf-8", xml_declaration=True), overwrite=overwrite)


def _add_meta(root: Element, films: list[VideoEntry], annotation_set: AnnotationSet) -> None:
    """Labels and films: in CVAT, those of several films belong to a project."""
    meta = SubElement(root, "meta")
    owner = SubElement(meta, "project" if len(films) > 1 else "task")
    paths = unique_frame_paths(films)
    tasks = SubElement(owner, "tasks") if len(films) > 1 else meta
    for video in films:
        texts = {
            "id": str(video.id),
            "name": video.name,
            "size": str(video.length),
            "mode": "interpolation",
            "start_frame": "0",
            "stop_frame": str(video.length - 1),
            "source": paths[video.id][0],
        }
        task = owner if len(films) == 1 else SubElement(tasks, "task")
        for tag, text in texts.items():
            SubElement(task, tag).text = text
        size = SubElement(task, "original_size")
        SubElement(size, "width").text = str(video.width)
        SubElement(size, "height").text = str(video.height)
    labels = SubElement(owner, "labels")
    for category in annotation_set.categories.values():
        SubElement(SubElement(labels, "label"), "name").text = category.name


def _add_track(
    root: Element, id_: int, video: VideoEntry, track: Track, annotation_set: AnnotationSet
) -> None:
    label = annotation_set.categories[track.label].name
    attributes = {"id": str(id_), "label": label, "source": "manual", "task_id": str(video.id)}
    element = SubElement(root, "track", attributes)
    extra = annotation_set.track_extra.get(track.id, {})
    last = None
    for frame in sorted(track.masks):
        if last is not None and frame > last + 1:
            _add_shape(element, track, last, {}, frame=last + 1, outside=True)
        keys = keys_of_frame(extra, frame)
        _add_shape(element, track, frame, keys, frame=frame)
        last = frame
    if last is not None and last + 1 < video.length:
        _add_shape(element, track, last, {}, frame=last + 1, outside=True)


def _add_image(
    root: Element, video: VideoEntry, tracks: list[Track], annotation_set: AnnotationSet
) -> None:
    sides = {"width": str(video.width), "height": str(video.height)}
    attributes = {"id": str(video.id), "name": video.file_names[0], **sides}
    image = SubElement(root, "image", attributes)
    for track in tracks:
        keys = keys_of_frame(annotation_set.track_extra.get(track.id, {}), 0)
        for frame in track.masks:
            element = _add_shape(image, track, frame, keys)
            element.set("label", annotation_set.categories[track.label].name)


def _is_occluded(keys: Extra) -> bool:
    stated = keys.get("attributes")
    places = [keys, stated] if isinstance(stated, dict) else [keys]
    return any(place.get("occluded") is True for place in places)


def _attributes(keys: Extra) -> dict[str, object]:
    """Those of the label; CVAT's COCO files have its own among them."""
    stated = keys.get("attributes")
    return unknown_keys(stated, _OWN) if isinstance(stated, dict) else {}


def _add_shape(
    parent: Element,
    track: Track,
    source: int,
    keys: Extra,
    *,
    frame: int | None = None,
    outside: bool = False,
) -> Element:
    """The mask of frame `source`, or its box where there is no more, at `frame` of a film."""
    piece, (left, top, right, bottom) = decode_box(track.masks[source])
    attributes = {"source": "manual", "occluded": str(int(_is_occluded(keys)))}
    if track.box_only:
        edges = {"xtl": left, "ytl": top, "xbr": right, "ybr": bottom}
    else:
        attributes["rle"], size = _runs(piece)
        edges = {"left": left, "top": top, **size}
    attributes |= {key: str(value) for key, value in edges.items()} | {"z_order": "0"}
    if frame is not None:
        times = {"frame": str(frame), "outside": str(int(outside)), "keyframe": "1"}
        attributes = times | attributes
    element = SubElement(parent, "box" if track.box_only else "mask", attributes)
    for name, value in _attributes(keys).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        SubElement(element, "attribute", {"name": name}).text = text
    return element


def _runs(piece: Painted) -> tuple[str, dict[str, int]]:
    """CVAT's run lengths of a piece, by rows, and its sides."""
    if not piece.size:
        # CVAT has no mask without a pixel: one of background says the same
        piece = np.zeros((1, 1), np.bool_)
    edges = np.flatnonzero(np.diff(piece.ravel(), prepend=False))
    runs = np.diff(edges, prepend=0, append=piece.size)
    return ", ".join(map(str, runs)), {"width": piece.shape[1], "height": piece.shape[0]}
