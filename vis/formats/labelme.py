"""labelme: one JSON file a picture, each with the shapes that were drawn in it.

Shapes of one picture with one label and `group_id` are one object in parts. Where such a pair is in
several pictures of a folder, the pictures are frames of a video and the pair is an identity.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from vis.errors import DataError, VisError
from vis.formats.fields import (
    check_frame_name,
    describe,
    frame_name,
    is_number,
    json_list,
    json_object,
    sides,
    text,
)
from vis.formats.gathering import NO_AREA, Gathering, Opened
from vis.formats.json_file import read_json
from vis.formats.json_head import json_head
from vis.formats.paths import subfolders
from vis.formats.shapes import Painted, Shape
from vis.ops.natural import natural
from vis.ops.pictures import FAULTS
from vis.ops.rle import merge
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from vis.formats.reading import Reading
    from vis.records import RLE

_WITHOUT_AREA = ("point", "points", "line", "linestrip")
_FOLDERS_TRIED = 20
_Key = tuple[str, object]
"""Label, and group or place of an object among the shapes."""


class _Picture(NamedTuple):
    """One JSON file, read."""

    name: str
    size: tuple[int, int]
    objects: dict[_Key, tuple[RLE, bool]]
    """Mask, and whether it is a box alone. Without a group, the place of the shape is in its
    stead, as text."""


def labelme_place(path: Path) -> Path | None:
    """A file of labelme, or a folder with some, or of such folders; None of another kind."""
    if not path.is_dir():
        return path if _is_labelme(path) else None
    candidates = [path, *subfolders(path)[:_FOLDERS_TRIED]]
    first = (file for folder in candidates for file in _json_files(folder)[:1])
    return path if _is_labelme(next(first, path)) else None


def read_labelme(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The pictures of JSON files, or the videos that they are frames of.

    Args:
        path: of a file, or of a folder of files or of such folders.
        frames: the folder that the pictures' names are relative to; None: that of the files, or the
            one above where a name leads there.
        reading: what becomes of faults.

    Raises:
        InputError: a file cannot be read.
        DataError: a file or shape is faulty and `reading` does not collect it.
    """
    root = path if path.is_dir() else path.parent
    result = Gathering()
    folders = [root, *subfolders(root)] if path.is_dir() else [root]
    files_by_folder = {one: _json_files(one) if path.is_dir() else [path] for one in folders}
    base = _base(root, files_by_folder, reading) if frames is None else root
    for folder, files in files_by_folder.items():
        pictures = list(_pictures(files, folder.relative_to(base).as_posix(), reading))
        if _are_frames(pictures):
            _add_video(pictures, folder.name, result)
            reading.notes["{} folders are videos: a label and group_id is in several frames"] += 1
        else:
            _add_pictures(pictures, result)
    if not result.videos and not reading.faults:
        raise DataError("there is no file of labelme in it", where=str(path))
    first = next((video.file_names[0] for video in result.videos.values()), None)
    beside = base if first is not None and (base / first).is_file() else None
    return Opened(result.annotation_set(), frames or beside)


def _is_labelme(path: Path) -> bool:
    return b'"shapes"' in json_head(path, b"{")


def _json_files(folder: Path) -> list[Path]:
    files = [path for path in folder.glob("*.json") if not path.name.startswith(".")]
    return sorted(files, key=lambda path: natural(path.name))


def _base(root: Path, files_by_folder: Mapping[Path, list[Path]], reading: Reading) -> Path:
    """The folder that names are made relative to: one above, where the files lie beside theirs."""
    for folder, files in files_by_folder.items():
        for file in files[:1]:
            try:
                stated = _stated_name(json_object(read_json(file)), reading)
            except VisError:
                return root
            name = posixpath.join(folder.relative_to(root).as_posix(), stated)
            return root.parent if posixpath.normpath(name).startswith("../") else root
    return root


def _stated_name(record: Mapping[str, Any], reading: Reading) -> str:
    return reading.file_name(text(record, "imagePath").replace("\\", "/"))


def _pictures(files: Iterable[Path], folder: str, reading: Reading) -> Iterator[_Picture]:
    for file in files:
        try:
            yield _picture(json_object(read_json(file)), folder, file, reading=reading)
        except VisError as error:
            reading.collect(error, file.name)


