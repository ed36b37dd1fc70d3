"""Any data set from its path: which format it has, what it says, and where its pictures lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from vis.errors import InputError
from vis.formats.coco import pictures_of
from vis.formats.davis import davis_layout, read_davis
from vis.formats.folders import (
    annotation_file,
    frames_folder_of,
    is_mots,
    refuse_folder_of_sets,
)
from vis.formats.gathering import notes_of
from vis.formats.json_file import read_json
from vis.formats.mots import mots_pictures, read_mots
from vis.formats.prefixes import AnyFrames, Frames, with_renamed_files
from vis.formats.reading import Reading
from vis.formats.sav import FRAMES, LABELS, read_sav, read_sav_pictures, sav_files
from vis.formats.semantic import read_semantic
from vis.formats.semantic_layouts import find_pairs
from vis.formats.tools import ToolKind, tool_at
from vis.formats.video_formats import VideoKind, video_format
from vis.formats.ytvis import annotations_of, videos_of
from vis.formats.ytvis_kinds import is_pictures, lacks_truth

if TYPE_CHECKING:
    from vis.errors import DataError
    from vis.formats.ytvis_records import AnnotationSet

Kind = Literal["ytvis", "coco", "davis", "mots", "cvat", "labelme", "yolo"]
"""That can be written."""
DataSetKind = Literal[Kind, "semantic", VideoKind, ToolKind]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as it lies on the disk."""

    path: Path
    """The annotation file, or the folder."""
    kind: DataSetKind
    annotations: AnnotationSet
    frames: Path | None
    """The folder that the file names are relative to; None if it was not found."""
    has_truth: bool = True
    """False where videos and categories alone are listed, as in the test set of a challenge."""
    notes: tuple[str, ...] = ()
    """What was read otherwise than it says, or left out."""

    @property
    def of_pictures(self) -> bool:
        """Whether it is of single pictures, not of videos of which some have one frame."""
        return self.kind in ("coco", *get_args(ToolKind)) and all(
            video.length == 1 for video in self.annotations.videos.values()
        )


def open_set(
    path: str | Path,
    frames: AnyFrames = None,
    faults: list[DataError] | None = None,
    *,
    needs_truth: bool = True,
) -> DataSet:
    """Read a data set, whatever its format.

    Args:
        path: an annotation file, or a folder with one, or a DAVIS, MOTS or SA-V folder, or one of
            `find_pairs`, or what `tool_at` knows.
        frames: the folder that its file names are relative to, where it is not found by itself, or
            what file names begin with too.
        faults: takes every faulty record; None: the first one is raised.
        needs_truth: whether a file of YouTube-VIS or COCO without annotations is refused; if not,
            its videos have no tracks.

    Raises:
        InputError: there is no such file or folder.
        DataError: it is no data set, or a record is faulty and `faults` does not take it.
    """
    place = frames if isinstance(frames, Frames) else Frames(frames)
    path, folder = Path(path), None if place.folder is None else Path(place.folder)
    if folder is not None and not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), remedy="Check the path.")
    tool = tool_at(path)
    if tool is None:
        path = annotation_file(path)
        tool = tool_at(path)
    path = path if tool is None else tool[1]
    reading = Reading(str(path), faults, prefixes=place.prefixes)
    if tool is not None:
        data = DataSet(path, tool[0].kind, *tool[0].read(path, folder, reading))
    else:
        data = _read(path, folder, reading, needs_truth=needs_truth)
    data = replace(data, notes=notes_of(reading.notes))
    if folder is not None:
        return replace(data, frames=folder)
    if data.frames is None and data.path.suffix.lower() in (".json", ".xml"):
        return replace(data, frames=frames_folder_of(data.path, data.annotations))
    return data


def _read(path: Path, folder: Path | None, reading: Reading, *, needs_truth: bool) -> DataSet:
    faults = reading.faults
    pairs = find_pairs(path)
    if pairs is not None:
        return DataSet(path, "semantic", read_semantic(path, pairs, faults), pairs.frames)
    if path.is_dir() and sav_files(path):
        return DataSet(path, "sav", read_sav(path, faults), path)
    if (path / LABELS).is_dir():
        return DataSet(path, "sav", read_sav_pictures(path, faults), path / FRAMES)
    if path.is_dir() and not is_mots(path):
        refuse_folder_of_sets(path)
        return DataSet(
            path, "davis", read_davis(path, faults, frames=folder), davis_layout(path).frames
        )
    if path.is_dir() or path.suffix.lower() == ".txt":
        root = path if path.is_dir() else path.parent
        return DataSet(path, "mots", read_mots(path, faults, frames=folder), mots_pictures(root))
    value = with_renamed_files(read_json(path), reading.prefixes)
    of_videos = video_format(value)
    if of_videos is not None:
        return DataSet(path, of_videos.kind, of_videos.read(value, reading), None)
    without_truth = lacks_truth(value) and not needs_truth
    if is_pictures(value):
        whole = {**value, "annotations": []} if without_truth else value
        pictures = pictures_of(whole, reading)
        return DataSet(path, "coco", pictures, None, has_truth=not without_truth)
    if without_truth:
        return DataSet(path, "ytvis", videos_of(value, reading), None, has_truth=False)
    return DataSet(path, "ytvis", annotations_of(value, reading), None)
