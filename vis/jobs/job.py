"""One source and its outputs: what a job is, how it runs, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vis.inference.options import check_positive

if TYPE_CHECKING:
    from pathlib import Path

    from vis.errors import VisError
    from vis.jobs.sources import Source
    from vis.outputs.preview_window import PreviewWindow
    from vis.outputs.summary import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run goes; nothing in it changes what the outputs hold."""

    device: str = "auto"
    resume: bool = False
    """Whether to go on with what an earlier run left."""
    overwrite: bool = False
    """Whether outputs that are there are replaced."""
    checkpoint: int = 32
    """Windows from one saved state to the next."""
    preview: PreviewWindow | None = None
    """Shows the drawn frames."""
    progress: bool = False
    """Whether a bar shows it, where standard error is a terminal."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            UsageError: `checkpoint` is less than 1.
        """
        check_positive("checkpoint", self.checkpoint)


@dataclass(frozen=True, slots=True)
class Job:
    """The outputs of one source."""

    source: Source
    folder: Path
    kinds: tuple[str, ...]
    """As `vis.outputs.sinks.check_kinds` gives them."""
    video_name: str
    """Of the video inside files, which are perhaps called otherwise."""
    video_suffix: str = ".mp4"
    """Ending of the annotated video."""
    frame_rate: float | None = None
    """Frames per second of a source of pictures without stated times; None for the usual."""


@dataclass(frozen=True, slots=True, eq=False)
class JobResult:
    """What became of one source."""

    source: Source
    outputs: list[Path] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    """That this run worked on it."""
    sightings: list[Sighting] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    """Class index -> name."""
    skipped: bool = False
    """It was done before."""
    stopped: bool = False
    """The user ended a camera or stream; the outputs are whole."""
    error: VisError | None = None
    """Why it failed."""
