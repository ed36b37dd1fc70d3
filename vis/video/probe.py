"""What a source is and whether it is whole: every frame is decoded and counted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from vis.errors import DamageWarning
from vis.video.reader import open_video

if TYPE_CHECKING:
    import os

    from vis.records import VideoInfo
    from vis.video.damage import Problem


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a full reading of a source found."""

    info: VideoInfo
    decoded: int
    """Frames that could be decoded."""
    lost: int
    """Frames known to be lost."""
    variable: bool
    """Whether the steps between frames differ by more than rounding."""
    start: Fraction
    """Time of the first frame in seconds."""
    end: Fraction
    """Time of the last frame in seconds."""
    problems: tuple[Problem, ...]
    steps: int = 0
    """Frames from the first to the last one that could be decoded, with those lost between."""

    @property
    def frame_rate(self) -> float | None:
        """Mean frames per second as found, or as stated for a single frame."""
        if self.steps:
            return float(self.steps / (self.end - self.start))
        return float(self.info.frame_rate) if self.info.frame_rate else None


def probe(
    source: str | os.PathLike[str] | int,
    *,
    max_frames: int | None = None,
    frame_rate: Fraction | float | None = None,
) -> ProbeReport:
    """Decode a source and report what it holds.

    Args:
        source: as `open_video` takes it.
        max_frames: stop after so many frames; give it for a camera or an endless stream.
        frame_rate: frames per second of pictures without stated times; 25 if not given.

    Raises:
        InputError, VideoError: as `open_video`.
    """
    steps: set[Fraction] = set()
    with warnings.catch_warnings(), open_video(source, frame_rate=frame_rate) as reader:
        warnings.simplefilter("ignore", DamageWarning)  # the report says it
        start = end = None
        index, decoded, first = -1, 0, 0
        for frame in reader:
            if end is not None and frame.index == index + 1:
                steps.add(frame.time - end)
            if start is None:
                start, first = frame.time, frame.index
            end, index, decoded = frame.time, frame.index, decoded + 1
            if decoded == max_frames:
                break
        report = reader.report
    ticks = reader.info.time_base
    return ProbeReport(
        info=reader.info,
        decoded=decoded,
        lost=report.lost,
        variable=bool(steps) and max(steps) - min(steps) > 2 * max(ticks, Fraction(1, 1000)),
        start=start or Fraction(0),
        end=end or Fraction(0),
        problems=report.problems,
        steps=max(index, first) - first,
    )
