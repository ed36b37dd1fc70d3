"""How videos are tracked: one set of options for API, command, camera, evaluation and Ray."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.tracking import Config

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
Linking = Literal["masks", "queries"]
Engine = Literal["torch", "onnx"]
Preprocess = Literal["paper", "hub"]

THRESHOLD = 0.3
"""Score from which objects are written, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """How a model sees a video; other options give other predictions."""

    window: int | None = None
    """Frames that the model sees at once; without it, as many as it can."""
    stride: int | None = None
    """Frames from the start of one window to that of the next; without it, three quarters of a
    window. Less is slower and joins windows more surely."""
    size: int | None = None
    """Pixels of the short side that the model sees; without it, those it was trained for, else 360.
    The long side has at most 16 / 9 of it."""
    preprocess: Preprocess = "paper"
    """Whose size of the frames: the paper's, or what the preprocessor beside weights of the hub
    states, which may squeeze frames to a square."""
    precision: Precision = "fp32"
    """Of the model's numbers; half precision is faster on a GPU, and so is tf32, which rounds what
    matrix products read to 10 bits. In fp32, a GPU's convolutions alone do so, as torch has it."""
    compile: bool = False
    """Compile the model for the shape of its windows, which takes a minute or more before the first
    frame; faster for long videos on a GPU. What it says changes by rounding alone."""
    engine: Engine = "torch"
    """What computes the model. onnx is onnxruntime (the extra export), faster on a CPU; a graph is
    made for each size of frame once, which takes a minute, and kept beside the weights."""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: naming the option and what it may be.
        """
        check_one_of("precision", self.precision, get_args(Precision))
        check_one_of("engine", self.engine, get_args(Engine))
        if self.engine == "onnx" and self.precision != "fp32":
            raise UsageError("the engine onnx computes in fp32", remedy="Leave precision out.")
        check_one_of("preprocess", self.preprocess, get_args(Preprocess))
        if self.preprocess == "hub" and self.size is not None:
            raise UsageError("size and preprocess hub are given", remedy="Give one of them.")
        if self.engine == "onnx" and self.compile:
            raise UsageError("the engine onnx is compiled already", remedy="Leave compile out.")
        for name in ("window", "stride", "size"):
            check_positive(name, getattr(self, name))

    def updated(self, settings: Mapping[str, Any]) -> Self:
        """The same with other values for some options.

        Raises:
            UsageError: there is no such option, named with the nearest; or a value cannot be.
        """
        names = [one.name for one in dataclasses.fields(self)]
        for name in settings:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"One of: {', '.join(names)}."
                raise UsageError(f"there is no option {name!r}", remedy=remedy)
        return replace(self, **settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions(ModelOptions):
    """How a video is tracked; other options give another output."""

    classes: tuple[str, ...] | None = None
    """Names of the classes that are written, such as person,dog; without it, all."""
    threshold: float = THRESHOLD
    """An object is written from the frame on in which its score reaches this. The score, in frames
    and results alike, is the highest mean over the object's frames so far, so it never falls."""
    linking: Linking = "masks"
    """How windows are joined: by masks, where objects are, what they are and how they look; by
    queries, the model's embeddings alone, wherever the objects are: that survives jumps (without
    cuts also cuts), but mixes up what looks alike, and needs a model that has embeddings."""
    every: int = 1
    """Only frames whose index is a multiple of it are given to the model."""
    max_frames: int | None = None
    """At most so many frames are given to the model."""
    min_length: int | None = None
    """Frames that an object must be detected in to be written, then from its first on; without it,
    5 for models that see single frames, else 1. In a shorter video or shot, all frames suffice."""
    cuts: bool = True
    """No window spans a hard cut and no identity goes on over it. With every above 2, cuts do not
    count, as motion could not be told from them."""
    tracker: Config | None = field(default=None, metadata={"flag": False})
    """Settings of the tracker; None for the usual ones, which follow weaker objects where the
    threshold is low."""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: naming the option and what it may be.
        """
        # not `super()`: a dataclass with slots is another class than the one of this method
        ModelOptions.__post_init__(self)
        check_one_of("linking", self.linking, get_args(Linking))
        for name in ("every", "max_frames", "min_length"):
            check_positive(name, getattr(self, name))
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}, it must be within 0..1")
        if isinstance(self.classes, str) or (self.classes is not None and not self.classes):
            raise UsageError("no list of classes is given", remedy="Leave it out for all.")
        if self.classes is not None:
            # a list would make the frozen options unhashable, and change under the run
            object.__setattr__(self, "classes", tuple(self.classes))

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = dataclasses.asdict(self)
        return values | {"classes": None if self.classes is None else list(self.classes)}


def check_positive(name: str, value: int | None) -> None:
    """Refuse a number that is less than 1.

    Raises:
        UsageError: naming it.
    """
    if value is not None and value < 1:
        raise UsageError(
            f"{name} is {value}, it must be at least 1", remedy=f"Leave {name} out, or raise it."
        )


def check_one_of(name: str, value: str, values: tuple[str, ...]) -> None:
    """Refuse an unknown word.

    Raises:
        UsageError: naming those that there are.
    """
    if value not in values:
        raise UsageError(f"no {name} {value!r}", remedy=f"One of: {', '.join(values)}.")
