"""Any data set from its path: which format it has, what it says, and where its pictures lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vis.errors import InputError
from vis.formats.coco import pictures_of
from vis.formats.davis import davis_layout, read_davis
from vis.formats.folders import (
    annotation_file,
    frames_folder_of,
    is_mots,
    refuse_folder_of_sets,
)
from vis.formats.json_file import read_json
from vis.formats.mots import mots_pictures, read_mots
from vis.formats.reading import Reading
from vis.formats.sav import FRAMES, LABELS, read_sav, read_sav_pictures, sav_files
from vis.formats.semantic import read_semantic
from vis.formats.semantic_layouts import find_pairs
from vis.formats.video_formats import VideoKind, video_format
from vis.formats.ytvis import annotations_of, videos_of
from vis.formats.ytvis_kinds import is_pictures, lacks_truth

if TYPE_CHECKING:
    from vis.errors import DataError
    from vis.formats.ytvis_records import AnnotationSet

Kind = Literal["ytvis", "coco", "davis", "mots"]
DataSetKind = Literal[Kind, "semantic", VideoKind]


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


def open_set(
    path: str | Path,
    frames: str | Path | None = None,
    faults: list[DataError] | None = None,
    *,
    needs_truth: bool = True,
) -> DataSet:
    """Read a data set, whatever its format.

    Args:
        path: an annotation file, or a folder with one, or a DAVIS, MOTS or SA-V folder, or one of
            `find_pairs`.
        frames: the folder that its file names are relative to, where it is not found by itself.
        faults: takes every faulty record; None: the first one is raised.
        needs_truth: whether a file of YouTube-VIS or COCO without annotations is refused; if not,
            its videos have no tracks.

    Raises:
        InputError: there is no such file or folder.
        DataError: it is no data set, or a record is faulty and `faults` does not take it.
    """
    path = annotation_file(Path(path))
    if frames is not None and not Path(frames).is_dir():
        raise InputError("there is no such folder", where=str(frames), remedy="Check the path.")
    data = _read(path, faults, needs_truth)
    if frames is not None:
        return replace(data, frames=Path(frames))
    if data.frames is None and path.suffix.lower() == ".json":
        return replace(data, frames=frames_folder_of(path, data.annotations))
    return data


def _read(path: Path, faults: list[DataError] | None, needs_truth: bool) -> DataSet:
    pairs = find_pairs(path)
    if pairs is not None:
        return DataSet(path, "semantic", read_semantic(path, pairs, faults), pairs.frames)
    if path.is_dir() and sav_files(path):
        return DataSet(path, "sav", read_sav(path, faults), path)
    if (path / LABELS).is_dir():
        return DataSet(path, "sav", read_sav_pictures(path, faults), path / FRAMES)
    if path.is_dir() and not is_mots(path):
        refuse_folder_of_sets(path)
        return DataSet(path, "davis", read_davis(path, faults), davis_layout(path).frames)
    if path.is_dir() or path.suffix.lower() == ".txt":
        root = path if path.is_dir() else path.parent
        return DataSet(path, "mots", read_mots(path, faults), mots_pictures(root))
    value, reading = read_json(path), Reading(str(path), faults)
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
