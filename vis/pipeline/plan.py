"""What is asked of tracking, checked and filled in: the model, its classes, windows and size."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vis import weights
from vis.datasets.config import Resize
from vis.errors import UsageError
from vis.models import Model
from vis.pipeline.cuts import CutDetector, Memory
from vis.pipeline.linking import Linker
from vis.pipeline.looking import Looker, check_precision, device_of
from vis.tracking import Config
from vis.tracking.config import Linking
from vis.tracking.windows import check_plan
from vis.weights.catalogue import shipped_file
from vis.weights.classes import numbered

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

SHORTEST = 5
"""Frames that an object must be seen in, where a model looks at single frames: its mistakes are
brief, those of a model of clips are not."""
FARTHEST = 2
"""Frames from one that is looked at to the next, up to which a cut is told from motion."""
_SHORT, _LONGEST = Resize().short[0], Resize().longest or 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All on which the tracks depend, beside the model and the frames."""

    window: int
    """Frames that the model sees at once."""
    stride: int
    """Frames from the start of one window to that of the next. Smaller is slower, and links objects
    on more common frames; as large as the window, it links on nothing but what an object looks like
    and where it was last."""
    short: int
    """Pixels of the short side that the model sees."""
    longest: int
    every: int
    threshold: float
    classes: tuple[int, ...] | None
    """Indices of those that are shown; None for all."""
    tracker: Config
    regions: bool = False
    """Whether the model says regions of classes, not objects."""
    cuts: bool = True
    """Whether hard cuts are looked for and end all identities; a region's is its class, always."""

    def looker(self, model: Model[Any], *, device: str, precision: str) -> Looker:
        """The model at work as planned.

        Raises:
            DeviceError: there is no such device.
            UsageError: there is no such precision.
        """
        check_precision(precision)
        return Looker(
            model,
            length=self.window,
            short=self.short,
            longest=self.longest,
            device=device_of(device),
            precision=precision,
        )

    def detector(self, memory: Memory = Memory()) -> CutDetector | None:  # noqa: B008  frozen
        """What finds cuts, going on from a memory; None where none are looked for."""
        return CutDetector(memory) if self.cuts else None

    def linker(self, classes: int) -> Linker:
        """A fresh tracker of as many classes, and what is shown of it."""
        wanted = None if self.classes is None else frozenset(self.classes)
        return Linker(
            self.tracker,
            classes=classes,
            regions=self.regions,
            threshold=self.threshold,
            wanted=wanted,
        )

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = dataclasses.asdict(self)
        return values | {"classes": None if self.classes is None else list(self.classes)}

    def check_same(self, state: Mapping[str, Any]) -> None:
        """Refuse to go on from a state of other settings.

        Raises:
            UsageError: naming the first that differs.
        """
        for name, value in self.state().items():
            if state[name] != value:
                raise UsageError(
                    f"{name} is {value}, but the tracking that is to go on had {state[name]}",
                    remedy="Give the same settings, or begin anew without the state.",
                )


def plan_for(
    model: Model[Any],
    *,
    classes: Sequence[str] | None,
    threshold: float,
    window: int | None,
    stride: int | None,
    size: int | None,
    every: int,
    tracker: Config | None,
    linking: Linking = "masks",
    min_length: int | None = None,
    cuts: bool = True,
) -> Plan:
    """The plan for a model: what is None is chosen.

    Raises:
        UsageError: a value cannot be; says what can.
    """
    length = model.frames if window is None else window
    stride = max(1, 3 * length // 4) if stride is None else stride
    check_plan(window=length, stride=stride)
    if length > model.frames:
        raise UsageError(
            f"a window of {length} frames is too long for this model",
            remedy=f"It sees at most {model.frames}.",
        )
    short = size if size is not None else model.size or _SHORT
    _check_numbers(threshold, size=short, every=every, min_length=min_length)
    _check_linking(linking, model, tracker)
    config = tracker or tracker_for(threshold, linking)
    usual = SHORTEST if length == 1 and not model.is_semantic else 1
    return Plan(
        window=length,
        stride=stride,
        short=short,
        longest=round(short * _LONGEST / _SHORT),
        every=every,
        threshold=threshold,
        classes=None if classes is None else indices_of(classes, names_of(model)),
        tracker=replace(config, min_length=min_length or config.min_length or usual),
        regions=model.is_semantic,
        cuts=cuts and every <= FARTHEST and not model.is_semantic,
    )


def _check_numbers(threshold: float, **positive: int | None) -> None:
    for name, value in positive.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}, it must be at least 1")
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold}, it must be within 0..1")


def _check_linking(linking: str, model: Model[Any], tracker: Config | None) -> None:
    if linking not in get_args(Linking):
        raise UsageError(
            f"nothing is linked by {linking!r}", remedy=f"One of: {', '.join(get_args(Linking))}."
        )
    if linking == "queries" and tracker is not None:
        raise UsageError(
            "linking and a tracker are given",
            remedy="Give one of them; Config.by_queries makes such a tracker.",
        )
    if linking == "queries" and model.is_semantic:
        raise UsageError(
            "the model says regions of classes, nothing is linked", remedy="Leave linking out."
        )


def tracker_for(threshold: float, linking: Linking = "masks") -> Config:
    """The usual settings; where weaker objects are to be shown, weaker ones are followed too."""
    usual = Config.by_queries() if linking == "queries" else Config()
    share = min(1.0, threshold / usual.threshold)
    return replace(usual, threshold=usual.threshold * share, weakest=usual.weakest * share)


def opened(model: Model[Any] | str | os.PathLike[str] | None) -> Model[Any]:
    """A model as it is, that of a weight file, or the one that ships with the package.

    Raises:
        UsageError: None was named and none ships.
        InputError, DataError: as `vis.load`.
    """
    if isinstance(model, Model):
        return model
    if model is not None:
        return weights.load(model if isinstance(model, str) else Path(model))
    if not shipped_file().is_file():
        raise UsageError(
            "no model is named, and this installation comes without one",
            remedy="Give a weight file, or the name of one in the folder of weights.",
        )
    return weights.load(shipped_file())


def names_of(model: Model[Any]) -> dict[int, str]:
    """The name of each class index; classes that nobody has named are numbered."""
    return dict(enumerate(model.class_names or numbered(model.config.classes)))


def indices_of(classes: Sequence[str], names: Mapping[int, str]) -> tuple[int, ...]:
    """The indices of the classes that are named.

    Raises:
        UsageError: there is no class of a name; says which is nearest.
    """
    if not classes or isinstance(classes, str):
        raise UsageError("no list of classes is given", remedy="Leave it out to see all.")
    known = {name: index for index, name in names.items()}
    for name in classes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            there = f"There are: {', '.join(list(known)[:20])}{', ...' * (len(known) > 20)}."
            raise UsageError(
                f"the model has no class {name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else there,
            )
    return tuple(sorted(known[name] for name in classes))
