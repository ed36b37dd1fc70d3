"""The records that pass between rooms; nothing else does.

Axes, one legend for the whole package: `B` videos, `T` frames of a clip, `N` instances,
`Q` queries, `K` classes, `C` channels, `H W` pixels, `h w` feature cells.

Everything up to the tracker is a torch tensor; from the tracker on (pixels, drawing, files) it is a
numpy array, so that the video road needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

Pixels = npt.NDArray[np.uint8]
"""`[H W 3]` RGB, 0..255, upright."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What a model sees: `B` clips of `T` frames, padded at the bottom right to one size."""

    frames: Tensor
    """`[B T 3 H W]` float RGB, 0..1, not normalised; the content of the padding is undefined. On
    the way from a loader to the device, uint8 RGB: a quarter of the traffic."""
    sizes: Tensor
    """`[B 2]` int64, height and width of the content; the padding mask is derived from it. They are
    in the host's memory, wherever the frames are: who asks for them never waits for a device."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipTargets:
    """The truth of one clip; row n is one object through the clip."""

    labels: Tensor
    """`[N]` int64 class index."""
    boxes: Tensor
    """`[N T 4]` float xyxy as fractions of the content."""
    masks: Tensor
    """`[N T H W]` bool."""
    visible: Tensor
    """`[N T]` bool; where False, box and mask are empty."""
    labelled: Tensor | None = None
    """`[K]` bool; where False, objects of the class are not annotated here, so that their absence
    says nothing. None: all classes are."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipPredictions:
    """What a model says of one clip, without a resolution: enlarged only when drawn or encoded."""

    scores: Tensor
    """`[N]` 0..1."""
    labels: Tensor
    """`[N]` int64 class index."""
    class_scores: Tensor
    """`[N K]` probabilities."""
    boxes: Tensor
    """`[N T 4]` xyxy as fractions of the content."""
    masks: Tensor
    """`[N T h w]` probabilities over the content."""
    presence: Tensor
    """`[N T]` probability that the object is visible in the frame."""
    embeddings: Tensor | None = None
    """`[N C]` to recognise an object again, where the model has one."""
    semantic: Tensor | None = None
    """`[T K h w]` probabilities of a semantic model."""
    query_logits: Tensor | None = None
    """`[N T K + 1]` raw, the last is "no object", of a model whose query stays with its object:
    row n is then query n in every clip of a video."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video and its place in it."""

    index: int
    """Position among the frames that the source holds, from 0; a lost frame leaves a gap."""
    time: Fraction
    """Presentation time in seconds, exact."""
    pixels: Pixels
    """`[H W 3]` uint8 RGB, upright."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameTracks:
    """The objects of one frame, as the tracker emits them: once a frame, in order."""

    index: int
    """The frame's index."""
    time: Fraction
    """The frame's presentation time in seconds."""
    ids: npt.NDArray[np.int64]
    """`[N]` identity, never used twice in a video."""
    labels: npt.NDArray[np.int64]
    """`[N]` category."""
    scores: npt.NDArray[np.float32]
    """`[N]` 0..1. As `vis.track` gives them: the highest mean so far over the track's frames, which
    never falls. A tracker alone gives the mean as of now."""
    boxes: npt.NDArray[np.float32]
    """`[N 4]` xyxy as fractions of the frame."""
    masks: npt.NDArray[np.bool_] | npt.NDArray[np.float32]
    """`[N h w]` over the frame at any resolution: bool, or probabilities (inside is > 0.5)."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """What is known of one object over all frames so far, as the tracker states it at its end."""

    id: int
    label: int
    """Class of the highest accumulated probability; the frames before may have named another."""
    score: float
    """0..1, comparable between videos: that of the last frame that showed it."""
    class_scores: npt.NDArray[np.float32]
    """`[K]` accumulated class probabilities."""
    mean: float = 0.0
    """0..1 over all of its frames, by which evaluation ranks: a sure beginning counts no more."""


@dataclass(frozen=True, slots=True)
class RLE:
    """A mask as COCO's compressed run lengths, column by column; always canonical.

    Canonical: the runs cover the picture exactly and only the first may be zero. `vis.ops.rle`
    alone makes these, so whoever holds one need not check it.
    """

    height: int
    width: int
    counts: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """One object through a video, compressed; what result files and evaluation read."""

    id: int
    label: int
    """Category id as its data set states it."""
    score: float
    masks: Mapping[int, RLE]
    """Frame index -> mask; a frame without an entry does not show the object."""
    crowd: bool = False
    """A region of many objects (truth only), ignored by evaluation."""
    box_only: bool = False
    """Whether the truth states boxes alone; each mask is its filled box then."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How a video codes colour, as the numbers of ITU-T H.273; 2 means unspecified."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself before its first frame is decoded."""

    name: str
    """The source as the user named it."""
    width: int
    height: int
    """Pixels of an upright frame (rotation applied)."""
    time_base: Fraction
    """Seconds per tick; every frame time is a whole number of them."""
    frame_rate: Fraction | None = None
    """Mean frames per second, where stated."""
    frames: int | None = None
    """Number of frames that the header declares, where it does."""
    duration: Fraction | None = None
    """Seconds, where stated."""
    rotation: int = 0
    """Degrees clockwise that were applied to make the picture upright: 0, 90, 180 or 270."""
    mirrored: bool = False
    """Whether the picture was mirrored left to right after the rotation."""
    pixel_aspect: Fraction = Fraction(1)
    """Width over height of one pixel of the upright frame."""
    container: str = ""
    codec: str = ""
    pixel_format: str = ""
    colour: Colour = Colour()
    audio_streams: int = 0
    live: bool = False
    """A camera or network stream: no end is known."""
