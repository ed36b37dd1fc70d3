"""Names of files to places inside the folder of a data set, and the folders themselves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError
from vis.formats.fields import check_frame_name
from vis.ops.natural import natural
from vis.ops.pictures import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vis.formats.ytvis_records import VideoEntry

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")
"""Endings of video files that may stand in for a folder of pictures of the same name."""


def inside(root: Path, name: str) -> Path:
    """The file `name` of the data set in the folder `root`.

    Raises:
        DataError: the name leads out of `root`, by itself or through a link.
    """
    check_frame_name(name)
    path = root / name
    try:
        led_out = not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        led_out = True  # links in a circle
    if led_out:
        raise DataError(
            f"{name} leads out of its folder through a link",
            remedy="Put the file itself there, or give the folder that the link points to.",
        )
    return path


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder` in natural order, without hidden ones.

    Raises:
        InputError: there is no such folder, or it cannot be listed.
    """
    return [path for path in _entries(folder) if path.is_dir()]


def pictures(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> dict[str, Path]:
    """The pictures in `folder` in natural order, by their names without ending.

    Raises:
        InputError: there is no such folder, or it cannot be listed.
        DataError: two of them differ in the ending alone.
    """
    accepted = set(suffixes)
    files: dict[str, Path] = {}
    for path in _entries(folder):
        if path.suffix.lower() not in accepted:
            continue
        if path.stem in files:
            raise DataError(
                f"{files[path.stem].name} and {path.name} are the same frame twice",
                where=str(folder),
                remedy="Keep one of the two.",
            )
        files[path.stem] = path
    return files


def frame_paths(video: VideoEntry) -> tuple[str, list[str]]:
    """The folder of a video, one level deep, and the name of each frame without ending.

    Those of its files where they allow it, else the video's id and running numbers.
    """
    folders = {name.rpartition("/")[0] for name in video.file_names}
    stems = [name.rpartition("/")[2].rpartition(".")[0] for name in video.file_names]
    folder = folders.pop() if len(folders) == 1 else ""
    if not folder and video.length == 1:
        folder = stems[0]
    # one level deep, for DAVIS and MOTS know no deeper folders
    plain = bool(folder) and not folder.startswith(".") and "/" not in folder
    # in natural order, as every reader of such folders will sort them
    if not plain or not all(stems) or stems != sorted(set(stems), key=natural):
        return str(video.id), _numbers(video)
    return folder, stems


def unique_frame_paths(videos: Iterable[VideoEntry]) -> dict[int, tuple[str, list[str]]]:
    """`frame_paths` by id of the video; where several share a folder, their ids and numbers."""
    stated = {video.id: (video, *frame_paths(video)) for video in videos}
    uses = Counter(folder for _, folder, _ in stated.values())
    alone = {folder for folder, count in uses.items() if count == 1}
    paths = {}
    for id_, (video, folder, stems) in stated.items():
        own = str(id_)
        while own in alone:
            own = f"{own}_"
        paths[id_] = (folder, stems) if folder in alone else (own, _numbers(video))
    return paths


def _numbers(video: VideoEntry) -> list[str]:
    return [f"{frame:05d}" for frame in range(video.length)]


def video_file_of(frames: Path, video: VideoEntry) -> Path | None:
    """The video file in place of the folder of a video's pictures, as `clip.mp4` for `clip/0.jpg`.

    Raises:
        DataError: the folder's name leads out of `frames`.
    """
    folder, slash, _ = video.file_names[0].rpartition("/")
    if not slash or (frames / folder).is_dir():
        return None
    candidates = (frames / f"{folder}{ending}" for ending in VIDEO_SUFFIXES)
    path = next((file for file in candidates if file.is_file()), None)
    return path and inside(frames, path.relative_to(frames).as_posix())


def _entries(folder: Path) -> list[Path]:
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"the folder cannot be listed ({error.strerror})",
            where=str(folder),
            remedy="Check the path.",
        ) from None
    return sorted(entries, key=lambda path: natural(path.name))
