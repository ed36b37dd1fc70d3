"""Where data sets that name every pixel keep their pictures, and what their numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError
from vis.formats.paths import pictures, subfolders
from vis.formats.semantic_classes import (
    OF_ADE20K,
    OF_CITYSCAPES_IDS,
    OF_CITYSCAPES_TRAINING,
    OF_PASCAL_CONTEXT,
    Numbering,
    numbering,
)
from vis.ops.natural import natural

if TYPE_CHECKING:
    from pathlib import Path

UNJUDGED = 255
NAMES = "classes.txt"
"""In a user's own folder: the name of class 0, of class 1, and so on, one a line."""
_MOST_CLASSES = UNJUDGED


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures and their label pictures."""

    frames: Path
    label_folder: Path
    names: tuple[tuple[str, str], ...]
    """File of the picture below `frames`, file of its labels below `label_folder`."""
    unpaired: tuple[str, ...]
    """Label pictures without a picture, or named ones without labels."""
    numbering: Numbering


def find_pairs(path: Path) -> Pairs | None:
    """The pairs of a data set that names every pixel; None where it is of another kind.

    Known are: `annotations/SPLIT` of ADE20K, `gtFine/SPLIT` of Cityscapes, the list
    `ImageSets/SegmentationContext/SPLIT.txt` of Pascal Context, and a folder with `images`,
    `labels` and `classes.txt`.

    Raises:
        InputError: a folder or list cannot be read.
        DataError: two pictures differ in their endings alone, or the names of classes are wrong.
    """
    if path.suffix.lower() == ".txt" and path.parent.name == "SegmentationContext":
        return _context(path)
    if not path.is_dir():
        return None
    if (path / NAMES).is_file() and (path / "labels").is_dir():
        return _by_stem(path / "images", path / "labels", _own_classes(path / NAMES))
    frames = path.parent.parent / "images" / path.name
    if path.parent.name == "annotations" and frames.is_dir() and pictures(path, {".png"}):
        return _by_stem(frames, path, OF_ADE20K)
    return _cityscapes(path)


def _by_stem(frames: Path, label_folder: Path, meaning: Numbering) -> Pairs:
    frame_files, label_files = pictures(frames), pictures(label_folder, {".png"})
    both = [stem for stem in label_files if stem in frame_files]
    return Pairs(
        frames=frames,
        label_folder=label_folder,
        names=tuple((frame_files[stem].name, label_files[stem].name) for stem in both),
        unpaired=tuple(sorted(set(frame_files) ^ set(label_files), key=natural)),
        numbering=meaning,
    )


def _context(list_file: Path) -> Pairs:
    root = list_file.parent.parent.parent
    frames, label_folder = root / "JPEGImages", root / "SegmentationClassContext"
    stems = _lines(list_file)
    frame_files, label_files = pictures(frames), pictures(label_folder, {".png"})
    complete = [stem for stem in stems if stem in frame_files and stem in label_files]
    return Pairs(
        frames=frames,
        label_folder=label_folder,
        names=tuple((frame_files[stem].name, label_files[stem].name) for stem in complete),
        unpaired=tuple(stem for stem in stems if stem not in complete),
        numbering=OF_PASCAL_CONTEXT,
    )


def _cityscapes(path: Path) -> Pairs | None:
    """`gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png` beside `leftImg8bit/SPLIT/...`."""
    frames = path.parent.parent / "leftImg8bit" / path.name
    if not frames.is_dir():
        return None
    for ending, meaning in (
        ("_labelIds.png", OF_CITYSCAPES_IDS),
        ("_labelTrainIds.png", OF_CITYSCAPES_TRAINING),
    ):
        label_names = [
            f"{city.name}/{file.name}"
            for city in subfolders(path)
            for file in pictures(city, {".png"}).values()
            if file.name.endswith(ending)
        ]
        if label_names:
            pairs = [(_photo(name, path.parent.name + ending), name) for name in label_names]
            complete = [pair for pair in pairs if (frames / pair[0]).is_file()]
            unpaired = tuple(
                name for frame_name, name in pairs if (frame_name, name) not in set(complete)
            )
            return Pairs(frames, path, tuple(complete), unpaired, meaning)
    return None


def _photo(name: str, ending: str) -> str:
    return f"{name.removesuffix('_' + ending)}_leftImg8bit.png"


def _own_classes(path: Path) -> Numbering:
    names = _lines(path)
    if not 0 < len(names) <= _MOST_CLASSES:
        raise DataError(
            f"there are {len(names)} names of classes",
            where=str(path),
            remedy=f"Write one a line, at most {_MOST_CLASSES}: the first is of pixels with 0.",
        )
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the class {duplicate!r} is there twice", where=str(path))
    return numbering(tuple(names), range(len(names)), (UNJUDGED,))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", where=str(path)) from None
    return [line.strip() for line in text.splitlines() if line.strip()]
