"""One visitor's video: checked against the limits, tracked, its outputs made ready to be taken."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from vis.errors import VideoError, VisError
from vis.inference.options import check_positive
from vis.jobs.job import Job, JobResult, RunOptions
from vis.jobs.many import track_all
from vis.jobs.sources import Source
from vis.outputs.sinks import FOLDERS, check_kinds
from vis.outputs.video_name import video_name
from vis.video import open_video, probe

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from vis.inference.options import TrackOptions
    from vis.models import Model
    from vis.records import Frame
    from vis.video import ProbeReport
    from vis.web.sessions import StoredFile

NEEDED = ("video", "csv")
"""Kinds that the page itself reads."""
_NAME = "tracked"
_FASTEST = 240
"""Frames per second of the fastest cameras of phones; bounds the reading of a file that lies."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a visitor may bring."""

    megabytes: int = 200
    seconds: int = 120

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: a limit is less than 1.
        """
        check_positive("max-mb", self.megabytes)
        check_positive("max-seconds", self.seconds)

    @property
    def bytes(self) -> int:
        """Of a file, at most."""
        # as the browser's side of gradio counts, which says the limit again
        return self.megabytes << 20


class StoppedError(Exception):
    """The visitor cancelled the job, or left."""


class Watcher:
    """Counts the frames that are written, and stops the job that is no longer wanted."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._start = stop, 0.0
        self.total = 0
        """Frames that will come; 0 until the video is checked."""
        self.times: dict[int, float] = {}
        """Index of each frame that was written -> its time in seconds."""

    def show(self, frame: Frame) -> None:
        """Take in a frame that was written.

        Raises:
            StoppedError: there shall be no more.
        """
        self.times[frame.index] = float(frame.time)
        self.check()

    def check(self) -> None:
        """Raise where the job shall end.

        Raises:
            StoppedError: it shall.
        """
        if self._stop.is_set():
            raise StoppedError

    def begin(self, total: int) -> None:
        """The frames come now."""
        self.total, self._start = total, monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return monotonic() - self._start

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """A visitor's video with what came of it."""

    upload: StoredFile
    report: ProbeReport
    job: JobResult
    times: dict[int, float]
    """Index of each frame that the model saw -> its time in seconds."""
    outputs: dict[str, Path]
    """Kind -> file; folders are zip files."""


def track_upload(
    upload: StoredFile,
    folder: Path,
    model: Model[Any],
    *,
    options: TrackOptions,
    kinds: Sequence[str],
    device: str,
    limits: Limits,
    watcher: Watcher,
) -> Tracked:
    """Check and track a video; the outputs are in `folder`.

    Raises:
        StoppedError: the visitor does not want it any more.
        VisError: as `track_all`; the message has the visitor's name of the file, never ours.
    """
    source = Source(str(upload.path), _NAME)
    kinds = check_kinds([*NEEDED, *kinds])
    job = Job(source, folder, kinds, video_name(upload.name))
    run_options = RunOptions(device=device, preview=watcher)
    try:
        watcher.check()
        report = check_video(upload.path, limits)
        watcher.begin(-(-report.decoded // options.every))
        watcher.check()
        [job_result] = track_all([job], model, options=options, run_options=run_options)
    except VisError as error:
        raise _renamed(error, upload) from error
    if job_result.error is not None:
        raise _renamed(job_result.error, upload) from job_result.error
    outputs = dict(zip(kinds, job_result.outputs, strict=True))
    packed = {kind: _packed(path) for kind, path in outputs.items() if kind in FOLDERS}
    return Tracked(upload, report, job_result, watcher.times, outputs | packed)


def check_video(path: Path, limits: Limits) -> ProbeReport:
    """What the video is, if it is short enough.

    Raises:
        InputError, VideoError: it is no video, or longer than the limit.
    """
    with open_video(path) as reader:
        stated = reader.info.duration
    # what the header says costs nothing to refuse; where it lies, or says nothing as the recordings
    # of browsers do, the frames tell
    if stated is None or stated <= limits.seconds:
        most = limits.seconds * _FASTEST + 1
        report = probe(path, max_frames=most)
        if report.decoded < most and report.end - report.start <= limits.seconds:
            return report
        stated = report.end - report.start
    raise VideoError(
        f"it is {math.ceil(stated)} s long, this page takes {limits.seconds} s",
        where=str(path),
        remedy="Cut it, or track it by the command: vis track.",
    )


def _packed(path: Path) -> Path:
    """The folder as one file, which takes its place."""
    archive = shutil.make_archive(str(path), "zip", path.parent, path.name)
    shutil.rmtree(path)
    return Path(archive)


def _renamed(error: VisError, upload: StoredFile) -> VisError:
    """The error with the visitor's name of the file; our folders mean nothing there."""
    parts = (error.what, error.where, "" if error.done else error.remedy)
    what, where, remedy = (part.replace(str(upload.path), upload.name) for part in parts)
    # the folder is the visitor's no less than the file, and as secret
    hidden = str(upload.path.parents[2])
    return type(error)(what.replace(hidden, ""), where=where.replace(hidden, ""), remedy=remedy)
