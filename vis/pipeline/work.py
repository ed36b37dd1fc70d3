"""One source at work: tracking, drawing and encoding side by side, states on the way."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from vis.errors import DataError, UsageError, VisError
from vis.pipeline.plan import names_of
from vis.pipeline.saved_state import forget_states_after, save_state, saved_states
from vis.pipeline.sinks import Shown, Target, open_sinks
from vis.pipeline.summary import Summary
from vis.pipeline.tracking import track
from vis.video.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.models import Model
    from vis.pipeline.run import Choices, Manner, Wanted
    from vis.pipeline.sinks import Sink
    from vis.pipeline.stream import Tracking
    from vis.records import Identity
    from vis.storage.staged_outputs import StagedOutputs
    from vis.video import VideoReader

_AHEAD = 3
"""Frames between two stages."""
_ENCODED, _PAINTED, _DRAWN = {"json", "jsonl", "coco"}, {"mots", "davis"}, {"video", "frames"}
"""Kinds of outputs that need the same of a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """What the stages hand on: a frame, or after the last one nothing but what ended then."""

    shown: Shown | None
    ended: list[Identity]
    state: dict[str, Any] | None = None


class Work:
    """Frames of one source into its sinks.

    Args:
        wanted: source and outputs.
        part: where they grow.
        manner: how the run goes.
    """

    def __init__(self, wanted: Wanted, part: StagedOutputs, manner: Manner) -> None:
        self._wanted, self._part, self._manner = wanted, part, manner
        self._sinks: dict[str, Sink] = {}
        self._last = -1
        self.summary = Summary()
        self.names: dict[int, str] = {}
        """Class index -> name."""
        self.frames = 0
        """That were written, those of the run that is gone on with too."""
        self.seconds = 0.0
        self.stopped = False
        """Whether the user ended a live source."""

    def run(
        self, reader: VideoReader, model: Model[Any], choices: Choices, *, goes_on: bool
    ) -> None:
        """Track until the source ends, then give the outputs their names.

        Whatever stops it, what was done stays in the part folder, valid.

        Raises:
            InputError, VideoError, OutputError, UsageError, DeviceError: as `vis.pipeline.run`.
        """
        began = monotonic()
        self.names = names_of(model)
        if goes_on and reader.info.live:
            raise UsageError(
                "a camera or stream cannot be gone on with",
                where=reader.info.name,
                done=f"What it gave before is kept in {self._part.path}.",
                remedy="Begin anew (--overwrite), or choose another output.",
            )
        state = self._open(reader, goes_on=goes_on)
        asked = asdict(choices) | {"device": self._manner.device, "state": state}
        try:
            with track(reader, model, **asked) as tracking, self._taken(tracking) as items:
                self._write_all(items, tracking, choices)
                length = max(tracking.length, self._last + 1)
            self._finish(length)
        except BaseException as error:
            if reader.info.live and self.frames:
                self._finish_early(error)
            else:
                self._keep()
                self._explain(error)
                raise
        self.seconds = monotonic() - began

    def _open(self, reader: VideoReader, *, goes_on: bool) -> dict[str, Any] | None:
        """Open the sinks at the newest state that all of them can go on from."""
        source = self._wanted.source.place
        sound = source if reader.info.audio_streams and Path(source).is_file() else None
        target = Target(
            folder=self._part.path,
            name=self._wanted.source.name,
            info=reader.info,
            names=self.names,
            film=self._wanted.film,
            audio_from=sound,
        )
        kinds = self._wanted.kinds
        for number, state in saved_states(self._part.path) if goes_on else ():
            with suppress(DataError):
                self._sinks = open_sinks(kinds, target, state["sinks"])
                forget_states_after(self._part.path, number)
                self.summary = Summary(state["summary"])
                self.frames, self._last = number, state["last"]
                tracking: dict[str, Any] = state["tracking"]
                return tracking
        forget_states_after(self._part.path, -1)
        self._sinks = open_sinks(kinds, target)
        return None

    @contextmanager
    def _taken(self, tracking: Tracking) -> Iterator[Iterator[_Item]]:
        """What the tracking gives, drawn and encoded ahead, each in a thread of its own."""
        with ExitStack() as stack:
            ready = Ahead(self._given(tracking), depth=_AHEAD)
            stack.callback(ready.close)
            for stage in (self._encode, self._draw):
                ready = Ahead(map(stage, ready), depth=_AHEAD)
                stack.callback(ready.close)
            # what they wait for ends first
            stack.callback(tracking.close)
            yield ready

    def _given(self, tracking: Tracking) -> Iterator[_Item]:
        edges = 0
        for frame, tracks in tracking.shown():
            shown = Shown(frame, tracks, tracking.info, self.names)
            if not tracking.at_edge:
                yield _Item(shown, [])
                continue
            edges += 1
            due = _is_due(edges, self._manner.checkpoint) and not tracking.info.live
            ended = tracking.ended()
            yield _Item(shown, ended, tracking.state_dict() if due else None)
        yield _Item(None, tracking.ended())

    def _encode(self, item: _Item) -> _Item:
        """Make what the sinks and the table ask of the masks here, beside them."""
        if item.shown is not None:
            _ = item.shown.areas
            if _ENCODED & set(self._wanted.kinds):
                _ = item.shown.rles
            if _PAINTED & set(self._wanted.kinds):
                _ = item.shown.painted
        return item

    def _draw(self, item: _Item) -> _Item:
        """Make the picture, where one is asked for."""
        wanted = _DRAWN & set(self._wanted.kinds) or self._manner.screen is not None
        if item.shown is not None and wanted:
            _ = item.shown.drawn
        return item

    def _write_all(self, items: Iterator[_Item], tracking: Tracking, choices: Choices) -> None:
        with tqdm(
            desc=self._wanted.source.name,
            total=_expected(tracking, choices),
            initial=self.frames,
            unit=" frames",
            disable=None if self._manner.progress else True,
        ) as bar:
            for item in items:
                if item.shown is not None:
                    self._write(item.shown)
                    bar.update()
                self._end(item.ended)
                if item.state is not None:
                    self._save(item.state)

    def _write(self, shown: Shown) -> None:
        for sink in self._sinks.values():
            sink.write(shown)
        self.summary.add(shown)
        self.frames += 1
        self._last = shown.tracks.index
        if self._manner.screen is not None:
            self._manner.screen.show(shown.drawn)

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
                if kind != "video" and self.frames:
                    sink.end(standing)
                    sink.finish(self._last + 1)
            with suppress(VisError):
                sink.close()

    def _explain(self, error: BaseException) -> None:
        """Say in the error what was kept and how to go on."""
        if not self.frames:
            return
        kept = f"The {self.frames} frames so far are kept in {self._part.path}"
        way = "Go on with the same command and --resume"
        if isinstance(error, VisError):
            error.done = kept
            error.remedy = ". ".join(part.rstrip(".") for part in (error.remedy, way) if part)
        else:
            error.add_note(f"{kept}. {way}")


def _is_due(windows: int, every: int) -> bool:
    """Whether a state is saved now: after 4, 8, 16, ... windows, then after each `every`."""
    early = windows >= 4 and windows.bit_count() == 1
    return windows % every == 0 or (early and windows < every)


def _expected(tracking: Tracking, choices: Choices) -> int | None:
    """Frames that will come, as far as the source's header is right."""
    stated = tracking.info.frames
    if stated is None and tracking.info.duration and tracking.info.frame_rate:
        stated = round(tracking.info.duration * tracking.info.frame_rate)
    frames = [choices.max_frames, None if stated is None else -(-stated // choices.every)]
    return min((number for number in frames if number is not None), default=None)
