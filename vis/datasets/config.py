"""What a data set is made by: typed settings with their defaults; nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

# jsonargparse reads the annotations, and checks ranges where it knows the path
from vis.datasets.ranges import (  # noqa: TC001
    Byte,
    ClosedUnitInterval,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Weight,
)
from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Resize:
    """The short side to one of several lengths, the long one in proportion."""

    short: tuple[PositiveInt, ...] = (360,)
    """Pixels; one of them is drawn for each clip."""
    longest: PositiveInt | None = 640
    """Pixels that the long side may have at most."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A random window of the clip."""

    at: Resize
    """The size from which it is cut."""
    lowest: PositiveInt
    highest: PositiveInt
    """Pixels of either side, each drawn alone."""
    probability: ClosedUnitInterval = 1.0


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """A window that shows the clip at any scale, cut where it is too large, else filled up."""

    RENAMED: ClassVar[Mapping[str, str]] = {"filling": "pad_value"}

    lowest: PositiveFloat = 0.1
    highest: PositiveFloat = 2.0
    """The clip is brought to fit into so many times the window."""
    side: PositiveInt = 1024
    """Pixels of the window's height, and of its width where that is none."""
    width: PositiveInt | None = None
    pad_value: Byte = 128
    """Of the pixels that the clip does not fill, 0..255; they count as content."""

    def __post_init__(self) -> None:
        """Refuse scales that make no range."""
        _check_rising("jitter", self.lowest, self.highest)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.side, self.side if self.width is None else self.width


@dataclass(frozen=True, kw_only=True)
class ScaledWindow:
    """A window of the clip at any scale, in which no class has too large a share."""

    short: PositiveInt
    longest: PositiveInt
    """Pixels of the clip's sides, at most, at a scale of 1."""
    side: PositiveInt
    """Pixels of the window's sides."""
    lowest: PositiveFloat = 0.5
    highest: PositiveFloat = 2.0
    """Scales."""
    share: ClosedUnitInterval = 0.75
    """Of the pixels with a class that one class may have."""
    tries: PositiveInt = 10
    """Windows that are drawn, at most; the last one is taken whatever it shows."""

    def __post_init__(self) -> None:
        """Refuse scales that make no range."""
        _check_rising("scaled", self.lowest, self.highest)


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Random changes of colour, each done to half of the clips (SSD's and VisTR's strengths)."""

    RENAMED: ClassVar[Mapping[str, str]] = {"exchange": "channel_shuffle"}

    brightness: NonNegativeFloat = 32.0
    """Added to all pixels of 0..255: at most this, up or down."""
    contrast: NonNegativeFloat = 0.5
    """Factor of all pixels: 1 plus or minus at most this."""
    saturation: NonNegativeFloat = 0.5
    """Factor of what differs from grey: 1 plus or minus at most this."""
    hue: NonNegativeFloat = 18.0
    """Degrees around the circle of colours, at most, either way."""
    channel_shuffle: bool = True
    """Whether red, green and blue may change places."""
    each_frame: bool = False
    """Draw for each frame instead of for the clip: it flickers, as published by VisTR."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How pictures become clips."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "turn": "rotation",
        "stops": "keyframes",
        "guests": "copy_paste_instances",
    }

    zoom: tuple[float, float] = (0.6, 1.0)
    """Sides of the camera's view, as shares of the picture's."""
    rotation: float = 12.0
    """Degrees that the camera may turn, at most, either way."""
    shear: float = 0.1
    keyframes: PositiveInt = 3
    """Places that the motion passes through; 1 stands still."""
    copy_paste_instances: NonNegativeInt = 2
    """Most objects of other pictures that are pasted and move through; 0 for none."""
    single: bool = False
    """Whether clips of one frame are made so too: one view of the camera, and what is pasted rests
    where it is."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Changes of clips, in the order of the fields; what is none is left out."""

    flip: ClosedUnitInterval = 0.5
    """Probability that left and right are exchanged."""
    first: Resize | None = None
    scaled: ScaledWindow | None = None
    colours: Colours | None = field(default_factory=Colours)
    window: Window | None = None
    jitter: Jitter | None = None
    last: Resize | None = field(default_factory=Resize)
    fixed: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of all clips at the end, whatever their proportions."""

    @property
    def short(self) -> int | None:
        """Pixels of the short side at the end, the middle of several; None if nothing sets it."""
        if self.fixed is not None:
            return min(self.fixed)
        return None if self.last is None else sorted(self.last.short)[len(self.last.short) // 2]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set of a mixture."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "empty": "keep_empty",
        "balance": "repeat_factor_threshold",
    }

    path: str
    """An annotation file (YouTube-VIS, OVIS, COCO, CVAT, labelme, Label Studio, VIA, YOLO's
    data.yaml), a folder (DAVIS, MOTS, labelme, YOLO, Pascal VOC, ADE20K, Cityscapes, one of
    pictures with PNG labels), or a list (Pascal Context and VOC, YOLO)."""
    frames: str | None = None
    """The folder that its file names are relative to, where it is not found by itself."""
    frames_prefix: dict[str, str] = field(default_factory=dict)
    """What its file names begin with: what stands for it, as `s3://bucket/: ""`."""
    weight: Weight = 1.0
    """Share of the clips, beside the other sources' weights."""
    key: str = "name"
    """Which entry of a category names its class."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What the data set calls it: what the class is called."""
    videos: tuple[str, ...] = ()
    """Names of the only videos to be used; none for all."""
    keep_empty: bool = True
    """Whether videos without an object of the classes are used."""
    crowds_are_objects: bool = False
    """Whether what is marked `iscrowd: 1` is one object, as CVAT exports brush masks; else it is a
    region of many, which no model learns from."""
    repeat_factor_threshold: ClosedUnitInterval = 0.0
    """Share of the videos from which on a class is common: a rarer one is shown more often, by the
    square root of what it lacks (repeat factor sampling). 0 shows every video equally often."""
    motion: Motion = field(default_factory=Motion)
    """Of single pictures, where clips are longer than one frame or `motion.single` says so."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What a model learns from."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "parts": "sources",
        "length": "clip_length",
        "reach": "max_offset",
    }

    sources: tuple[Source, ...]
    classes: tuple[str, ...] | None = None
    """What the model tells apart; none for all classes of the sources."""
    clip_length: PositiveInt = 36
    """Frames of a clip."""
    sampling: Literal["cyclic", "strided", "nearby"] = "strided"
    """`cyclic`: consecutive, by VisTR's rule. `strided`: at a random distance. `nearby`: any
    frames around a random one, by Mask2Former's rule."""
    stride: tuple[PositiveInt, PositiveInt] = (1, 1)
    """Least and greatest distance of the frames of a strided clip."""
    max_offset: PositiveInt = 20
    """Of a nearby clip: how far its frames may be from the random one."""
    keep_unseen: bool = False
    """Keep the rows of objects that no frame of a clip shows, as VisTR does."""
    on_bad_sample: Literal["error", "skip"] = "error"
    """At a picture that is missing or cannot be decoded: stop, or take another clip, for as many
    files as a thousandth of the items, at least one."""
    augmentation: Augmentation = field(default_factory=Augmentation)


def _check_rising(what: str, lowest: float, highest: float) -> None:
    if lowest > highest:
        raise UsageError(
            f"{what} goes from {lowest} to {highest}", remedy="Write the smaller scale first."
        )
