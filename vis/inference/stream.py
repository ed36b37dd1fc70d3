"""The frames of a video with their objects, as they come out; what `vis.track` makes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from vis.errors import UsageError
from vis.inference.cuts import Memory
from vis.inference.stages import Stages
from vis.inference.windows import FrameSampler
from vis.models._contract import plain_state, state_of
from vis.outputs.encoding import encoded
from vis.outputs.frame_result import CompressedFrame
from vis.outputs.result import Result
from vis.records import FrameTracks, Track

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from vis.inference.predictor import Predictor
    from vis.inference.resolved_options import ResolvedOptions
    from vis.models._contract import State
    from vis.records import RLE, Frame, Identity, VideoInfo
    from vis.video import VideoReader
    from vis.video.damage import ReadReport


class Tracking(Iterator[FrameTracks]):
    """The frames of a video with their objects, in order, once each; `vis.track` makes one.

    Decoding, the model and whoever iterates work at the same time, each a bounded number of frames
    ahead of the next. Labels are class indices, see `names`. Closing, or dropping the last
    reference, stops the work.
    """

    def __init__(
        self,
        reader: VideoReader,
        predictor: Predictor,
        names: Mapping[int, str],
        *,
        options: ResolvedOptions,
        batch: int = 1,
        max_frames: int | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.info: VideoInfo = reader.info
        """What the source says of itself."""
        self.names = dict(names)
        """Class index -> name."""
        self.options = options
        """As they were resolved for the model."""
        self._reader, self._predictor, self._batch = reader, predictor, batch
        self._session = options.session(len(self.names))
        self._emitted = self._following = self._waiting = 0
        self._memory = Memory()
        self._model_state: State | None = None
        # decoded and dropped up to there: seeking by time is not exact on damaged files
        first = 0 if state is None else self._go_on(state)
        left = None if max_frames is None else max(0, max_frames - self._emitted)
        self._sampler = FrameSampler(reader, every=options.every, first=first, max_frames=left)
        self._stages: Stages | None = None
        self._settled: deque[FrameTracks] = deque()
        self._frames: dict[int, Frame] = {}
        self._over = self._finished = self._exhausted = False

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far; complete after the last frame."""
        return self._reader.report

    @property
    def length(self) -> int:
        """Frames of the source as far as it was read."""
        return self._sampler.read

    @property
    def at_edge(self) -> bool:
        """Whether all frames that are ready were taken: `state_dict` may be asked.

        Frames that wait for an object in them to be confirmed are part of the state.
        """
        return not self._settled

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FrameTracks:
        return self._next(pixels=False)[0]

    def with_frames(self) -> Iterator[tuple[Frame, FrameTracks]]:
        """The same with the pixels of the frames, to draw on; they are held until they come out.

        Raises:
            UsageError: frames were taken without pixels before.
        """
        while True:
            try:
                tracks, frame = self._next(pixels=True)
            except StopIteration:
                return
            assert frame is not None
            yield frame, tracks

    def ended(self) -> list[Identity]:
        """What is finally known of the objects that left for good since the last call.

        After the last frame, of all that are left. Each object that was written comes once, with
        the score of the last frame that had it; where its class turned out to be none of those
        that were asked for, by the one that it was written as.
        """
        ended = self._session.ended()
        if self._over and not self._finished:
            self._finished = True
            ended += self._session.finish()
        return ended

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later, as plain values and tensors; see `vis.track`.

        `emitted` is how many frames came out. `following` is the index of the first frame that the
        next window begins with. Of those before it, the last `waiting` have not come out: they wait
        for an object to be confirmed, are part of the state, and only their pixels are read again,
        from the index `first` on. So are objects that left and that `ended` has not given yet.

        Raises:
            UsageError: some frames of a window were taken and others not, see `at_edge`.
        """
        if not self.at_edge:
            raise UsageError(
                f"{len(self._settled)} frames of the window were not taken yet",
                remedy="Ask where `at_edge` is true.",
            )
        return {
            "options": self.options.state(),
            "following": self._following,
            "emitted": self._emitted,
            "waiting": self._session.waiting,
            "first": self._session.first_waiting(self._following),
            "memory": self._memory.state(),
            "model": plain_state(self._model_state),
            "session": self._session.state_dict(),
        }

    def collect(self) -> Result:
        """Run to the end and keep all tracks, as run lengths at the video's size.

        Memory grows with the video, by run lengths alone.
        """
        masks: dict[int, dict[int, RLE]] = defaultdict(dict)
        frames: list[CompressedFrame] = []
        identities: dict[int, Identity] = {}
        for tracks in self:
            rles = encoded(tracks, self.info)
            frames.append(CompressedFrame.of(tracks, rles))
            for identity, mask in zip(tracks.ids.tolist(), rles, strict=True):
                if mask is not None:
                    masks[identity][tracks.index] = mask
            identities |= {one.id: one for one in self.ended()}
        identities |= {one.id: one for one in self.ended()}
        # an object all of whose masks are empty has an end but no track
        ended = [identities[key] for key in sorted(masks) if key in identities]
        return Result(
            tracks=[Track(one.id, one.label, float(one.score), masks[one.id]) for one in ended],
            info=self.info,
            names=self.names,
            frames=tuple(frames),
            length=self.length,
            identities={one.id: one for one in ended},
            report=self.report,
        )

    def close(self) -> None:
        """Stop the work and free the source."""
        self._over = True
        self._reader.close()
        if self._stages is not None:
            self._stages.close()
        self._settled.clear()
        self._frames.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _go_on(self, state: Mapping[str, Any]) -> int:
        """Take a state; the index of the first frame to be read."""
        if self.info.live:
            raise UsageError("a live source cannot go on", where=self.info.name)
        if "options" not in state:
            raise UsageError("the state is of an older version", remedy="Begin anew without it.")
        self.options.check_same(state["options"])
        self._session.load_state_dict(state["session"])
        self._emitted, self._following = state["emitted"], state["following"]
        self._waiting, self._memory = state["waiting"], Memory.of(state["memory"])
        self._model_state = state_of(state["model"])
        return int(state["first"])

    def _next(self, *, pixels: bool) -> tuple[FrameTracks, Frame | None]:
        if self._over:
            raise StopIteration
        if self._stages is None:
            self._stages = self._start_stages(pixels=pixels)
        if pixels and not self._stages.pixels:
            raise UsageError(
                "frames were taken without pixels before", remedy="Begin with with_frames."
            )
        # a window may settle no frame at all while its objects wait to be confirmed
        while not self._settled:
            self._step(self._stages)
        tracks = self._settled.popleft()
        return tracks, self._frames.pop(tracks.index, None)

    def _start_stages(self, *, pixels: bool) -> Stages:
        # frames that wait went through the model before the state was saved
        for frame in islice(self._sampler, self._waiting):
            if pixels:
                self._frames[frame.index] = frame
        return Stages(
            self._sampler,
            self._predictor,
            self.options,
            self._batch,
            pixels=pixels,
            detector=self.options.detector(self._memory),
            state=self._model_state,
        )

    def _step(self, stages: Stages) -> None:
        if self._exhausted:
            self._over = True
            raise StopIteration
        try:
            window, predictions, self._model_state = next(stages)
        except StopIteration:
            self._exhausted = True
            # no window follows: what still waits for confirmation is decided as it stands
            self._emit(self._session.end_shot())
            return
        for resized in window.frames[: window.settled]:
            if resized.frame is not None:
                self._frames[resized.stamp.index] = resized.frame
        self._emit(self._session.step(window, predictions))
        self._following = window.following
        # of the last settled frame, so that a resumed run compares with what this one would
        self._memory = window.memory or self._memory

    def _emit(self, frames: list[FrameTracks]) -> None:
        self._settled.extend(frames)
        self._emitted += len(frames)
