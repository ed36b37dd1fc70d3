"""`vis.track`: any video, any length, any model; frames with lasting identities come out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from vis.errors import UsageError
from vis.pipeline.plan import names_of, opened, plan_for
from vis.pipeline.stages import Stages
from vis.pipeline.windows import Chosen
from vis.records import FrameTracks
from vis.video import VideoReader, open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from vis.models import Model
    from vis.pipeline.looking import Looker
    from vis.pipeline.plan import Plan
    from vis.pipeline.result import Result
    from vis.records import Frame, Identity, VideoInfo
    from vis.tracking import Config
    from vis.tracking.config import Linking
    from vis.video.damage import ReadReport

THRESHOLD = 0.3
"""Of the scores of objects that are shown, where nobody says otherwise."""


def track(
    source: str | os.PathLike[str] | int | Sequence[Path] | VideoReader,
    model: Model[Any] | str | os.PathLike[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    threshold: float = THRESHOLD,
    window: int | None = None,
    stride: int | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: str = "fp32",
    every: int = 1,
    max_frames: int | None = None,
    batch: int = 1,
    linking: Linking = "masks",
    tracker: Config | None = None,
    state: Mapping[str, Any] | None = None,
    frame_rate: Fraction | float = 25,
    strict: bool = False,
) -> Tracking:
    """Find, outline, name and follow every object in a video, as it is read.

    Memory depends on the window and on the objects in sight, never on the video's length.

    Args:
        source: as `open_video` takes it, or a reader that it made.
        model: a model (it is put into eval mode and onto the device), a weight file or the name of
            one, see `vis.load`; None for the one that ships with the package.
        classes: names of the classes that are shown; None for all.
        threshold: in a frame, objects of a lower score are not shown.
        window: frames that the model sees at once; None for as many as it can.
        stride: frames from the start of one window to that of the next; None for three quarters of
            the window. Less is slower and joins windows more surely.
        size: pixels of the short side that the model sees; None for those that it was
            trained for, else 360. The long side has at most 16 / 9 of it.
        device: `cpu`, `cuda`, `cuda:1`, ...; `auto` is a GPU where there is one.
        precision: `fp32`, `bf16` or `fp16`.
        every: only frames whose index is a multiple of it are looked at.
        max_frames: at most so many frames are looked at.
        batch: windows that the model sees side by side; changes speed and memory alone.
        linking: how windows are joined: by `masks`, where objects are, what they are and how they
            look; or by `queries`, the model's embeddings alone, wherever the objects are, which
            survives jumps and cuts but mixes up what looks alike.
        tracker: settings of the tracker; None for the usual ones, which follow weaker objects where
            the threshold is low.
        state: of a tracking of the same source and settings, to go on after it. The frames before
            are decoded and dropped: that is exact on every file.
        frame_rate: of pictures without stated times.
        strict: raise at the first sign of damage in the source.

    Raises:
        UsageError: an argument is wrong; at the first window: it is to be linked by queries, and
            the model has no embeddings.
        InputError, VideoError: the source cannot be read.
        DataError: the weight file is damaged.
        DeviceError: there is no such device.
    """
    model = opened(model)
    plan = plan_for(
        model,
        classes=classes,
        threshold=threshold,
        window=window,
        stride=stride,
        size=size,
        every=every,
        tracker=tracker,
        linking=linking,
    )
    _check_counts(batch, max_frames)
    looker = plan.looker(model, device=device, precision=precision)
    if not isinstance(source, VideoReader):
        source = open_video(source, frame_rate=frame_rate, strict=strict)
    return Tracking(
        source, looker, names_of(model), plan=plan, batch=batch, most=max_frames, state=state
    )


def _check_counts(batch: int, max_frames: int | None) -> None:
    if batch < 1 or (max_frames is not None and max_frames < 1):
        raise UsageError("batch and max_frames must be at least 1", remedy="Leave them out.")


class Tracking(Iterator[FrameTracks]):
    """The frames of a video with their objects, in order, once each; `vis.track` makes one.

    Decoding, the model and whoever iterates work at the same time, each a bounded number of frames
    ahead of the next. Labels are class indices, see `names`. Closing, or dropping the last
    reference, stops the work.
    """

    def __init__(
        self,
        reader: VideoReader,
        looker: Looker,
        names: Mapping[int, str],
        *,
        plan: Plan,
        batch: int = 1,
        most: int | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.info: VideoInfo = reader.info
        """What the source says of itself."""
        self.names = dict(names)
        """Class index -> name."""
        self.plan = plan
        """What was asked for, filled in."""
        self._reader, self._looker, self._batch, self._most = reader, looker, batch, most
        self._linker = plan.linker(len(self.names))
        self._emitted = self._following = 0
        if state is not None:
            self._go_on(state)
        left = None if most is None else max(0, most - self._emitted)
        self._chosen = Chosen(reader, every=plan.every, first=self._following, most=left)
        self._stages: Stages | None = None
        self._settled: deque[FrameTracks] = deque()
        self._frames: dict[int, Frame] = {}
        self._over = self._finished = False

    @property
    def report(self) -> ReadReport:
        """What was read and lost so far; complete after the last frame."""
        return self._reader.report

    @property
    def length(self) -> int:
        """Frames of the source as far as it was read."""
        return self._chosen.read

    @property
    def at_edge(self) -> bool:
        """Whether all frames of the windows so far were taken: `state_dict` may be asked."""
        return not self._settled

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FrameTracks:
        return self._next(pixels=False)[0]

    def shown(self) -> Iterator[tuple[Frame, FrameTracks]]:
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

        After the last frame, of all that are left. Each object that was shown is told of once,
        unless its class turned out to be none of those that were asked for.
        """
        ended = self._linker.ended()
        if self._over and not self._finished:
            self._finished = True
            ended += self._linker.finish()
        return ended

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later, as plain values and tensors; see `vis.track`.

        `following` is the index of the first frame to be read again, which is the next to come out;
        `emitted` is how many came out. Objects that left and were not asked for by `ended` yet are
        part of it.

        Raises:
            UsageError: some frames of a window were taken and others not, see `at_edge`.
        """
        if not self.at_edge:
            raise UsageError(
                f"{len(self._settled)} frames of the window were not taken yet",
                remedy="Ask where `at_edge` is true.",
            )
        return {
            "plan": self.plan.state(),
            "following": self._following,
            "emitted": self._emitted,
            "linker": self._linker.state_dict(),
        }

    def collect(self) -> Result:
        """Run to the end and keep all tracks, as run lengths at the video's size."""
        from vis.pipeline.result import collected

        return collected(self)

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

    def _go_on(self, state: Mapping[str, Any]) -> None:
        if self.info.live:
            raise UsageError("a live source cannot go on", where=self.info.name)
        self.plan.check_same(state["plan"])
        self._linker.load_state_dict(state["linker"])
        self._emitted, self._following = state["emitted"], state["following"]

    def _next(self, *, pixels: bool) -> tuple[FrameTracks, Frame | None]:
        if self._over:
            raise StopIteration
        if self._stages is None:
            self._stages = Stages(self._chosen, self._looker, self.plan, self._batch, pixels=pixels)
        if pixels and not self._stages.pixels:
            raise UsageError("frames were taken without pixels before", remedy="Begin with shown.")
        while not self._settled:
            self._step(self._stages)
        tracks = self._settled.popleft()
        return tracks, self._frames.pop(tracks.index, None)

    def _step(self, stages: Stages) -> None:
        try:
            window, predictions = next(stages)
        except StopIteration:
            self._over = True
            raise
        for seen in window.seen[: window.settled]:
            if seen.frame is not None:
                self._frames[seen.stamp.index] = seen.frame
        self._settled.extend(self._linker.step(window, predictions))
        self._emitted += window.settled
        self._following = window.following
