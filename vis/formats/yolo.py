"""YOLO segmentation: `data.yaml`, and beside each `images/NAME.jpg` a text `labels/NAME.txt`.

A line is one object: the number of its class, then x y of each point as shares of the sides; a line
of four numbers is a box by its centre, width and height. There are no identities: pictures alone.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from vis.errors import DataError, VisError
from vis.formats.fields import describe, frame_name
from vis.formats.gathering import Gathering, Opened
from vis.formats.json_file import read_regular
from vis.formats.paths import inside
from vis.formats.picture_size import picture_size
from vis.formats.shapes import Shape, one_line, outlines
from vis.ops.natural import natural
from vis.ops.pictures import SUFFIXES
from vis.ops.rle import box
from vis.storage.whole_file import whole_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import RLE

_SPLITS = ("train", "val", "test")
_LARGEST = 2**24
"""Bytes of a text."""
_ABOVE = 4
"""Folders above the pictures in which `data.yaml` is looked for."""


class _Split(NamedTuple):
    """Pictures, and where their labels are."""

    folder: Path
    """Of the pictures."""
    names: list[str]
    """Of the pictures, relative to the folder."""
    labels: Path
    """Folder of the texts."""


def yolo_place(path: Path) -> Path | None:
    """`data.yaml`, or a list or folder of pictures that one names; None of another kind."""
    if path.is_dir():
        own = next((file for file in sorted(path.glob("*.yaml")) if _is_yolo(file)), None)
        # Roboflow's splits: train/images and train/labels, the file beside train
        place = path / "images" if (path / "labels").is_dir() else path
        is_labelled = "images" in place.absolute().parts and _labels_of(place).is_dir()
        return own or (place if is_labelled and place.is_dir() and _yaml_of(place) else None)
    if path.suffix.lower() == ".txt":
        return path if path.is_file() and _is_list(path) and _yaml_of(path) else None
    return path if _is_yolo(path) else None


def read_yolo(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The pictures of a split; category k is class k.

    Args:
        path: as `yolo_place` gives it.
        frames: what stands for the folder `images`; None: that folder.
        reading: what becomes of faults.

    Raises:
        InputError: a file cannot be read.
        DataError: there are several splits, or a line or picture is faulty and `reading` does not
            collect it.
    """
    settings = path if path.suffix.lower() in (".yaml", ".yml") else _yaml_of(path)
    assert settings is not None
    table = _table(settings)
    split = _split_of(_only_split(settings, table) if settings == path else path)
    folder = frames or split.folder
    names = _names(table, settings)
    result = Gathering(names)
    for stated in split.names:
        try:
            name = frame_name(reading.file_name(stated))
            video = result.add_video(name, picture_size(inside(folder, name)), [name])
        except VisError as error:
            reading.collect(error, stated)
            continue
        text = split.labels / Path(stated).with_suffix(".txt")
        if text.is_file():
            _add_objects(video, text, names, result, reading=reading)
    return Opened(result.annotation_set(first_id=0), folder)


def write_yolo(root: str | Path, annotation_set: AnnotationSet) -> None:
    """Write the new folder `root`: `data.yaml`, the list `train.txt`, and the texts in `labels`.

    The pictures belong into `images`. An object of several parts, or with a hole, is one polygon
    whose parts are joined by a line there and back.

    Raises:
        OutputExistsError: `root` is there and not empty.
        OutputError: it cannot be written.
    """
    ids = sorted(annotation_set.categories)
    names = {place: annotation_set.categories[id_].name for place, id_ in enumerate(ids)}
    classes = {id_: place for place, id_ in enumerate(ids)}
    table = {"path": ".", "train": "train.txt", "val": "train.txt", "names": names}
    files: list[str] = []
    with whole_folder(root) as folder:
        for video in annotation_set.videos.values():
            tracks = annotation_set.tracks.get(video.id, [])
            # a picture without text would say that nothing is in it
            for frame in video.truth_frames:
                name = video.file_names[frame]
                lines = [
                    _line(classes[track.label], track.masks[frame], box_only=track.box_only)
                    for track in tracks
                    if frame in track.masks and not track.crowd
                ]
                text = folder / "labels" / Path(name).with_suffix(".txt")
                text.parent.mkdir(parents=True, exist_ok=True)
                write_whole(text, "".join(lines).encode())
                files.append(f"./images/{name}\n")
        write_whole(folder / "train.txt", "".join(files).encode())
        write_whole(folder / "data.yaml", yaml.safe_dump(table, sort_keys=False).encode())


def _is_yolo(path: Path) -> bool:
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return False
    with path.open("rb") as file:
        head = b"\n" + file.read(2**16)
    # the names may be a long list that goes on behind
    return b"\nnames:" in head and any(f"\n{split}:".encode() in head for split in _SPLITS)


def _yaml_of(path: Path) -> Path | None:
    """The file of a folder or list of pictures: beside it, or by its usual name further up."""
    beside, *above = islice(path.absolute().parents, _ABOVE)
    usual = (folder / f"{name}.yaml" for folder in above for name in ("data", "dataset"))
    return next(filter(_is_yolo, (*sorted(beside.glob("*.yaml")), *usual)), None)


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(4096).strip().lower()
    return first.endswith(tuple(suffix.encode() for suffix in SUFFIXES))


