"""What lies in a folder: its annotation file, a MOTS set, and the pictures that a file names."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError, VisError
from vis.formats.mots import mots_pictures
from vis.formats.mots_text import is_mots_text
from vis.formats.paths import subfolders, video_file_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vis.formats.ytvis_records import AnnotationSet

ANNOTATIONS = "annotations"
"""The folder that COCO, and CVAT's and FiftyOne's exports, keep their JSON files in."""
_VIDEOS_TRIED = 20
"""Videos whose first frame is looked for; a data set may lack some."""
_LISTED = 5
"""Files that a message names."""


def annotation_file(path: Path) -> Path:
    """The one JSON file of a folder, or of its `annotations`, where there is one; else the path.

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
    candidates = _json_files(path) or _json_files(path / ANNOTATIONS)
    # of SA-V, whose folders hold a file for each video, the folder is the set
    if any(file.name.endswith("_manual.json") for file in candidates):
        return path
    if len(candidates) > 1:
        raise DataError(
            f"there are {len(candidates)} annotation files: {_listed(candidates, path)}",
            where=str(path),
            remedy="Give one of them.",
        )
    return candidates[0] if candidates else path


def is_mots(folder: Path) -> bool:
    """Whether a folder is a MOTS set: by its folders, or by what its text files say."""
    if any((folder / name).is_dir() for name in ("instances", "instances_txt")):
        return True
    texts = [path for path in folder.glob("*.txt") if not path.name.startswith(".")]
    # the names of classes beside folders of pictures; elsewhere the name says nothing
    if any(path.name == "labels.txt" for path in texts) and any(folder.glob("*/*.png")):
        return True
    pictures = mots_pictures(folder)
    # a video without an object is an empty file, known by the folder of its pictures
    return any(
        is_mots_text(path) or (pictures is not None and (pictures / path.stem).is_dir())
        for path in texts
    )


def refuse_folder_of_sets(folder: Path) -> None:
    """Refuse a folder whose sub-folders have annotation files, as that of a whole export.

    Raises:
        InputError: the folder cannot be listed.
        DataError: names some of them.
    """
    if (folder / "Annotations").is_dir():
        return
    below = list(islice(_files_below(folder), _LISTED))
    if below:
        raise DataError(
            f"annotations lie in its folders, not here: {_listed(below, folder)}",
            where=str(folder),
            remedy="Give one of them.",
        )


def frames_folder_of(path: Path, annotations: AnnotationSet) -> Path | None:
    """The likeliest folder in which a first frame is: beside the file, or named as it is."""
    candidates = (folder for folder in frames_folders(path) if folder.is_dir())
    return next((folder for folder in candidates if _holds(folder, annotations)), None)


def frames_folders(path: Path) -> Iterator[Path]:
    """The folders that the file names of an annotation file may be relative to, likeliest first."""
    parent = path.parent
    split = path.stem.removeprefix("instances_").removeprefix("annotations_").removesuffix("_sub")
    split = split.removesuffix("_instances")
    # the last is FiftyOne's
    yield from (parent / "JPEGImages", parent / "images", parent / "data")
    yield from (parent / split / "JPEGImages", parent / split)
    yield from (parent.parent / split / "JPEGImages", parent.parent / split, parent)
    if parent.name.lower() == ANNOTATIONS:
        root = parent.parent
        # the split's own folder first: other splits may have pictures of the same names
        last = path.stem.rpartition("_")[2]
        for name in dict.fromkeys((split, last)):
            yield from (root / "images" / name, root / name / "images", root / name)
            yield root / "JPEGImages" / name
        yield from (root / "images", root / "JPEGImages", root)
    # TAO and BURST keep all splits in one folder, BURST its annotations a level deeper
    yield from (above / "frames" for above in path.absolute().parents[:3])


def _holds(folder: Path, annotations: AnnotationSet) -> bool:
    for video in islice(annotations.videos.values(), _VIDEOS_TRIED):
        try:
            if (folder / video.file_names[0]).exists() or video_file_of(folder, video):
                return True
        except (VisError, OSError):
            continue
    return False


def _json_files(folder: Path) -> list[Path]:
    # Windows writes .JSON too
    files = (path for path in folder.glob("*.[jJ][sS][oO][nN]") if path.name[:1] != ".")
    return sorted(path for path in files if path.is_file())


def _files_below(folder: Path) -> Iterator[Path]:
    for path in subfolders(folder):
        files = _json_files(path) or _json_files(path / ANNOTATIONS)
        # lies beside pictures that are a video, and says when each is shown
        yield from (file for file in files if file.name != "times.json")


def _listed(files: list[Path], root: Path) -> str:
    return ", ".join(str(file.relative_to(root)) for file in files[:_LISTED])
