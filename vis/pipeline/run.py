"""One source to all its outputs: what is asked for, what came of it, and whether it is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis import __version__
from vis.errors import UsageError
from vis.pipeline.sinks import output_names
from vis.pipeline.tracking import THRESHOLD
from vis.pipeline.work import Work
from vis.storage.staged_outputs import StagedOutputs
from vis.video import open_video

if TYPE_CHECKING:
    from vis.errors import VisError
    from vis.models import Model
    from vis.pipeline.show import Screen
    from vis.pipeline.sources import Source
    from vis.pipeline.summary import Sighting
    from vis.tracking.config import Linking


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How sources are tracked, see `vis.track`; another choice is another output."""

    classes: tuple[str, ...] | None = None
    threshold: float = THRESHOLD
    window: int | None = None
    stride: int | None = None
    size: int | None = None
    precision: str = "fp32"
    linking: Linking = "masks"
    every: int = 1
    max_frames: int | None = None
    min_length: int | None = None
    cuts: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            UsageError: `every` is less than 1.
        """
        _check_positive("every", self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run goes; nothing in it changes what the outputs hold."""

    device: str = "auto"
    resume: bool = False
    """Whether to go on with what an earlier run left."""
    overwrite: bool = False
    """Whether outputs that are there are replaced."""
    checkpoint: int = 32
    """Windows from one saved state to the next."""
    screen: Screen | None = None
    """Shows the drawn frames."""
    progress: bool = False
    """Whether a bar shows it, where standard error is a terminal."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            UsageError: `checkpoint` is less than 1.
        """
        _check_positive("checkpoint", self.checkpoint)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The outputs of one source."""

    source: Source
    folder: Path
    kinds: tuple[str, ...]
    """As `vis.pipeline.sinks.check_kinds` gives them."""
    film: str = ".mp4"
    """Ending of the video."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
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


def run(
    wanted: Wanted, model: Model[Any], sha256: str, *, choices: Choices, manner: Manner
) -> Outcome:
    """Track one source and write its outputs; they get their names when all are whole.

    Args:
        wanted: source and outputs.
        model: what looks at it.
        sha256: of the model, by which a later run knows it again.
        choices: how it is tracked.
        manner: how the run goes.

    Raises:
        InputError, VideoError: the source cannot be read.
        OutputError: an output cannot be written, or is there already.
        UsageError: an argument is wrong, or not that of the run that is to go on; or an output
            would replace the source.
    """
    part = StagedOutputs(
        wanted.folder,
        wanted.source.name,
        outputs=output_names(wanted.kinds, wanted.source.name, wanted.film),
        settings=_settings(wanted, sha256, choices),
        overwrite=manner.overwrite,
    )
    _check_apart(wanted.source, part)
    if part.is_done() and not manner.overwrite:
        part.sweep()
        return Outcome(wanted.source, part.outputs, skipped=True)
    with part.owned(resume=manner.resume) as goes_on:
        if goes_on and part.is_finished:
            part.publish()
            return Outcome(wanted.source, part.outputs, skipped=True)
        work = Work(wanted, part, manner)
        try:
            with open_video(wanted.source.opened_as()) as reader:
                work.run(reader, model, choices, goes_on=goes_on)
        except BaseException:
            if not work.frames and not goes_on:
                part.discard()
            raise
    return Outcome(
        wanted.source,
        part.outputs,
        frames=work.frames,
        seconds=work.seconds,
        sightings=list(work.summary.sightings.values()),
        names=work.names,
        stopped=work.stopped,
    )


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(
            f"{name} is {value}, it must be at least 1", remedy=f"Leave {name} out, or raise it."
        )


def _check_apart(source: Source, part: StagedOutputs) -> None:
    """Refuse to replace the source itself, whatever may be overwritten."""
    place = Path(source.place)
    for path in part.outputs:
        if place.exists() and path.exists() and path.samefile(place):
            raise UsageError(
                "the output would replace its source",
                where=str(path),
                done="Nothing was changed.",
                remedy="Choose another name or folder.",
            )


def _settings(wanted: Wanted, sha256: str, choices: Choices) -> dict[str, Any]:
    chosen = asdict(choices)
    chosen["classes"] = None if choices.classes is None else list(choices.classes)
    source = {"source": wanted.source.facts(), "model": sha256}
    return {**source, **chosen, "save": list(wanted.kinds), "film": wanted.film, "vis": __version__}
