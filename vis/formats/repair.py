"""A corrected copy of an annotation file: only what can be put right without guessing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vis.errors import DataError, UsageError
from vis.formats.coco import parse_object, parse_picture, pictures_of
from vis.formats.folders import annotation_file, frames_folders
from vis.formats.json_file import read_json, write_json
from vis.formats.polygon_repair import with_polygons
from vis.formats.prefixes import Frames, with_renamed_files
from vis.formats.reading import Reading, before_writing, id_of
from vis.formats.repair_values import numbers_of_text, slashed_names, without_nan
from vis.formats.size_repair import with_size
from vis.formats.stated_boxes import are_corners
from vis.formats.tools import tool_at
from vis.formats.ytvis import annotations_of
from vis.formats.ytvis_kinds import annotation_lists, is_pictures, picture_lists
from vis.formats.ytvis_masks import frame_areas, frame_boxes
from vis.formats.ytvis_parse import parse_annotation, parse_category, parse_video
from vis.ops.rle import area
from vis.storage.whole_file import already_there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vis.formats.prefixes import AnyFrames
    from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
    from vis.records import Track

    Record = dict[str, Any]


class _Instance(Protocol):
    """A sound annotation, of a video or a picture."""

    @property
    def id(self) -> int: ...
    @property
    def track(self) -> Track: ...
    @property
    def extra(self) -> Extra: ...


@dataclass(frozen=True, slots=True)
class _Layout:
    """How YouTube-VIS or COCO name the same things."""

    videos: str
    lists: Callable[[object, str, Sequence[str]], dict[str, list[Any]]]
    parse_video: Callable[[object], VideoEntry]
    parse_object: Callable[[object, Mapping[int, VideoEntry], Mapping[int, Category]], _Instance]
    redundant: Callable[[Track, Record], Record]
    """Boxes and areas of the masks of a record."""
    read: Callable[[Any, Reading], AnnotationSet]


def _of_frames(track: Track, record: Record) -> Record:
    length = len(record["segmentations"])
    boxes, areas = frame_boxes(track.masks, length), frame_areas(track.masks, length)
    return {"bboxes": boxes, "areas": areas}


def _of_picture(track: Track, record: Record) -> Record:
    del record
    return {"bbox": frame_boxes(track.masks, 1)[0], "area": area(track.masks[0])}


_YTVIS = _Layout(
    "videos", annotation_lists, parse_video, parse_annotation, _of_frames, annotations_of
)
_COCO = _Layout("images", picture_lists, parse_picture, parse_object, _of_picture, pictures_of)
_REDUNDANT = {"bboxes", "areas", "width", "height", "bbox", "area"}
"""What an annotation says although its masks or its video say it."""


def repair(path: str | Path, out: str | Path, frames: AnyFrames = None) -> list[str]:
    """Write a corrected copy of an annotation file.

    Boxes, areas and sizes of an annotation that contradict its masks are made anew from them, as
    are boxes that are two corners. An annotation without an id, or whose id is taken, gets a new
    one; the name of a category becomes its id. A size that a picture or video does not state is
    read from its picture; no other picture is looked at. File names get forward slashes; numbers
    written as text become numbers; polygons become one list each and lose parts of less than three
    points. Records that are faulty otherwise, that name no sound record, or whose object no frame
    shows, are left out. All else stays as it is.

    Args:
        path: of the file, or of the folder that holds it.
        out: the copy.
        frames: the folder of the pictures, where it is not found by itself; what file names begin
            with -> what the copy writes for it.

    Returns:
        One line for each record that was changed or left out.

    Raises:
        InputError: there is no such file.
        UsageError: the data set has no annotation file.
        DataError: it is of another kind; two videos or categories with one id differ, so that
            nobody knows which of them is meant; or no video is left.
        OutputExistsError: `out` is there.
        OutputError: it cannot be written.
    """
    file = _mendable(path, out)
    # NaN in one record is a fault of that record, which is left out, and not of the file
    place = frames if isinstance(frames, Frames) else Frames(frames)
    stated = read_json(file, finite=False)
    value = with_renamed_files(stated, place.prefixes)
    layout = _COCO if is_pictures(value) else _YTVIS
    lists = layout.lists(value, str(file), (layout.videos, "categories", "annotations"))
    folders = frames_folders(file) if place.folder is None else [Path(place.folder)]
    state = _Repair(layout, list(folders))
    with before_writing(file):
        repaired = {
            layout.videos: state.sound_records(lists[layout.videos], layout.videos, state.videos),
            "categories": state.sound_records(lists["categories"], "categories", state.categories),
            "annotations": state.sound_annotations(lists["annotations"]),
        }
    if not state.videos:
        left = f"no sound record is left: {state.changes[0]}"
        raise DataError(left, where=str(file), done="Nothing was written.")
    copy = {**value, **repaired}
    with before_writing(out):
        # the copy must be sound: a fault that is left is one of ours
        layout.read(copy, Reading("the copy"))
    if value != stated:
        state.changes.append("file names begin as --frames-prefix says.")
    finite = without_nan(copy)
    # NaN is unlike itself; what is left of it stands where nothing reads it
    if finite != copy:
        state.changes.append("NaN and infinities in other keys are null now.")
    write_json(out, finite)
    return state.changes


def _mendable(path: str | Path, out: str | Path) -> Path:
    file = annotation_file(Path(path))
    if file.suffix.lower() != ".json":
        raise UsageError("only JSON files can be repaired", where=str(path))
    if tool := tool_at(file):
        raise DataError(
            f"this is a file of {tool[0].kind}, which is not mended as it is",
            where=str(file),
            remedy="Correct it in the tool, or make one of COCO with vis data convert --to coco.",
        )
    if Path(out).exists():
        raise already_there(Path(out))
    return file


@dataclass(slots=True)
class _Repair:
    """What is known of the file so far, and what was done to it."""

    layout: _Layout
    folders: list[Path]
    """That may hold the pictures."""
    videos: dict[int, VideoEntry] = field(default_factory=dict)
    categories: dict[int, Category] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def sound_records(self, entries: list[Any], name: str, table: dict[int, Any]) -> list[Any]:
        """The sound records of a list, each once; `table` gets them parsed, by id."""
        parse = parse_category if name == "categories" else self.layout.parse_video
        first: dict[int, object] = {}
        sound_entries = []
        for index, entry in enumerate(entries):
            where = f"{name}[{index}]{id_of(entry)}"
            entry = self._with_numbers(self._with_slashes(entry, where), where)
            if name == self.layout.videos:
                entry = self._with_size(entry, where)
            _check_unambiguous(entry, first, where)
            try:
                record = parse(entry)
            except DataError as error:
                self.changes.append(f"{where} is left out: {error}")
                continue
            if record.id in table:
                self.changes.append(f"{where} is left out: an earlier record is the same.")
                continue
            table[record.id] = record
            sound_entries.append(entry)
        return sound_entries

    def _with_slashes(self, entry: Any, where: str) -> Any:
        slashed = slashed_names(entry) if isinstance(entry, dict) else {}
        if not slashed:
            return entry
        self.changes.append(f"{where}: its file names have forward slashes now.")
        return {**entry, **slashed}

    def _with_numbers(self, entry: Any, where: str) -> Any:
        numbers = numbers_of_text(entry) if isinstance(entry, dict) else {}
        if not numbers:
            return entry
        self.changes.append(f"{where}: written as numbers now: {', '.join(numbers)}.")
        return {**entry, **numbers}

    def _with_category(self, entry: Any, where: str) -> Any:
        """An annotation that names its category, with the id of it."""
        name = entry.get("category_id") if isinstance(entry, dict) else None
        ids = [category.id for category in self.categories.values() if category.name == name]
        if len(ids) != 1:
            return entry
        self.changes.append(f"{where}: category_id is {ids[0]} now, that of {name!r}.")
        return {**entry, "category_id": ids[0]}

    def _with_id(self, entry: Any, where: str, new_ids: Iterator[int]) -> Any:
        """An annotation whose id is a number; nothing else in the file names it."""
        own = _id(entry)
        if not isinstance(entry, dict) or (own is not None and own >= 0):
            return entry
        numbered = {**entry, "id": next(new_ids)}
        self.changes.append(f"{where} has the id {numbered['id']}: its own was no number from 0.")
        return numbered

    def _with_size(self, entry: Any, where: str) -> Any:
        sized = with_size(entry, self.folders) if isinstance(entry, dict) else entry
        if sized is not entry:
            self.changes.append(
                f"{where}: its size is that of its picture now: "
                f"{sized['width']} x {sized['height']}."
            )
        return sized

    def sound_annotations(self, entries: list[Any]) -> list[Record]:
        """The annotations that are sound or can be made so."""
        places = [f"annotations[{index}]{id_of(entry)}" for index, entry in enumerate(entries)]
        entries = [
            self._with_category(self._with_numbers(entry, where), where)
            for entry, where in zip(entries, places, strict=True)
        ]
        new_ids = count(1 + max((key for key in map(_id, entries) if key is not None), default=0))
        used_ids: set[int] = set()
        sound_entries = []
        for entry, where in zip(entries, places, strict=True):
            try:
                numbered = self._with_id(entry, where, new_ids)
                record, annotation = self._object(numbered, where)
            except DataError as error:
                self.changes.append(f"{where} is left out: {error}")
                continue
            if not any(map(area, annotation.track.masks.values())):
                self.changes.append(f"{where} is left out: no frame shows it.")
                continue
            if annotation.id in used_ids:
                record = {**record, "id": next(new_ids)}
                self.changes.append(f"{where} has the id {record['id']}: its own was taken.")
            used_ids.add(record["id"])
            sound_entries.append(record)
        return sound_entries

    def _object(self, entry: Any, where: str) -> tuple[Record, _Instance]:
        """The annotation as it is, or with all that its masks say too made anew."""
        try:
            annotation = self.layout.parse_object(entry, self.videos, self.categories)
            if not are_corners(annotation.track, annotation.extra):
                return entry, annotation
            fault = DataError("the box is two corners")
        except DataError as error:
            if not isinstance(entry, dict):
                raise
            fault = error
        redrawn = with_polygons(entry)
        if redrawn != entry:
            done = "only its sound polygons are left, each one list"
            self.changes.append(f"{where}: {done}: {fault}")
            return self._object(redrawn, where)
        # without a mask, the box is all that there is
        redundant_keys = _REDUNDANT - {"bbox"} if not entry.get("segmentation") else _REDUNDANT
        reduced = {key: entry[key] for key in entry if key not in redundant_keys}
        annotation = self.layout.parse_object(reduced, self.videos, self.categories)
        redundant = self.layout.redundant(annotation.track, reduced)
        self.changes.append(
            f"{where}: {' and '.join(redundant)} are those of its masks now: {fault}"
        )
        return {**redundant, **reduced}, annotation


def _check_unambiguous(entry: object, first: dict[int, object], where: str) -> None:
    key = _id(entry)
    if key is not None and first.setdefault(key, entry) != entry:
        raise DataError(
            "an earlier record that differs has the same id, so nobody knows which is meant",
            where=where,
            remedy="Give one of them another id, and to the annotations that mean it.",
        )


def _id(entry: object) -> int | None:
    value = entry.get("id") if isinstance(entry, dict) else None
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None
