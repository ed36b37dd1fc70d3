"""Label Studio's JSON, full or JSON-MIN: tasks with a picture or film, and what was drawn in it.

Positions are in hundredths of the sides. What people brush is packed in bits; boxes in films move
in a straight line from one key frame to the next and last until they are switched off.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from vis.errors import DataError, VisError
from vis.formats.brush import unpack_brush
from vis.formats.fields import (
    MOST_FRAMES,
    describe,
    frame_name,
    integer,
    is_number,
    json_list,
    json_object,
)
from vis.formats.gathering import NO_AREA, Gathering, Opened
from vis.formats.json_file import read_json
from vis.formats.json_head import json_head
from vis.formats.labelstudio_min import SEVERAL, full_tasks
from vis.formats.paths import VIDEO_SUFFIXES, pictures
from vis.formats.picture_size import film_info, picture_size, size_unknown
from vis.formats.shapes import Shape, between, turned
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import VideoEntry
    from vis.records import RLE

_LOOKED_AT = 2**22
"""Bytes from the beginning of a list of an unknown kind: a brush may come before all other keys."""
_SERVED = {"/data/upload/": "", "/data/local-files/?d=": ""}
"""What Label Studio's own server puts before the names of files."""
_SHAPES = {
    "polygonlabels": "polygon",
    "rectanglelabels": "rectangle",
    "ellipselabels": "ellipse",
    "brushlabels": "brush",
}
_Frames = dict[int, "RLE"]


def labelstudio_file(path: Path) -> Path | None:
    """A file with a list of tasks; None of another kind."""
    head = json_head(path, b"[", _LOOKED_AT)
    # the last two are of JSON-MIN
    keys = (b'"annotations"', b'"completions"', b'"annotation_id"', b'"original_width"')
    return path if any(key in head for key in keys) else None


