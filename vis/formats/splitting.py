"""A data set into parts, by video, with each category in each part by its share."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError, UsageError
from vis.formats.coco import write_coco
from vis.formats.opening import open_set
from vis.formats.ytvis import write_annotations
from vis.storage.whole_file import already_there, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.formats.prefixes import AnyFrames
    from vis.formats.ytvis_records import AnnotationSet, VideoEntry


def split(
    annotation_set: AnnotationSet, shares: Mapping[str, float], seed: int = 0
) -> dict[str, AnnotationSet]:
    """Divide the videos; the same set, shares and seed give the same parts, in any order of videos.

    The rarest category is dealt out first, each of its videos to the part that lacks it most
    (iterative stratification: Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011).

    Args:
        annotation_set: what to divide; every part keeps all categories.
        shares: share of the videos by name of the part; they sum to 1.
        seed: another one gives other parts.

    Raises:
        UsageError: a share is not above 0, or they do not sum to 1.
    """
    sum_up = math.isclose(sum(shares.values()), 1, abs_tol=1e-6)
    if not shares or not sum_up or min(shares.values()) <= 0:
        stated = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise UsageError(
            f"the shares ({stated}) are not all above 0 and 1 together", remedy="Correct them."
        )
    order = sorted(annotation_set.videos.values(), key=lambda video: _lot(video, seed))
    labels = {video.id: _labels(annotation_set, video) for video in order}
    parts = _deal([video.id for video in order], labels, shares)
    return {
        name: annotation_set.of(key for key in annotation_set.videos if parts[key] == name)
        for name in shares
    }


def write_parts(
    path: str | Path,
    folder: str | Path,
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    frames: AnyFrames = None,
    overwrite: bool = False,
) -> tuple[list[tuple[Path, AnnotationSet]], Path | None]:
    """Write each part of a data set as `folder/NAME.json`: COCO where it is that, else YouTube-VIS.

    Returns:
        Each file with its part, and the folder of the pictures, as for `open_set`.

    Raises:
        UsageError: as `split`.
        InputError: there is no such data set.
        DataError: a record is faulty, or a part has no video.
        OutputExistsError: a file is there and `overwrite` is not set.
        OutputError: a file cannot be written.
    """
    dataset = open_set(path, frames)
    parts = split(dataset.annotations, shares, seed)
    files = {name: Path(folder) / f"{name}.json" for name in parts}
    for name, file in files.items():
        if not parts[name].videos:
            raise DataError(
                f"{len(dataset.annotations.videos)} videos are too few: part {name!r} has none",
                where=str(path),
                done="Nothing was written.",
                remedy="Give larger shares or fewer parts.",
            )
        if file.exists() and not overwrite:
            raise already_there(file)
    make_folder(Path(folder))
    for name, file in files.items():
        write = write_coco if dataset.kind == "coco" or dataset.of_pictures else write_annotations
        write(file, parts[name], overwrite=overwrite)
    return [(file, parts[name]) for name, file in files.items()], dataset.frames


def _deal(
    order: list[int], labels: Mapping[int, frozenset[int]], shares: Mapping[str, float]
) -> dict[int, str]:
    """The part of each video."""
    counts = Counter(label for video in order for label in labels[video])
    # of videos without any object, nothing is wanted but their number
    demand: dict[str, dict[int | None, float]] = {
        name: {None: 0.0} | {label: share * count for label, count in counts.items()}
        for name, share in shares.items()
    }
    room = {name: share * len(order) for name, share in shares.items()}
    parts: dict[int, str] = {}
    while len(parts) < len(order):
        remaining = Counter(
            label for video in order if video not in parts for label in labels[video]
        )
        rarest = min(remaining, key=lambda label: (remaining[label], label)) if remaining else None
        for video in order:
            if video in parts or (rarest is not None and rarest not in labels[video]):
                continue
            name = max(shares, key=lambda part: (demand[part][rarest], room[part]))
            parts[video] = name
            room[name] -= 1
            for label in labels[video]:
                demand[name][label] -= 1
    return parts


def _lot(video: VideoEntry, seed: int) -> bytes:
    """A number drawn for the video, that depends on nothing but its name and the seed."""
    text = "\0".join([str(seed), video.name, video.file_names[0]])
    # a hash, not a random generator: the lot of a video must not depend on which others there are
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _labels(annotation_set: AnnotationSet, video: VideoEntry) -> frozenset[int]:
    return frozenset(track.label for track in annotation_set.tracks.get(video.id, []))
