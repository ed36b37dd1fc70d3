"""labelme's JSON, written: one file for each annotated picture or frame."""

from __future__ import annotations

import base64
import io
import json
import posixpath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vis.formats.paths import unique_frame_paths
from vis.formats.shapes import outlines
from vis.ops.rle import decode_box
from vis.storage.whole_file import whole_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import RLE, Track

VERSION = "5.4.1"
"""Of labelme whose files these are; it reads older and newer ones too."""


def write_labelme(root: str | Path, annotation_set: AnnotationSet) -> None:
    """Write the new folder `root`: of each picture a JSON file, of each video a folder of them.

    An object in one piece is a polygon along the edges of its pixels, another one a mask; its id is
    its `group_id` in a video.

    Raises:
        OutputExistsError: `root` is there and not empty.
        OutputError: it cannot be written.
    """
    paths = unique_frame_paths(annotation_set.videos.values())
    with whole_folder(root) as folder:
        for video in annotation_set.videos.values():
            name, stems = _place_of(video, paths[video.id])
            inner = folder / name
            inner.mkdir(exist_ok=True)
            for frame in video.truth_frames:
                shapes = [
                    _shape(track, mask, annotation_set, grouped=video.length > 1)
                    for track in annotation_set.tracks.get(video.id, [])
                    if (mask := track.masks.get(frame)) is not None and decode_box(mask)[0].size
                ]
                picture = posixpath.relpath(video.file_names[frame], name or ".")
                _write_picture(inner / f"{stems[frame]}.json", video, picture, shapes)


def _place_of(video: VideoEntry, path: tuple[str, list[str]]) -> tuple[str, list[str]]:
    """Folder and names without ending of the files of a video."""
    parent, _, name = video.file_names[0].rpartition("/")
    # a picture stays in its folder; a video has one of its own
    if video.length == 1 and "/" not in parent:
        return parent, [name.rpartition(".")[0] or str(video.id)]
    return path


def _write_picture(
    path: Path, video: VideoEntry, picture: str, shapes: list[dict[str, Any]]
) -> None:
    value: dict[str, Any] = {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": picture,
        "imageData": None,
        "imageHeight": video.height,
        "imageWidth": video.width,
    }
    write_whole(path, json.dumps(value, indent=2).encode("ascii"))


def _shape(
    track: Track, mask: RLE, annotation_set: AnnotationSet, *, grouped: bool
) -> dict[str, Any]:
    lines = outlines(mask)
    shape: dict[str, Any] = {
        "label": annotation_set.categories[track.label].name,
        "points": [list(corner) for corner in lines[0]],
        "group_id": int(track.id) if grouped else None,
        "shape_type": "polygon",
        "flags": {},
    }
    piece, (left, top, right, bottom) = decode_box(mask)
    if track.box_only:
        shape |= {"shape_type": "rectangle", "points": [[left, top], [right, bottom]]}
    elif len(lines) > 1:
        buffer = io.BytesIO()
        Image.fromarray(piece.astype(np.uint8)).save(buffer, "PNG")
        shape["shape_type"] = "mask"
        shape["points"] = [[left, top], [right - 1, bottom - 1]]
        shape["mask"] = base64.b64encode(buffer.getvalue()).decode("ascii")
    return shape