def _picture(record: dict[str, Any], folder: str, file: Path, *, reading: Reading) -> _Picture:
    stated = _stated_name(record, reading)
    # labelme says where the picture is seen from the file
    if not stated.startswith("../"):
        check_frame_name(stated)
    name = frame_name(posixpath.normpath(posixpath.join(folder, stated)))
    size = sides({"height": record.get("imageHeight"), "width": record.get("imageWidth")})
    check_size(*size)
    parts: dict[_Key, list[RLE]] = {}
    outlined: set[_Key] = set()
    for place, shape in enumerate(json_list(record, "shapes")):
        try:
            shape = json_object(shape)
            if shape.get("shape_type") in _WITHOUT_AREA:
                reading.notes[NO_AREA] += 1
                continue
            mask = _parse_shape(shape).mask(*size)
            group = shape.get("group_id")
            key = (text(shape, "label"), f"shape {place}" if group is None else _group(group))
        except DataError as error:
            reading.collect(error, f"{file.name}: shapes[{place}]")
            continue
        parts.setdefault(key, []).append(mask)
        if shape.get("shape_type") != "rectangle":
            outlined.add(key)
    objects = {key: (merge(masks), key not in outlined) for key, masks in parts.items()}
    return _Picture(name, size, objects)


def _group(value: object) -> int:
    if type(value) is not int:
        raise DataError(f"group_id is {describe(value)}, not a number", remedy="Write 1, 2, 3 ...")
    return value


def _parse_shape(record: dict[str, Any]) -> Shape:
    kind = record.get("shape_type") or "polygon"
    points = json_list(record, "points")
    values = [value for point in points if isinstance(point, list) for value in point]
    if not all(map(is_number, values)) or len(values) != 2 * len(points):
        raise DataError("points are not [x, y] each", remedy="Draw the shape again.")
    if kind == "mask":
        corner = values[:2] if len(values) >= 2 else [0.0, 0.0]
        return Shape("painted", tuple(corner), painted=_decoded(text(record, "mask")))
    if kind in ("rectangle", "circle"):
        if len(points) != 2:
            raise DataError(f"a {kind} has {len(points)} points, not 2", remedy="Draw it again.")
        x0, y0, x1, y1 = values
        if kind == "circle":
            radius = math.hypot(x1 - x0, y1 - y0)
            return Shape("ellipse", (x0, y0, radius, radius))
        return Shape("box", (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return Shape("polygon", tuple(values))


def _decoded(code: str) -> Painted:
    """The PNG picture of a mask, as base64."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(code)), formats=("PNG",)) as image:
            check_size(image.height, image.width)
            return np.asarray(image.convert("L")) > 0
    except (binascii.Error, *FAULTS) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("the mask is no PNG picture in base64", remedy="Draw it again.") from None


def _are_frames(pictures: list[_Picture]) -> bool:
    """Whether a pair of label and group is in several pictures, all of one size."""
    groups = [key for one in pictures for key in one.objects if isinstance(key[1], int)]
    return len(set(groups)) < len(groups) and len({one.size for one in pictures}) == 1


def _add_video(pictures: list[_Picture], name: str, result: Gathering) -> None:
    video = result.add_video(name, pictures[0].size, [one.name for one in pictures])
    objects: dict[_Key, dict[int, RLE]] = {}
    boxes: set[_Key] = set()
    for frame, picture in enumerate(pictures):
        for (label, group), (mask, box_only) in picture.objects.items():
            alone = (label, group if isinstance(group, int) else f"{frame} {group}")
            objects.setdefault(alone, {})[frame] = mask
            boxes |= {alone} if box_only else set()
    for key, masks in objects.items():
        result.add_object(video, key[0], masks, box_only=key in boxes)


def _add_pictures(pictures: list[_Picture], result: Gathering) -> None:
    for picture in pictures:
        video = result.add_video(picture.name, picture.size, [picture.name])
        for (label, _), (mask, box_only) in picture.objects.items():
            result.add_object(video, label, {0: mask}, box_only=box_only)
