"""Frames into a video file or a folder of pictures; never half of one under its final name."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, get_args

import numpy as np

from vis.errors import OutputError, UsageError, VisError, VisWarning
from vis.storage.part import PartFile, PartFolder
from vis.video.audio import AudioCopy
from vis.video.writer_file import VIDEO_FORMATS, Quality, VideoFile, encoding_errors
from vis.video.writer_folder import PICTURE_NAMES, PictureFolder

if TYPE_CHECKING:
    from types import TracebackType

    from vis.records import Frame, Pixels, VideoInfo


class _Sink(Protocol):
    def write(self, pixels: Pixels, time: Fraction) -> None: ...

    def close(self) -> None: ...


class VideoWriter:
    """A context manager that writes frames, in order of time, to a video.

    The suffix of `path` chooses the kind: .mp4 .mov .mkv .avi (H.264), .webm (VP9), .gif; no suffix
    or a trailing slash is a folder of PNGs with a `times.json`.

    Times are kept: exactly in the folder, exactly in mp4 and mov where they are whole numbers of
    `info.time_base` (else to 0.7 microseconds), to half a millisecond in mkv and webm, and in GIF
    to half a hundredth of a second counted from the first frame. A frame closer to the last one
    than its container can tell (GIF: 20 ms, mkv and webm: 1 ms) is left out, with a warning. An AVI
    has a rate (that of `info`) and no times: it begins at 0 and holds every frame, at the nearest
    place that is free, with a warning if that is not its time. The
    last frame lasts as long as the one before it. Colours, pixel shape and, from `audio_from`, the
    sound of the source are carried over; an odd side is padded by one row or column where H.264 and
    VP9 need it.

    Until `close`, all goes to `partial`, beside the final name. An error or Ctrl-C inside the
    `with` leaves it there, playable; so does SIGKILL, up to some ten frames. The next run replaces
    it.

    Args:
        path: where the video goes; missing parent folders are made.
        info: the source's, for its clock, frame rate, colour and pixel shape.
        audio_from: a video file whose audio streams are copied as they are.
        quality: of the encoder, against its speed; a GIF or a folder has but one.
        overwrite: replace what is there; never a folder that holds other files.

    Raises:
        UsageError: an unknown suffix or quality.
        OutputExistsError: `path` is taken.
        OutputError: it cannot be written.
        InputError: `audio_from` cannot be read.
        VideoError: `audio_from` is not a video.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        info: VideoInfo | None = None,
        audio_from: str | os.PathLike[str] | None = None,
        quality: Quality = "normal",
        overwrite: bool = False,
    ) -> None:
        if quality not in get_args(Quality):
            raise UsageError(
                f"no quality {quality!r}", remedy=f"Use one of {', '.join(get_args(Quality))}"
            )
        self._output = _output_at(os.fspath(path), overwrite=overwrite)
        self._output.check()
        self._info, self._quality = info, quality
        self._audio = AudioCopy(audio_from) if audio_from is not None else None
        self._output.prepare()
        self._sink: _Sink | None = None
        self._size = (0, 0)
        self._last = Fraction(0)
        self._frames = 0
        self._fault: VisError | None = None
        self._open = True
        self._whole = False

    @property
    def path(self) -> Path:
        """The final name."""
        return self._output.path

    @property
    def partial(self) -> Path:
        """Where the frames are until `close`: `NAME.part.EXT`, or the folder `NAME.part`."""
        return self._output.part

    def write(self, frame: Frame) -> None:
        """Add a frame; nothing of it is referred to afterwards.

        Raises:
            UsageError: its time is not after the last one's, or its size is not the first one's.
            OutputError: it cannot be written; the message begins with "disk full" if that is why.
        """
        pixels = self._check_frame(frame)
        try:
            with encoding_errors(self.path):
                if self._sink is None:
                    self._sink = self._begin(frame)
                self._sink.write(pixels, frame.time)
        except VisError as error:
            self._fault = error
            raise
        self._frames += 1
        self._last = frame.time
        self._size = pixels.shape[1], pixels.shape[0]

    def close(self) -> None:
        """Finish the video and give it its final name. Closing twice does nothing.

        Raises:
            OutputExistsError: the final name was taken meanwhile.
            OutputError: the end cannot be written, an earlier frame could not, or there was none.
        """
        if not self._open:
            return
        if self._fault is not None:
            self.stop()
            self._fault.done = self.partial_notice()
            raise self._fault
        try:
            if self._finish():
                self._output.publish()
                return
        except VisError as error:
            error.done = error.done or self.partial_notice()
            raise
        raise OutputError("no frame was given", where=str(self.path), done="No file was made")

    def stop(self) -> None:
        """Finish what was written as the partial file and leave the final name alone."""
        if self._open:
            # on a full disk the end fails too; what is there plays without it
            with suppress(OutputError):
                self._finish()

    def partial_notice(self) -> str:
        """A sentence for messages: what became of the frames of a writer that was stopped."""
        if not self._frames:
            return "No file was made"
        few = "" if self._whole else ", but for the last few,"
        return f"The frames so far ({self._frames}) are kept{few} in {self.partial}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        self.stop()
        if isinstance(error, VisError) and not error.done:
            error.done = self.partial_notice()
        else:
            error.add_note(self.partial_notice())

    def _check_frame(self, frame: Frame) -> Pixels:
        """The frame's pixels, in one piece of memory, if it may follow the last one."""
        pixels, where = frame.pixels, f"{self.path}: frame {frame.index}"
        if not self._open:
            raise UsageError("the writer is closed", where=where)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            description = f"{pixels.dtype} {list(pixels.shape)}"
            raise UsageError(f"pixels are {description}, not uint8 [H W 3]", where=where)
        size = pixels.shape[1], pixels.shape[0]
        if self._frames and size != self._size:
            what = "is {} x {}, the video is {} x {}".format(*size, *self._size)
            raise UsageError(what, where=where, remedy="Scale all frames to one size")
        if self._frames and frame.time <= self._last:
            what = f"time {frame.time} s is not after the last frame's, {self._last} s"
            raise UsageError(what, where=where, remedy="Give frames in order of time")
        return np.ascontiguousarray(pixels)

    def _begin(self, frame: Frame) -> _Sink:
        """What takes the frames, once the first one tells their size."""
        height, width = frame.pixels.shape[:2]
        if isinstance(self._output, PartFolder):
            if self._audio:
                self._audio.warn_left_out("a folder of pictures has no sound")
            return PictureFolder(self.partial)
        file = VideoFile(
            self.partial,
            size=(width, height),
            first=frame.time,
            info=self._info,
            quality=self._quality,
            audio=self._audio,
        )
        if file.padded:
            # the source: a caller may write to a name that its user never gave
            name = self._info.name if self._info is not None else self.path
            what = f"{name}: {width} x {height} is padded to even sides by repeating the edge"
            warnings.warn(what, VisWarning, stacklevel=4)
        return file

    def _finish(self) -> bool:
        """Close everything; True if there is a video, else no part file remains."""
        self._open = False
        try:
            if self._sink is not None:
                with encoding_errors(self.path):
                    self._sink.close()
            self._whole = True
        finally:
            if self._audio is not None:
                self._audio.close()
            if not self._frames:
                self._output.discard()
        return self._frames > 0


def _output_at(path: str, *, overwrite: bool) -> PartFile | PartFolder:
    """The kind of output that a name means."""
    name = Path(path)
    if "\0" in path or name.name in ("", ".."):
        raise UsageError("not a name for an output", where=path, remedy="Name a file or folder")
    suffix = name.suffix.lower()
    if path.endswith(("/", os.sep)) or not suffix:
        return PartFolder(name, overwrite=overwrite, names=PICTURE_NAMES)
    if suffix not in VIDEO_FORMATS:
        suffixes = " ".join(VIDEO_FORMATS)
        raise UsageError(
            f"no video of kind {suffix!r} is written",
            where=path,
            remedy=f"End the name in one of {suffixes}, or in a slash for a folder of pictures",
        )
    return PartFile(name, overwrite=overwrite)
