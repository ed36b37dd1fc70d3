"""CVAT's XML 1.1: tracks over the frames of films, or shapes in pictures.

A film's frames are pictures in a folder, or the film itself beside the file. Numbers of frames are
those of the film; a task may begin later and leave frames out, which nobody annotated then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vis.errors import DataError
from vis.formats.coco_video import keys_by_frame
from vis.formats.cvat_shapes import (
    WITHOUT_AREA,
    interpolated,
    keys_of,
    parse_shape,
    parse_track_shape,
)
from vis.formats.fields import MOST_FRAMES, check_frame_name, frame_name
from vis.formats.gathering import NO_AREA, Gathering, Opened
from vis.formats.paths import VIDEO_SUFFIXES, pictures
from vis.formats.picture_size import film_info, picture_size
from vis.formats.xml_file import read_xml, whole
from vis.ops.rle_checks import check_size

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import VideoEntry

_STEP = re.compile(r"step\s*=\s*(\d{1,6})")
_NUMBER = re.compile(r"frame_(\d{1,9})$")


class _Frames(NamedTuple):
    """The frames of a task."""

    base: Path | None
    """The folder of their files."""
    names: list[str]
    """Of their files."""
    places: dict[int, int]
    """Number in the film -> place among the names, rising."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A film as the file speaks of it."""

    id: str
    name: str
    """Of the film without ending, or of the task."""
    length: int | None
    first: int
    step: int
    size: tuple[int, int] | None
    """(height, width)."""


def cvat_file(path: Path) -> Path | None:
    """The XML file of CVAT at a path, or in a folder as `annotations.xml`; None of another kind."""
    file = path / "annotations.xml" if path.is_dir() else path
    if file.suffix.lower() != ".xml" or not file.is_file():
        return None
    return file if b"<annotations" in _head(file) else None


