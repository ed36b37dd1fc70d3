"""One source at work: tracking, drawing and encoding side by side, states on the way."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from vis.errors import DataError, UsageError, VisError, VisWarning, explain_resume
from vis.inference.model_classes import names_of
from vis.inference.tracking import track
from vis.jobs.saved_state import forget_states_after, save_state, saved_states
from vis.outputs.frame_result import FrameResult
from vis.outputs.sink import SinkContext
from vis.outputs.sinks import open_sinks
from vis.outputs.summary import Summary
from vis.video.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.inference.options import TrackOptions
    from vis.inference.stream import Tracking
    from vis.jobs.job import Job, RunOptions
    from vis.models import Model
    from vis.outputs.sink import Sink
    from vis.records import Identity
    from vis.storage.staged_outputs import StagedOutputs
    from vis.video import VideoReader

_AHEAD = 3
"""Frames between two stages."""
_RLES, _INDEX_MAP, _ANNOTATED = {"json", "jsonl", "coco"}, {"mots", "davis"}, {"video", "frames"}
"""Kinds of outputs that need the same of a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """What the stages hand on: a frame, or after the last one nothing but what ended then."""

    frame_result: FrameResult | None
    ended: list[Identity]
    state: dict[str, Any] | None = None


class JobRunner:
    """Frames of one source into its sinks.

    Args:
        job: source and outputs.
        part: where they grow.
        manner: how the run goes.
    """

    def __init__(self, job: Job, part: StagedOutputs, run_options: RunOptions) -> None:
        self._job, self._part, self._run_options = job, part, run_options
        self._sinks: dict[str, Sink] = {}
        self._last = -1
        self._whole = False
        self.summary = Summary()
        self.names: dict[int, str] = {}
        """Class index -> name."""
        self.frames = 0
        """That were written, those of the run that is gone on with too."""
        self.seconds = 0.0
        self.stopped = False
        """Whether the user ended a live source."""

    def run(
        self, reader: VideoReader, model: Model[Any], options: TrackOptions, *, goes_on: bool
    ) -> None:
        """Track until the source ends, then give the outputs their names.

        Whatever stops it, what was done stays in the part folder, valid.

        Raises:
            InputError, VideoError, OutputError, UsageError, DeviceError: as `vis.jobs.job`.
        """
        start = monotonic()
        self.names = names_of(model)
        if goes_on and reader.info.live:
            raise UsageError(
                "a camera or stream cannot be gone on with",
                where=reader.info.name,
                done=f"What it gave before is kept in {self._part.path}.",
                remedy="Begin anew (--overwrite), or choose another output.",
            )
        state = self._open(reader, goes_on=goes_on)
        device = self._run_options.device
        try:
            with (
                track(reader, model, options=options, device=device, state=state) as tracking,
                self._prepared(tracking) as items,
            ):
                self._write_all(items, tracking, options)
                length = max(tracking.length, self._last + 1)
            self._finish(length)
        except BaseException as error:
            # a camera has no end of its own: whatever stops it is the end, and the outputs are
            # whole
            if reader.info.live and self.frames:
                self._finish_early(error)
            else:
                self._keep()
                self._explain(error)
                raise
        self.seconds = monotonic() - start

    def _open(self, reader: VideoReader, *, goes_on: bool) -> dict[str, Any] | None:
        """Open the sinks at the newest state that all of them can go on from."""
        source = self._job.source.place
        sound = source if reader.info.audio_streams and not reader.info.live else None
        if reader.info.audio_streams and reader.info.live and "video" in self._job.kinds:
            what = f"{reader.info.name}: the sound of a stream is not copied"
            warnings.warn(what, VisWarning, stacklevel=2)
        context = SinkContext(
            folder=self._part.path,
            name=self._job.source.name,
            info=reader.info,
            names=self.names,
            video_name=self._job.video_name,
            video_suffix=self._job.video_suffix,
            audio_from=sound,
        )
        kinds = self._job.kinds
        for number, state in saved_states(self._part.path) if goes_on else ():
            with suppress(DataError):
                self._sinks = open_sinks(kinds, context, state["sinks"])
                forget_states_after(self._part.path, number)
                self.summary = Summary(state["summary"])
                self.frames, self._last = number, state["last"]
                tracking: dict[str, Any] = state["tracking"]
                return tracking
        forget_states_after(self._part.path, -1)
        self._sinks = open_sinks(kinds, context)
        return None

    @contextmanager
    def _prepared(self, tracking: Tracking) -> Iterator[Iterator[_Item]]:
        """What the tracking gives, drawn and encoded ahead, each in a thread of its own."""
        with ExitStack() as stack:
            ready = Ahead(self._frames(tracking), depth=_AHEAD)
            stack.callback(ready.close)
            # a stage each in a thread of its own: numpy and the encoder release the interpreter's
            # lock
            for stage in (self._encode, self._draw):
                ready = Ahead(map(stage, ready), depth=_AHEAD)
                stack.callback(ready.close)
            # what they wait for ends first
            stack.callback(tracking.close)
            yield ready

    def _frames(self, tracking: Tracking) -> Iterator[_Item]:
        edges = 0
        for frame, tracks in tracking.with_frames():
            frame_result = FrameResult(frame, tracks, tracking.info, self.names)
            if not tracking.at_edge:
                yield _Item(frame_result, [])
                continue
            edges += 1
            due = _is_due(edges, self._run_options.checkpoint) and not tracking.info.live
            ended = tracking.ended()
            yield _Item(frame_result, ended, tracking.state_dict() if due else None)
        yield _Item(None, tracking.ended())

    def _encode(self, item: _Item) -> _Item:
        """Make what the sinks and the table ask of the masks here, beside them."""
        if item.frame_result is not None:
            _ = item.frame_result.areas
            if _RLES & set(self._job.kinds):
                _ = item.frame_result.rles
            if _INDEX_MAP & set(self._job.kinds):
                _ = item.frame_result.index_map
        return item

    def _draw(self, item: _Item) -> _Item:
        """Make the picture, where one is asked for."""
        is_drawn = _ANNOTATED & set(self._job.kinds) or self._run_options.preview is not None
        if item.frame_result is not None and is_drawn:
            _ = item.frame_result.annotated
        return item

    def _write_all(self, items: Iterator[_Item], tracking: Tracking, options: TrackOptions) -> None:
        name = self._job.source.name
        with tqdm(
            # the first window takes minutes then, and a bar that stands still looks broken
            desc=f"{name}, compiling" if options.compile else name,
            total=_expected(tracking, options),
            initial=self.frames,
            unit=" frames",
            disable=None if self._run_options.progress else True,
        ) as bar:
            for item in items:
                if item.frame_result is not None:
                    self._write(item.frame_result)
                    bar.set_description_str(name, refresh=False)
                    bar.update()
                self._end(item.ended)
                if item.state is not None:
                    self._save(item.state)

    def _write(self, frame_result: FrameResult) -> None:
        for sink in self._sinks.values():
            sink.write(frame_result)
        self.summary.add(frame_result)
        self.frames += 1
        self._last = frame_result.tracks.index
        if self._run_options.preview is not None:
            self._run_options.preview.show(frame_result.annotated)

    def _end(self, ended: list[Identity]) -> None:
        self.summary.end(ended)
        for sink in self._sinks.values():
            sink.end(ended)

    def _save(self, tracking: dict[str, Any]) -> None:
        value = {
            "tracking": tracking,
            "sinks": {kind: sink.state() for kind, sink in self._sinks.items()},
            "summary": self.summary.state(),
            "last": self._last,
        }
        save_state(self._part.path, self.frames, value)

    def _finish(self, length: int) -> None:
        # the video last: until then, all can be gone on with
        for kind in sorted(self._sinks, key=lambda kind: kind == "video"):
            self._sinks[kind].finish(length)
        self._whole = True
        for sink in self._sinks.values():
            sink.close()
        objects = len(self.summary.sightings)
        self._part.finish({"frames": self.frames, "length": length, "objects": objects})

    def _finish_early(self, error: BaseException) -> None:
        """The end of a camera or stream is whenever somebody, or something, stops it."""
        try:
            self._end(self.summary.standing(len(self.names)))
            self._finish(self._last + 1)
        except VisError as second:
            self._keep()
            second.done = f"The {self.frames} frames so far are kept in {self._part.path}"
            raise
        self.stopped = isinstance(error, KeyboardInterrupt)
        if not self.stopped:
            error.add_note(f"The {self.frames} frames so far are whole in {self._part.folder}")
            raise error

    def _keep(self) -> None:
        """Make what is there valid, as far as the disk allows; the states stay right."""
        standing = self.summary.standing(len(self.names))
        for kind, sink in self._sinks.items():
            with suppress(VisError):
                # whole outputs, whose names alone could not be given, stay as they are
                if kind != "video" and self.frames and not self._whole:
                    sink.end(standing)
                    sink.finish(self._last + 1)
            with suppress(VisError):
                sink.close()

    def _explain(self, error: BaseException) -> None:
        """Say in the error what was kept and how to go on."""
        if not self.frames:
            return
        explain_resume(error, f"The {self.frames} frames so far are kept in {self._part.path}")


def _is_due(windows: int, every: int) -> bool:
    """Whether a state is saved now: after 4, 8, 16, ... windows, then after each `every`."""
    # a short film would else have no state at all; powers of two cost little in a long one
    early = windows >= 4 and windows.bit_count() == 1
    return windows % every == 0 or (early and windows < every)


def _expected(tracking: Tracking, options: TrackOptions) -> int | None:
    """Frames that will come, as far as the source's header is right."""
    stated = tracking.info.frames
    if stated is None and tracking.info.duration and tracking.info.frame_rate:
        stated = round(tracking.info.duration * tracking.info.frame_rate)
    frames = [options.max_frames, None if stated is None else -(-stated // options.every)]
    return min((number for number in frames if number is not None), default=None)
