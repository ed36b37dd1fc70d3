"""Results of the videos that are finished, on disk as soon as each is: a kill loses no other one.

FOLDER/videos-RANK.jsonl        a line a video: its id, a space, its results as YouTube-VIS has them
FOLDER/videos-RANK.jsonl.lock   whose file that is, while somebody writes it
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.ytvis_values import results_value
from vis.storage.append_only_file import AppendOnlyFile
from vis.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from vis.formats.ytvis_records import VideoEntry
    from vis.records import Track

_NAMES = "videos-*.jsonl"
_LINE = re.compile(rb"(-?\d+) \[(.*)\]", re.DOTALL)


class FinishedVideos:
    """The files of one process, which only it writes.

    Args:
        folder: of all processes.
        rank: of this one.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._path = folder / f"videos-{rank}.jsonl"
        self._file: AppendOnlyFile | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Go on behind the last whole line; half a line that a kill left is cut off.

        Raises:
            OutputError: another process writes the file, or it cannot be written.
        """
        # one that outlived its launcher may still be at work
        lock = self._path.with_name(f"{self._path.name}.lock")
        with locked(lock, where=self._path):
            size = self._path.read_bytes().rfind(b"\n") + 1 if self._path.exists() else 0
            self._file = AppendOnlyFile(self._path, size)
            try:
                yield
            finally:
                self._file.close()

    def add(self, video: VideoEntry, tracks: Sequence[Track]) -> None:
        """Bring the results of a video to the disk.

        Raises:
            OutputError: they cannot be written; the file is as before.
        """
        assert self._file is not None
        value = results_value({video.id: tracks}, {video.id: video.length})
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        self._file.append(f"{video.id} {text}\n".encode("ascii"))
        self._file.sync()


def finished_results(folder: Path) -> dict[int, bytes]:
    """The results of all finished videos, by id: JSON objects with commas between them.

    Raises:
        DataError: a line is damaged.
    """
    results = {}
    # each file's last line may be half, and is no line then
    for path in sorted(folder.glob(_NAMES)):
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
            match = _LINE.fullmatch(line)
            if match is None:
                raise DataError(
                    "the results of a finished video are damaged",
                    where=f"{path}: line {number}",
                    remedy="Begin anew (--overwrite).",
                )
            results[int(match[1])] = match[2]
    return results


def results_text(results: dict[int, bytes], videos: Iterable[int]) -> bytes:
    """One YouTube-VIS results file: the results of these videos, in their order."""
    return b"[" + b",".join(results[id_] for id_ in videos if results[id_]) + b"]"


def forget_videos(folder: Path) -> None:
    """Delete what processes have written there."""
    for path in folder.glob(_NAMES):
        path.unlink()