def read_cvat(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The videos of the tracks of an XML file, or its pictures, each a video of one frame.

    Attributes and `occluded` are in `track_extra`, those that change by frame under `by_frame`.

    Args:
        path: of the file.
        frames: the folder of the pictures or films; None: looked for beside the file.
        reading: what becomes of faults.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record is faulty and `reading` does not collect it.
    """
    root = read_xml(path)
    if root.tag != "annotations":
        raise DataError(f"this is <{root.tag}>, not CVAT's <annotations>", where=str(path))
    labels = (name.text for name in root.iterfind("meta//labels/label/name") if name.text)
    result = Gathering(dict.fromkeys(labels))
    folder = None
    if root.find("track") is not None or root.find("image") is None:
        folder = _add_videos(root, path, frames, result, reading=reading)
    for index, element in enumerate(root.iterfind("image")):
        try:
            _add_picture(element, result, reading)
        except DataError as error:
            reading.collect(error, f"image[{index}]")
    if not result.videos:
        raise DataError("there is no track and no image in it", where=str(path))
    return Opened(result.annotation_set(), folder or frames)


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(4096)


def _add_picture(element: Element, result: Gathering, reading: Reading) -> None:
    size = whole(element.attrib, "height"), whole(element.attrib, "width")
    check_size(*size)
    name = frame_name(reading.file_name(element.get("name", "")))
    video = result.add_video(name, size, [name])
    for place, child in enumerate(element):
        if child.tag in WITHOUT_AREA:
            reading.notes[NO_AREA] += 1
            continue
        try:
            mask = parse_shape(child).mask(*size)
        except DataError as error:
            reading.collect(error, f"image {name}: shape {place}")
            continue
        label, box_only = child.get("label", ""), child.tag == "box"
        result.add_object(video, label, {0: mask}, box_only=box_only, extra=keys_of(child))


def _add_videos(
    root: Element, path: Path, frames: Path | None, result: Gathering, *, reading: Reading
) -> Path | None:
    """The videos of the tasks with their tracks; the folder of their frames."""
    tracks = root.findall("track")
    tasks = _tasks(root, path)
    folder = None
    for task in tasks:
        own = [
            (index, track)
            for index, track in enumerate(tracks)
            if len(tasks) == 1 or track.get("task_id") == task.id
        ]
        base, names, places = _frames_of(task, path, frames, [track for _, track in own])
        folder = folder or base
        size = task.size or _size(base, names, task, path)
        check_size(*size)
        # of a film, the task may have some frames alone
        video = result.add_video(task.name, size, names, tuple(places.values()))
        for index, track in own:
            try:
                _add_track(track, video, places, result, reading=reading)
            except DataError as error:
                reading.collect(error, f"track[{index}] (id {track.get('id')})")
    return folder


def _add_track(
    track: Element,
    video: VideoEntry,
    places: dict[int, int],
    result: Gathering,
    *,
    reading: Reading,
) -> None:
    shapes = [shape for shape in track if shape.tag not in WITHOUT_AREA]
    if not shapes:
        reading.notes[NO_AREA] += 1
        return
    in_order = sorted(map(parse_track_shape, shapes), key=lambda one: one.frame)
    box_only = any(shape.tag == "box" for shape in shapes)
    masks, keys = {}, {}
    for place, mask, own in interpolated(in_order, places, (video.height, video.width)):
        masks[place], keys[place] = mask, own
    extra = keys_by_frame(keys, video.length)
    label = track.get("label", "")
    result.add_object(video, label, masks, box_only=box_only, extra=extra)


def _tasks(root: Element, path: Path) -> list[_Task]:
    meta = root.find("meta")
    if meta is None:
        return [_Task("", path.stem, None, 0, 1, None)]
    # of a project, of a task, of a job within one
    places = ("project/tasks/task", "task", "job")
    elements = next(filter(None, map(meta.findall, places)), [])
    source = meta.findtext("source", "") or path.stem
    tasks = [_task(element, source) for element in elements]
    tasks = tasks or [_Task("", _stem(source), None, 0, 1, None)]
    for task in tasks:
        try:
            check_frame_name(task.name)  # it becomes a folder
        except DataError as error:
            raise error.at(f"{path}: meta") from None
    return tasks


def _task(element: Element, fallback: str) -> _Task:
    texts = {child.tag: (child.text or "").strip() for child in element}
    original, size = element.find("original_size"), None
    if original is not None:
        sides = {side.tag: side.text or "" for side in original}
        size = whole(sides, "height"), whole(sides, "width")
    step = _STEP.search(texts.get("frame_filter", ""))
    first = whole(texts, "start_frame") if texts.get("start_frame") else 0
    return _Task(
        id=texts.get("id", ""),
        name=_stem(texts.get("source") or fallback),
        length=whole(texts, "size") if texts.get("size") else None,
        first=first,
        step=max(int(step[1]), 1) if step else 1,
        size=size,
    )


def _stem(source: str) -> str:
    """The name of a film without folder and ending."""
    name = source.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, _, ending = name.rpartition(".")
    return stem if stem and f".{ending}".lower() in (*VIDEO_SUFFIXES, ".zip", ".gif") else name


def _frames_of(task: _Task, path: Path, frames: Path | None, tracks: list[Element]) -> _Frames:
    base, files = _files(task, path, frames)
    last = max((whole(shape.attrib, "frame") for track in tracks for shape in track), default=0)
    if task.length is not None:
        length = task.length
    elif files:
        length = len(files)
    else:
        length = (last - task.first) // task.step + 1
    if not 0 < length <= MOST_FRAMES:
        raise DataError(f"the video {task.name} has {length} frames", where=str(path))
    numbers = range(task.first, task.first + length * task.step, task.step)
    places = {number: place for place, number in enumerate(numbers)}
    if not files:
        film = None if base is None else _film_of(base, task)
        count = 0 if film is None else film_info(film)[2]
        if count > numbers[-1]:
            numbers, places = range(count), {number: number for number in numbers}
        return _Frames(base, [f"{task.name}/frame_{n:06d}.PNG" for n in numbers], places)
    if len(files) == length:
        return _Frames(base, files, places)
    # more pictures than frames of the task: all of the film, by CVAT's numbers or in order
    stated = [_NUMBER.search(name.rpartition("/")[2].rpartition(".")[0]) for name in files]
    by_number = {int(one[1]): name for one, name in zip(stated, files, strict=True) if one}
    by_number = by_number if len(by_number) == len(files) else dict(enumerate(files))
    missing = [number for number in numbers if number not in by_number]
    if missing:
        raise DataError(
            f"{len(missing)} of {length} pictures are missing, the first is frame {missing[0]}",
            where=f"{path}: video {task.name}",
            remedy="Export the frames again, or give their folder with --frames.",
        )
    return _Frames(base, [by_number[number] for number in numbers], places)


def _files(task: _Task, path: Path, frames: Path | None) -> tuple[Path | None, list[str]]:
    """A folder, and the pictures of the video below it; none of a film that lies there."""
    parent = path.parent
    bases = [frames] if frames else [parent / "images", parent / "JPEGImages", parent]
    for base in (base for base in bases if base.is_dir()):
        own = base / task.name
        if own.is_dir() and (files := pictures(own)):
            return base, [f"{task.name}/{file.name}" for file in files.values()]
        if _film_of(base, task):
            return base, []
        if files := pictures(base):
            return base, [file.name for file in files.values()]
    return None, []


def _film_of(base: Path, task: _Task) -> Path | None:
    films = (base / f"{task.name}{suffix}" for suffix in VIDEO_SUFFIXES)
    return next((film for film in films if film.is_file()), None)


def _size(base: Path | None, names: list[str], task: _Task, path: Path) -> tuple[int, int]:
    if base is not None:
        if (base / names[0]).is_file():
            return picture_size(base / names[0])
        film = _film_of(base, task)
        assert film is not None
        height, width, _ = film_info(film)
        return height, width
    raise DataError(
        f"the size of the video {task.name} is not in the file, and its frames were not found",
        where=str(path),
        remedy="Give the folder of its frames, or of the film, with --frames.",
    )
