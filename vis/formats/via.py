"""VGG Image Annotator 2 (and 1): a project or its annotations, regions of pictures with attributes.

One attribute of the regions says the class: the only one there is, or the first of a list of usual
names. Where no region has any, all are of one class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, VisError
from vis.formats.fields import (
    describe,
    frame_name,
    is_number,
    json_list,
    json_object,
    text,
    unknown_keys,
)
from vis.formats.gathering import NO_AREA, Gathering, Opened
from vis.formats.json_file import read_json
from vis.formats.json_head import json_head
from vis.formats.paths import inside
from vis.formats.picture_size import picture_size, size_unknown
from vis.formats.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import VideoEntry

_PICTURES = "_via_img_metadata"
_CLASS_ATTRIBUTES = ("class", "classes", "label", "labels", "name", "category", "type", "object")
_ONLY_CLASS = "object"
_WITHOUT_AREA = ("point", "polyline")


@dataclass(frozen=True, slots=True)
class _ClassAttribute:
    key: str
    options: Mapping[str, Any]
    """Value -> what it is called."""

    def label(self, value: object) -> str:
        """The class: text, or the one option that is ticked."""
        ticked = [name for name, on in value.items() if on] if isinstance(value, dict) else [value]
        count = sum(one not in (None, "") for one in ticked)
        if count != 1:
            raise DataError(f"its {self.key} names {count} classes, not one", remedy="Name one.")
        label = str(ticked[0])
        # a number says nothing by itself, another option is the name
        called = self.options.get(label) if label.isdecimal() else None
        return called if isinstance(called, str) and called else label


def via_file(path: Path) -> Path | None:
    """A file of VIA; None of another kind."""
    head = json_head(path, b"{")
    of_picture = b'"filename"' in head and (b'"regions"' in head or b'"file_attributes"' in head)
    return path if b'"_via_' in head or of_picture else None


def read_via(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The pictures of a file; other attributes of a region are in `track_extra`.

    Args:
        path: of the file.
        frames: the folder that the names are relative to; None: looked for beside the file.
        reading: what becomes of faults; names that begin with a URL need its `prefixes`.

    Raises:
        InputError: the file cannot be read.
        DataError: no attribute is the class, or a picture or region is faulty and `reading` does
            not collect it.
    """
    value = json_object(read_json(path))
    pictures = json_object(value.get(_PICTURES, value))
    key = _class_key(pictures, path)
    attribute = None if key is None else _ClassAttribute(key, _options(value, key))
    places = _places(value, path, frames)
    base, result = None, Gathering()
    for stated, picture in pictures.items():
        try:
            record = json_object(picture)
            name = frame_name(reading.file_name(text(record, "filename")))
            own = next((one for one in places if (one / name).is_file()), None)
            if own is None:
                raise size_unknown()
            video = result.add_video(name, picture_size(inside(own, name)), [name])
        except VisError as error:
            reading.collect(error, stated)
            continue
        base = base or own
        for place, region in enumerate(_regions(record)):
            try:
                _add_region(json_object(region), video, attribute, result, reading=reading)
            except DataError as error:
                reading.collect(error, f"{name}: regions[{place}]")
    if not result.videos and not reading.faults:
        raise DataError("there is no picture in it", where=str(path))
    return Opened(result.annotation_set(), frames or base)


def _places(value: Mapping[str, Any], path: Path, frames: Path | None) -> list[Path]:
    """Folders in which pictures may be."""
    if frames is not None:
        return [frames]
    core: object = value
    for key in ("_via_settings", "core"):
        core = core.get(key) if isinstance(core, dict) else None
    folder = core.get("default_filepath") if isinstance(core, dict) else None
    try:
        stated = [path.parent / frame_name(folder)]
    except DataError:
        stated = []  # empty, or a place on the disk of who drew
    return [place for place in (*stated, path.parent, path.parent / "images") if place.is_dir()]


def _regions(picture: Mapping[str, Any]) -> list[Any]:
    """VIA 1 has a table of them by number."""
    stated = picture.get("regions")
    return list(stated.values()) if isinstance(stated, dict) else json_list(picture, "regions")


def _class_key(pictures: Mapping[str, Any], path: Path) -> str | None:
    """The attribute that says the class; None where no region has attributes."""
    names: dict[str, None] = {}
    for picture in pictures.values():
        try:
            regions = _regions(json_object(picture))
        except DataError:
            continue  # a fault where it is read
        for region in regions:
            stated = region.get("region_attributes") if isinstance(region, dict) else None
            names |= dict.fromkeys(stated) if isinstance(stated, dict) else {}
    usual = (name for one in _CLASS_ATTRIBUTES for name in names if name.lower() == one)
    key = next(usual, None) if len(names) > 1 else next(iter(names), None)
    if names and key is None:
        raise DataError(
            f"regions have the attributes {', '.join(names):.100}, and none is called class",
            where=str(path),
            remedy="Rename the one that says the class to class, here and in VIA.",
        )
    return key


def _options(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Option of the attribute `key` -> what it is called."""
    table: object = value
    for inner in ("_via_attributes", "region", key, "options"):
        table = table.get(inner) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _add_region(
    region: Mapping[str, Any],
    video: VideoEntry,
    attribute: _ClassAttribute | None,
    result: Gathering,
    *,
    reading: Reading,
) -> None:
    stated = json_object(region.get("shape_attributes"))
    if stated.get("name") in _WITHOUT_AREA:
        reading.notes[NO_AREA] += 1
        return
    shape = _shape(stated)
    mask = shape.mask(video.height, video.width)
    others = json_object(region.get("region_attributes", {}))
    label = _ONLY_CLASS
    if attribute is not None:
        label = attribute.label(others.get(attribute.key))
        others = unknown_keys(others, {attribute.key})
    extra = {"attributes": others} if others else {}
    result.add_object(video, label, {0: mask}, box_only=shape.kind == "box", extra=extra)


def _shape(stated: Mapping[str, Any]) -> Shape:
    kind = stated.get("name")
    if kind == "polygon":
        x, y = json_list(stated, "all_points_x"), json_list(stated, "all_points_y")
        if len(x) != len(y) or not all(map(is_number, [*x, *y])):
            raise DataError("all_points_x and all_points_y do not fit", remedy="Draw it again.")
        return Shape("polygon", tuple(v for pair in zip(x, y, strict=True) for v in pair))
    if kind == "rect":
        left, top, width, height = (_number(stated, key) for key in ("x", "y", "width", "height"))
        return Shape("box", (left, top, left + width, top + height))
    if kind not in ("circle", "ellipse"):
        raise DataError(f"a region is {describe(kind)}, which VIA does not draw")
    radii = ("r", "r") if kind == "circle" else ("rx", "ry")
    values = tuple(_number(stated, key) for key in ("cx", "cy", *radii))
    # in radians; older files have none
    theta = stated.get("theta")
    return Shape("ellipse", values, math.degrees(theta) if is_number(theta) else 0.0)


def _number(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    if not is_number(value):
        raise DataError(f"{key} is {describe(value)}, not a number", remedy=f"Correct {key}.")
    return float(value)