def read_labelstudio(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The pictures and films of the tasks; of several annotations of a task, the first counts.

    Args:
        path: of the file.
        frames: the folder that the names are relative to; None: looked for beside the file.
        reading: what becomes of faults; names that begin with a URL need its `prefixes`.

    Raises:
        InputError: the file cannot be read.
        DataError: a task is faulty and `reading` does not collect it.
    """
    result = Gathering()
    bases = [frames] if frames else [path.parent, path.parent / "images", path.parent / "videos"]
    places = [base for base in bases if base.is_dir()]
    base = None
    for index, task in full_tasks(read_json(path), reading):
        try:
            record = json_object(task)
            name, is_film = _source(record, reading)
            regions = _regions(record, reading)
            own = next((one for one in places if (one / name).exists()), None)
            base = base or own
            add = _add_film if is_film else _add_picture
            add(name, own, regions, result, reading=reading)
        except VisError as error:
            reading.collect(error, f"tasks[{index}]")
    if not result.videos and not reading.faults:
        raise DataError("there is no task with a picture or film in it", where=str(path))
    return Opened(result.annotation_set(), frames or base)


def _source(task: Mapping[str, Any], reading: Reading) -> tuple[str, bool]:
    """Name of the picture or film, and whether it is a film."""
    data = json_object(task.get("data"))
    stated = [value for value in data.values() if isinstance(value, str)]
    files = {key: data[key] for key in ("video", "image", "img") if isinstance(data.get(key), str)}
    name = next(iter(files.values()), stated[0] if stated else None)
    if name is None:
        raise DataError("data names no file", remedy="Add image or video.")
    renamed = reading.file_name(name)
    for served in _SERVED if renamed == name else ():
        renamed = renamed.removeprefix(served)
    return frame_name(renamed), "video" in files or renamed.lower().endswith(VIDEO_SUFFIXES)


def _regions(task: Mapping[str, Any], reading: Reading) -> list[dict[str, Any]]:
    """The results of the first annotation that was not cancelled, with their labels in place."""
    annotations = task.get("annotations", task.get("completions"))
    records = [json_object(one) for one in annotations] if isinstance(annotations, list) else []
    sound = [one for one in records if not one.get("was_cancelled")]
    reading.notes[SEVERAL] += len(sound) > 1
    results = [json_object(one) for one in json_list(sound[0], "result")] if sound else []
    labels: dict[str, list[Any]] = {}
    for one in results:
        value = one.get("value")
        stated = _labels(value) if isinstance(value, dict) else []
        if stated:
            labels.setdefault(str(one.get("id")), stated)
    # a <Labels> of its own is a result beside that of the shape, with the same id
    return [
        one | {"labels": labels.get(str(one.get("id")), _labels(one.get("value")))}
        for one in results
        if one.get("type") != "labels"
    ]


def _labels(value: object) -> list[Any]:
    keys = ("labels", *_SHAPES)
    stated = [value[key] for key in keys if key in value] if isinstance(value, dict) else []
    return next((one for one in stated if isinstance(one, list) and one), [])


def _label(result: Mapping[str, Any]) -> str:
    labels = result["labels"]
    if len(labels) != 1 or not isinstance(labels[0], str):
        raise DataError(f"it has {len(labels)} labels, not one", remedy="Give it one label.")
    return str(labels[0])


def _add_picture(
    name: str,
    base: Path | None,
    regions: list[dict[str, Any]],
    result: Gathering,
    *,
    reading: Reading,
) -> None:
    shapes = [one for one in regions if _kind(one)]
    reading.notes[NO_AREA] += len(regions) - len(shapes)
    stated = next((one for one in shapes if "original_width" in one), None)
    if stated is not None:
        size = integer(stated, "original_height", low=1), integer(stated, "original_width", low=1)
    elif base is not None:
        size = picture_size(base / name)
    else:
        raise size_unknown()
    check_size(*size)
    video = result.add_video(name, size, [name])
    for one in shapes:
        try:
            kind = _kind(one)
            mask = _shape(kind, json_object(one.get("value")), size).mask(*size)
            result.add_object(video, _label(one), {0: mask}, box_only=kind == "rectangle")
        except DataError as error:
            reading.collect(error, f"{name}: result {describe(one.get('id'))}")


def _kind(result: Mapping[str, Any]) -> str:
    """What was drawn; "" if it covers no area."""
    kind = str(result.get("type"))
    return _SHAPES.get(kind, kind if kind in _SHAPES.values() else "")


def _shape(kind: str, value: dict[str, Any], size: tuple[int, int]) -> Shape:
    height, width = size
    if kind == "brush":
        return Shape("painted", (0.0, 0.0), painted=unpack_brush(value.get("rle"), height, width))
    if kind == "polygon":
        points = json_list(value, "points")
        if not all(isinstance(one, list) and len(one) == 2 for one in points):
            raise DataError("points are not [x, y] each", remedy="Draw the polygon again.")
        table = {f"{place}": share for place, share in enumerate(chain.from_iterable(points))}
        shares = [_share(table, key) for key in table]
        sides = (width, height)
        return Shape("polygon", tuple(v * sides[n % 2] for n, v in enumerate(shares)))
    x, y = _share(value, "x") * width, _share(value, "y") * height
    degrees = value.get("rotation", 0)
    degrees = float(degrees) if is_number(degrees) else 0.0
    if kind == "ellipse":
        radii = _share(value, "radiusX") * width, _share(value, "radiusY") * height
        return Shape("ellipse", (x, y, *radii), degrees)
    half = _share(value, "width") * width / 2, _share(value, "height") * height / 2
    # turned about its first corner there, about its centre here
    across, down = turned(*half, degrees)
    edges = (x + across - half[0], y + down - half[1], x + across + half[0], y + down + half[1])
    return Shape("box", edges, degrees)


def _share(value: Mapping[str, Any], key: str) -> float:
    number = value.get(key)
    if not is_number(number):
        raise DataError(f"{key} is {describe(number)}, not a number", remedy=f"Correct {key}.")
    return number / 100


def _add_film(
    name: str,
    base: Path | None,
    regions: list[dict[str, Any]],
    result: Gathering,
    *,
    reading: Reading,
) -> None:
    moving = [one for one in regions if one.get("type") == "videorectangle"]
    reading.notes[NO_AREA] += len(regions) - len(moving)
    values = [json_object(one.get("value")) for one in moving]
    size, names = _film(name, base, values)
    video = result.add_video(name.rpartition("/")[2].rpartition(".")[0] or name, size, names)
    for one, value in zip(moving, values, strict=True):
        try:
            masks = dict(_moved(value, video))
            result.add_object(video, _label(one), masks, box_only=True)
        except DataError as error:
            reading.collect(error, f"{name}: result {describe(one.get('id'))}")


def _film(
    name: str, base: Path | None, values: list[dict[str, Any]]
) -> tuple[tuple[int, int], list[str]]:
    """(height, width) and names of the frames: pictures in a folder of its name, or the film."""
    stem = name.rpartition(".")[0] or name
    if base is None:
        raise size_unknown()
    counts = [integer(one, "framesCount", low=1) for one in values if "framesCount" in one]
    keys = [json_object(key) for value in values for key in json_list(value, "sequence")]
    length = max([*counts, *(integer(key, "frame") for key in keys), 1])
    if length > MOST_FRAMES:
        raise DataError(f"the film has {length} frames", remedy="Correct framesCount.")
    if (base / stem).is_dir() and (files := pictures(base / stem)):
        names = [f"{stem}/{file.name}" for file in files.values()]
        return picture_size(base / names[0]), names
    height, width, frames = film_info(base / name)
    # it counts by the rate that its user set, whatever the film's is
    if frames and counts and abs(frames - length) > 1:
        raise DataError(
            f"Label Studio counted {length} frames, the film has {frames}",
            remedy="Set frameRate of its <Video> to that of the film, and draw the boxes again.",
        )
    names = [f"{stem}/{frame:06d}.jpg" for frame in range(frames or length)]
    return (height, width), names


def _moved(value: dict[str, Any], video: VideoEntry) -> Iterator[tuple[int, RLE]]:
    """Frame and mask of each frame that shows a box."""
    size = (video.height, video.width)
    keys: dict[int, tuple[bool, Shape | None]] = {}
    for one in map(json_object, json_list(value, "sequence")):
        on = one.get("enabled") is not False
        # other tools switch off without a box
        shape = _shape("rectangle", one, size) if on or "x" in one else None
        keys[integer(one, "frame", low=1, high=video.length) - 1] = (on, shape)
    frames = sorted(keys)
    for frame, later in zip_longest(frames, frames[1:]):
        on, shape = keys[frame]
        if shape is None:
            continue
        end = video.length if later is None else later
        target = None if later is None else keys[later][1]
        # the key frame that switches off shows the box a last time
        mask = shape.mask(*size)
        for now in range(frame, end if on else frame + 1):
            moved = between(shape, target or shape, (now - frame) / (end - frame))
            yield now, mask if moved == shape else moved.mask(*size)
