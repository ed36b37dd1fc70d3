"""A whole result through the sinks that a running one goes through: both write the same bytes."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vis.errors import InputError, UsageError
from vis.outputs.frame_result import ReplayedFrame
from vis.outputs.sink import SinkContext
from vis.outputs.sinks import FOLDERS, KINDS, kind_of, open_sinks
from vis.records import Frame
from vis.storage.disk_errors import output_errors
from vis.storage.sync import sync_tree
from vis.storage.whole_file import refuse_existing, refuse_filled
from vis.video.reader import open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from vis.outputs.tracked_video import TrackedVideo

_ANNOTATED = frozenset(("video", "frames"))
"""Kinds that need the pixels of the source."""


def save(
    result: TrackedVideo,
    path: Path,
    kind: str | None,
    *,
    category_ids: Sequence[int] | None,
    source: str | os.PathLike[str] | None,
    overwrite: bool,
) -> None:
    """Write a result, see `Result.save`."""
    kind = kind or kind_of(path)
    if kind not in KINDS:
        raise UsageError(
            "no format is named, and none has this suffix"
            if kind is None
            else f"no format {kind!r}",
            where=str(path),
            remedy=f"Name one of: {', '.join(KINDS)}.",
        )
    _refuse_existing(path, kind, overwrite=overwrite)
    suffix = path.suffix.lower() if kind == "video" else ".mp4"
    with written(
        result,
        path.parent,
        kind,
        category_ids=category_ids,
        source=source,
        video_suffix=suffix,
    ) as output:
        # once more: somebody may have written there meanwhile
        _refuse_existing(path, kind, overwrite=overwrite)
        with output_errors(path):
            # before the name, as every output: a power cut may else keep the name alone
            sync_tree(output)
            output.replace(path)


@contextmanager
def written(
    result: TrackedVideo,
    beside: Path,
    kind: str,
    *,
    video_id: int = 1,
    category_ids: Sequence[int] | None = None,
    source: str | os.PathLike[str] | None = None,
    video_suffix: str = ".mp4",
) -> Iterator[Path]:
    """The output of one kind, whole, in a hidden folder that goes when the block ends."""
    with output_errors(beside / "result"):
        # beside the target: a rename between two disks would be a copy that a kill cuts in half
        folder = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=beside))
    try:
        with _source(result, kind, source) as (frames, audio_from):
            context = SinkContext(
                folder=folder,
                name="result",
                info=result.info,
                names=result.names,
                video_name=result.video_name,
                video_id=video_id,
                category_ids=category_ids,
                video_suffix=video_suffix,
                audio_from=audio_from,
            )
            yield _replayed(result, frames, kind, context)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replayed(
    result: TrackedVideo, frames: Iterator[Frame], kind: str, context: SinkContext
) -> Path:
    [sink] = open_sinks([kind], context).values()
    try:
        for compressed in result.frames:
            frame = next(frames, None)
            if frame is None or frame.index != compressed.tracks.index:
                raise InputError(
                    f"frame {compressed.tracks.index} is not there any more",
                    where=result.info.name,
                    remedy="Name the video that was tracked as the source.",
                )
            sink.write(
                ReplayedFrame(
                    frame, compressed.tracks, result.info, result.names, codes=compressed.rles
                )
            )
        # all at once at the end: sinks order by identity and frame, never by when they were told
        sink.end(list(result.identities.values()))
        sink.finish(result.length)
    finally:
        sink.close()
    return sink.path


@contextmanager
def _source(
    result: TrackedVideo, kind: str, source: str | os.PathLike[str] | None
) -> Iterator[tuple[Iterator[Frame], str | None]]:
    """The frames to write, with pixels where they are drawn on, and the file that has the sound."""
    if kind not in _ANNOTATED:
        yield _without_pixels(result), None
        return
    if result.info.live:
        raise UsageError(
            "a live source cannot be read a second time",
            where=result.info.name,
            remedy="Draw while it runs: `for frame, tracks in tracking.with_frames()`.",
        )
    name = result.info.name if source is None else source
    with open_video(name) as reader:
        # as the command does: the sound of a stream or camera cannot be read again
        sound = str(name) if reader.info.audio_streams and Path(name).is_file() else None
        times = result.times
        frames = (
            replace(frame, time=times[frame.index]) for frame in reader if frame.index in times
        )
        yield frames, sound


def _without_pixels(result: TrackedVideo) -> Iterator[Frame]:
    nothing = np.zeros((0, 0, 3), np.uint8)
    for compressed in result.frames:
        yield Frame(compressed.tracks.index, compressed.tracks.time, nothing)


def _refuse_existing(path: Path, kind: str, *, overwrite: bool) -> None:
    """Files are replaced where that is allowed, folders that hold something never."""
    if kind in FOLDERS:
        refuse_filled(path)
    else:
        refuse_existing(path, overwrite)