def _table(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(read_regular(path, _LARGEST, "a YAML file").decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        line = str(error).splitlines()[0]
        raise DataError(
            f"this is not YAML ({line:.100})", where=str(path), remedy="Correct it."
        ) from None
    if not isinstance(value, dict):
        raise DataError(f"this is {describe(value)}, not a table", where=str(path))
    return value


def _names(table: Mapping[str, Any], path: Path) -> list[str]:
    """Of the classes 0, 1, ...: YOLO has a list, or a table by number."""
    stated = table.get("names")
    if isinstance(stated, dict):
        # a number that is missing has no objects, or they are faults
        stated = [stated.get(number) for number in range(len(stated))]
    if not isinstance(stated, list) or not stated or None in stated:
        raise DataError(
            "names is no list of names, and no table of them by 0, 1, 2 ...",
            where=str(path),
            remedy="Write names: [cat, dog].",
        )
    names = [str(name) for name in stated]
    if len(set(names)) < len(names):
        raise DataError("names has a name twice", where=str(path), remedy="Rename one.")
    return names


def _only_split(path: Path, table: Mapping[str, Any]) -> Path:
    """The folder or list of pictures, where the file names one alone.

    Raises:
        DataError: none is there, or there are several.
    """
    base = path.parent / path_ if isinstance(path_ := table.get("path"), str) else path.parent
    splits: dict[Path, str] = {}
    for key in _SPLITS:
        values = table.get(key)
        for value in values if isinstance(values, list) else [values]:
            # Roboflow writes ../train/images for what lies beside the file
            places = (
                root / str(name)
                for root in (base, path.parent)
                for name in (value, str(value).removeprefix("../"))
            )
            # `Path.exists` raises of a name that is too long
            if place := next((p for p in places if value and os.path.exists(p)), None):  # noqa: PTH110
                splits.setdefault(place.resolve(), f"{key} ({value})")
    if len(splits) != 1:
        what = f"there are {len(splits)} splits: {', '.join(splits.values())}"
        raise DataError(
            what if splits else "none of the folders of pictures that it names is there",
            where=str(path),
            remedy="Give the folder or the list of the pictures of one.",
        )
    return next(iter(splits))


def _split_of(path: Path) -> _Split:
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        names = sorted((file.relative_to(path).as_posix() for file in files), key=natural)
        return _Split(path, names, _labels_of(path))
    text = read_regular(path, _LARGEST, "a list of pictures").decode("utf-8-sig", "replace")
    lines = [line.strip().removeprefix("./") for line in text.splitlines() if line.strip()]
    parts = [line.rpartition("images/") for line in lines]
    heads = {head for head, _, _ in parts}
    if len(heads) != 1 or not all(folder for _, folder, _ in parts):
        raise DataError(
            "the pictures are not all in one folder `images`",
            where=str(path),
            remedy="Give that folder instead of the list.",
        )
    folder = path.parent / heads.pop() / "images"
    return _Split(folder, [name for _, _, name in parts], _labels_of(folder))


def _labels_of(folder: Path) -> Path:
    """The folder of the texts: `labels` in place of the last `images`."""
    parts = list(folder.absolute().parts)
    if "images" not in parts:
        raise DataError(
            "no folder above is called images, so that the texts in labels cannot be found",
            where=str(folder),
            remedy="Put the pictures into images and the texts into labels beside it.",
        )
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _add_objects(
    video: VideoEntry, path: Path, names: list[str], result: Gathering, *, reading: Reading
) -> None:
    lines = read_regular(path, _LARGEST, "a text").decode("utf-8-sig", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label, shape = _parse(line.split(), video, len(names))
            mask = shape.mask(video.height, video.width)
        except DataError as error:
            reading.collect(error, f"{path.name}: line {number}")
            continue
        result.add_object(video, names[label], {0: mask}, box_only=shape.kind == "box")


def _parse(parts: list[str], video: VideoEntry, classes: int) -> tuple[int, Shape]:
    try:
        label, *shares = map(float, parts)
    except ValueError:
        raise DataError("this is no line of numbers", remedy="Write class x y x y ...") from None
    if not (label.is_integer() and 0 <= label < classes):
        raise DataError(f"there is no class {parts[0]:.20}", remedy="Correct it, or names.")
    if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
        raise DataError(
            f"there are {len(shares)} numbers behind the class, not 4 or an even count from 6",
            remedy="Write x y of at least three points, or x y width height of a box.",
        )
    sides = (video.width, video.height)
    values = [share * sides[place % 2] for place, share in enumerate(shares)]
    if len(shares) == 4:
        x, y, width, height = values
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return int(label), Shape("box", edges)
    return int(label), Shape("polygon", tuple(values))


def _line(label: int, mask: RLE, *, box_only: bool) -> str:
    """One object; none where it has no pixel."""
    lines, edges, sides = outlines(mask), box(mask), (mask.width, mask.height)
    if not lines or edges is None:
        return ""
    corners: Sequence[tuple[float, float]] = one_line(lines)
    if box_only:
        x0, y0, x1, y1 = edges
        corners = [((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0)]
    # eight digits are exact in pictures of 32768 pixels, the widest that there may be
    shares = [
        f"{value / side:.8g}"
        for corner in corners
        for value, side in zip(corner, sides, strict=True)
    ]
    return f"{label} {' '.join(shares)}\n"
