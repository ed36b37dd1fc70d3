"""Any data set from its path: which format it has, what it says, and where its pictures lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vis.errors import DataError, InputError, VisError
from vis.formats.coco import pictures_of
from vis.formats.davis import davis_layout, read_davis
from vis.formats.json_file import read_json
from vis.formats.mots import mots_pictures, read_mots
from vis.formats.paths import video_file_of
from vis.formats.reading import Reading
from vis.formats.semantic import read_semantic
from vis.formats.semantic_layouts import find_pairs
from vis.formats.ytvis import annotations_of, videos_of
from vis.formats.ytvis_kinds import is_pictures, lacks_truth

if TYPE_CHECKING:
    from vis.formats.ytvis_records import AnnotationSet

Kind = Literal["ytvis", "coco", "davis", "mots"]
DataSetKind = Literal[Kind, "semantic"]

_VIDEOS_TRIED = 20
"""Videos whose first frame is looked for; a data set may lack some."""


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
        path: an annotation file, or a folder with one, or a DAVIS or MOTS folder, or one of
            `find_pairs`.
        frames: the folder that its file names are relative to, where it is not found by itself.
        faults: takes every faulty record; None: the first one is raised.
        needs_truth: whether a YouTube-VIS file without annotations is refused; if not, its videos
            have no tracks.

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
        return replace(data, frames=_frames_folder(path, data.annotations))
    return data


def annotation_file(path: Path) -> Path:
    """The one JSON file of a folder, where it has one; else the path as it is.

    Raises:
        InputError: there is no such file or folder.
        DataError: there are several.
    """
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path), remedy="Check it.")
    if not path.is_dir():
        return path
    # as YouTube-VIS 2021 and 2022 name it
    if (path / "instances.json").is_file():
        return path / "instances.json"
    candidates = sorted(file for file in path.glob("*.json") if file.is_file())
    if len(candidates) > 1:
        raise DataError(
            f"there are {len(candidates)} annotation files: "
            f"{', '.join(file.name for file in candidates[:5])}",
            where=str(path),
            remedy="Give one of them.",
        )
    return candidates[0] if candidates else path


def _read(path: Path, faults: list[DataError] | None, needs_truth: bool) -> DataSet:
    pairs = find_pairs(path)
    if pairs is not None:
        return DataSet(path, "semantic", read_semantic(path, pairs, faults), pairs.frames)
    if path.is_dir() and not _is_mots(path):
        return DataSet(path, "davis", read_davis(path, faults), davis_layout(path).frames)
    if path.is_dir() or path.suffix.lower() == ".txt":
        root = path if path.is_dir() else path.parent
        return DataSet(path, "mots", read_mots(path, faults), mots_pictures(root))
    value, reading = read_json(path), Reading(str(path), faults)
    if is_pictures(value):
        return DataSet(path, "coco", pictures_of(value, reading), None)
    if lacks_truth(value) and not needs_truth:
        return DataSet(path, "ytvis", videos_of(value, reading), None, has_truth=False)
    return DataSet(path, "ytvis", annotations_of(value, reading), None)


def _is_mots(folder: Path) -> bool:
    has_folder = any((folder / name).is_dir() for name in ("instances", "instances_txt"))
    return has_folder or bool(next(folder.glob("*.txt"), None))


def _frames_folder(path: Path, annotations: AnnotationSet) -> Path | None:
    """The likeliest folder in which a first frame is: beside the file, or named as it is."""
    parent = path.parent
    split_name = (
        path.stem.removeprefix("instances_").removeprefix("annotations_").removesuffix("_sub")
    )
    candidates = [
        parent / "JPEGImages",
        parent / "images",
        parent / split_name / "JPEGImages",
        parent / split_name,
    ]
    candidates += [parent.parent / split_name / "JPEGImages", parent.parent / split_name, parent]
    return next(
        (
            candidate
            for candidate in candidates
            if candidate.is_dir() and _holds(candidate, annotations)
        ),
        None,
    )


def _holds(folder: Path, annotations: AnnotationSet) -> bool:
    for video in islice(annotations.videos.values(), _VIDEOS_TRIED):
        try:
            if (folder / video.file_names[0]).exists() or video_file_of(folder, video):
                return True
        except (VisError, OSError):
            continue
    return False
