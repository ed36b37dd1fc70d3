"""A result into files of every kind."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from vis.errors import UsageError
from vis.formats.coco import write_coco
from vis.formats.davis import write_davis
from vis.formats.mots import write_mots
from vis.formats.ytvis import write_results
from vis.ops import rle
from vis.pipeline.drawing import tracks_at
from vis.pipeline.sinks.lines import COLUMNS
from vis.storage.whole_file import write_whole
from vis.video import VideoWriter, draw, open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from vis.pipeline.result import Result
    from vis.records import RLE

SUFFIXES = {".json": "json", ".csv": "csv"} | dict.fromkeys(
    (".mp4", ".mov", ".mkv", ".webm", ".gif"), "video"
)


class _Writer(Protocol):
    def __call__(
        self, result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool
    ) -> None: ...


def write(
    result: Result,
    path: Path,
    kind: str | None,
    *,
    ids: Sequence[int] | None,
    source: str | os.PathLike[str] | None,
    overwrite: bool,
) -> None:
    """Write a result, see `Result.save`."""
    if kind is None:
        whole = path.name.lower().endswith(".coco.json")
        kind = "coco" if whole else SUFFIXES.get(path.suffix.lower())
    if kind == "video":
        _video(result, path, source, overwrite=overwrite)
        return
    if kind not in _WRITERS:
        raise UsageError(
            "no format is named, and none has this suffix"
            if kind is None
            else f"no format {kind!r}",
            where=str(path),
            remedy=f"Name one of: {', '.join(_WRITERS)}, video.",
        )
    _WRITERS[kind](result, path, ids=ids, overwrite=overwrite)


def _json(result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool) -> None:
    tracks = result.annotations(ids).tracks
    write_results(path, tracks, {1: result.length}, overwrite=overwrite)


def _coco(result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool) -> None:
    write_coco(path, result.annotations(ids), overwrite=overwrite)


def _davis(result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool) -> None:
    del overwrite  # a folder that holds something is never replaced
    write_davis(path, result.annotations(ids))


def _mots(result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool) -> None:
    del overwrite
    write_mots(path, result.annotations(ids))


def _csv(result: Result, path: Path, *, ids: Sequence[int] | None, overwrite: bool) -> None:
    del ids  # classes have their names
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for index, time in result.times.items():
        for track in result.tracks:
            if index in track.masks:
                head = (index, round(float(time), 6), track.id, result.names[track.label])
                table.writerow((*head, round(track.score, 6), *_measured(track.masks[index])))
    write_whole(path, text.getvalue().encode(), overwrite=overwrite)


def _measured(mask: RLE) -> tuple[int, ...]:
    x0, y0, x1, y1 = rle.box(mask) or (0, 0, 0, 0)
    return x0, y0, x1 - x0, y1 - y0, rle.area(mask)


_WRITERS: dict[str, _Writer] = {
    "json": _json,
    "coco": _coco,
    "csv": _csv,
    "davis": _davis,
    "mots": _mots,
}


def _video(
    result: Result, path: Path, source: str | os.PathLike[str] | None, *, overwrite: bool
) -> None:
    """The frames that were looked at, drawn on; the source is read a second time."""
    if result.info.live:
        raise UsageError(
            "a live source cannot be read a second time",
            where=result.info.name,
            remedy="Draw while it runs: `for frame, tracks in tracking.shown()`.",
        )
    name = result.info.name if source is None else source
    with open_video(name) as reader:
        sound = str(name) if reader.info.audio_streams else None
        with VideoWriter(path, info=result.info, audio_from=sound, overwrite=overwrite) as writer:
            for frame in reader:
                if frame.index in result.times:
                    timed = replace(frame, time=result.times[frame.index])
                    tracks = tracks_at(timed, result.tracks)
                    writer.write(draw(timed, tracks, names=result.names))
