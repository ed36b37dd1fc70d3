"""Faults of whole data sets that several rooms tell in the same words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vis.errors import DataError
from vis.formats.folders import frames_folders

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.opening import DataSet

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def pictures_missing(dataset: DataSet, remedy: str) -> DataError:
    """The fault of a data set whose pictures lie nowhere near it; URLs are named as what they are.

    Args:
        dataset: whose `frames` is None.
        remedy: how the folder is named there.
    """
    names = [name for video in dataset.annotations.videos.values() for name in video.file_names]
    url = next((name for name in names if _URL.match(name)), None)
    if url is None:
        first = f", the first is {names[0]:.120}" if names else ""
        alike = _alike(dataset.path, names[0]) if names else None
        return DataError(
            f"its pictures were not found{first}{f'; there is {alike}' if alike else ''}",
            where=str(dataset.path),
            remedy="Write the names as the files are called." if alike else remedy,
        )
    return DataError(
        f"its pictures are URLs, not files, the first is {url:.120}",
        where=str(dataset.path),
        remedy="Fetch them into one folder, give it with --frames, and take what stands before "
        "their names off: --frames-prefix BEGINNING=",
    )


def _alike(path: Path, name: str) -> str | None:
    """A file whose name differs in capitals, accents, % codes, blanks or its ending alone."""
    for folder in frames_folders(path):
        try:
            entries = sorted((folder / name).parent.iterdir())
        except OSError:
            continue
        for entry in entries:
            if _plain(entry.name) == _plain(name.rpartition("/")[2]):
                return entry.name
    return None


def _plain(name: str) -> str:
    stem = unquote(name).strip().rpartition(".")[0] or name
    return unicodedata.normalize("NFC", stem).casefold()


def crowds_alone(count: int, where: str) -> DataError:
    """The fault of a data set in which nothing but crowds is marked."""
    return DataError(
        f"all its objects ({count}) are crowds (iscrowd: 1), which no model learns from",
        where=where,
        remedy="Where each is one object, as CVAT marks brush masks, write iscrowd: 0, or set "
        "crowds_are_objects: true beside the path in data.sources.",
    )
