"""What a user names as sources, one by one, and what each is called among the outputs."""

from __future__ import annotations

import glob
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vis.errors import InputError
from vis.ops.natural import natural
from vis.ops.pictures import SUFFIXES as PICTURES
from vis.video.live import URL_SCHEMES
from vis.video.pipe import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VIDEO_SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".gif",
        ".apng",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
    )
)
"""Endings of the files that are taken from a folder or glob."""
_CAMERA = re.compile(r"(?:/dev/video)?(\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """One video to be tracked."""

    place: str
    """As `open_video` takes it."""
    name: str
    """Of its outputs; no other source of the run has it."""

    @property
    def is_stream(self) -> bool:
        """Whether it lies in no folder: a camera, an address or standard input."""
        return _is_stream(self.place)

    def opened_as(self) -> str | int:
        """What `open_video` is to be given."""
        camera = _camera(self.place)
        return self.place if camera is None else camera

    def facts(self) -> dict[str, Any]:
        """What tells this source from another, or from itself after a change; no password."""
        if self.place == STANDARD_INPUT:
            # what comes in is never what came before
            return {"name": "standard input", "started": time.time_ns()}
        path = Path(self.place)
        if path.is_file():
            state = path.stat()
            return {"file": path.name, "size": state.st_size, "changed": state.st_mtime_ns}
        if path.is_dir():
            files = [entry for entry in path.iterdir() if entry.suffix.lower() in PICTURES]
            newest = max((entry.stat().st_mtime_ns for entry in files), default=0)
            return {"folder": path.name, "files": len(files), "changed": newest}
        return {"name": _plain(self.place)}


def list_sources(sources: Sequence[str]) -> list[Source]:
    """The videos that are meant, in order, each with a name of its own.

    A folder of pictures is one video; a folder of videos, or of folders of pictures, is each of
    these in natural order. So is a glob; but one that matches pictures alone is one video. What is
    not there is listed too: opening it tells what is wrong.

    Args:
        sources: files, folders, globs, camera numbers or devices, URLs, `-`.

    Raises:
        InputError: a folder holds no videos, or videos beside pictures.
    """
    places = [place for source in sources for place in _expanded(source)]
    return [Source(*pair) for pair in zip(places, _names(places), strict=True)]


def _expanded(source: str) -> Iterator[str]:
    path = Path(source)
    if _is_stream(source) or path.is_file():
        yield source
    elif path.is_dir():
        yield from _of_folder(path)
    elif any(sign in source for sign in "*?["):
        yield from _of_glob(source)
    else:
        yield source


def _of_folder(folder: Path) -> Iterator[str]:
    entries = sorted(folder.iterdir(), key=lambda entry: natural(entry.name))
    entries = [entry for entry in entries if not entry.name.startswith(".")]
    videos = [str(entry) for entry in entries if entry.suffix.lower() in VIDEO_SUFFIXES]
    pictures = any(entry.suffix.lower() in PICTURES for entry in entries)
    inner = [str(entry) for entry in entries if entry.is_dir() and _holds_pictures(entry)]
    if videos and pictures:
        raise InputError(
            "the folder holds videos beside pictures",
            where=str(folder),
            remedy="Say which are meant, such as 'folder/*.mp4'.",
        )
    if not (videos or pictures or inner):
        raise InputError("the folder holds no videos", where=str(folder), remedy="Check the path.")
    yield from [str(folder)] if pictures else videos + inner


def _of_glob(pattern: str) -> Iterator[str]:
    paths = sorted((Path(one) for one in glob.glob(pattern)), key=lambda one: natural(str(one)))  # noqa: PTH207
    if all(one.suffix.lower() in PICTURES for one in paths):
        yield pattern  # one video, or nothing, of which opening it tells
        return
    for one in paths:
        if one.suffix.lower() in VIDEO_SUFFIXES or (one.is_dir() and _holds_pictures(one)):
            yield str(one)


def _holds_pictures(folder: Path) -> bool:
    return any(entry.suffix.lower() in PICTURES for entry in folder.iterdir())


def _names(places: Sequence[str]) -> list[str]:
    """The shortest ends of the places that tell them apart; for the same place twice, a number."""
    names = [_short(place, 0) for place in places]
    for depth in range(1, 8):
        count = Counter(names)
        names = [
            _short(place, depth) if count[name] > 1 else name
            for place, name in zip(places, names, strict=True)
        ]
    uses: Counter[str] = Counter()
    unique = []
    for name in names:
        uses[name] += 1
        unique.append(name if uses[name] == 1 else f"{name}-{uses[name]}")
    return unique


def _short(place: str, depth: int) -> str:
    """The name of a place: its stem, then its whole name, then with ever more folders before it."""
    camera = _camera(place)
    if camera is not None:
        return f"camera-{camera}"
    if place == STANDARD_INPUT:
        return "stdin"
    if _is_url(place):
        return _plain(place)
    parts = [part for part in Path(place).parts if part not in ("/", "..", ".")]
    if any(sign in place for sign in "*?[") and not Path(place).exists() and len(parts) > 1:
        parts = parts[:-1]  # of a glob of pictures, the folder
    parts = parts or ["video"]
    if depth == 0:
        return Path(parts[-1]).stem if not Path(place).is_dir() else parts[-1]
    return "_".join(parts[-depth:]).replace(".", "_")


def _plain(place: str) -> str:
    """A place as a file name; of a URL host and path, without user, password and query."""
    if _is_url(place):
        split = urlsplit(place)
        place = f"{split.hostname or ''}{split.path}"
    # 120: with the longest ending still short of the 255 bytes of a file name
    return re.sub(r"[^\w.-]+", "_", place).strip("._")[-120:] or "video"


def _camera(place: str) -> int | None:
    match = _CAMERA.fullmatch(place)
    return int(match[1]) if match and not Path(place).is_file() else None


def _is_stream(place: str) -> bool:
    return _camera(place) is not None or _is_url(place) or place == STANDARD_INPUT


def _is_url(place: str) -> bool:
    return place.lower().startswith(URL_SCHEMES)
