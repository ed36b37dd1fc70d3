"""Options of tracking for one model: classes as indices, windows and sizes as numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vis.datasets import config as usual
from vis.errors import DeviceError, UsageError
from vis.export.engine import onnx_model
from vis.inference.cuts import CutDetector, Memory
from vis.inference.model_classes import indices_of, model_sha256, names_of
from vis.inference.predictor import Predictor, device_of
from vis.inference.session import TrackerSession
from vis.models._contract import OnlineModel
from vis.models._pixels import Resize
from vis.tracking import Config
from vis.tracking.windows import check_plan
from vis.weights.fetch import weights_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.inference.options import Linking, TrackOptions
    from vis.models import Model

MIN_LENGTH_OF_FRAMES = 5
"""Frames that an object must be detected in, where a model sees single frames: its mistakes are
brief, those of a model of clips are not."""
MAX_EVERY_OF_CUTS = 2
"""Frames from one that is seen to the next, up to which a cut is told from motion."""
_SHORT, _LONGEST = usual.Resize().short[0], usual.Resize().longest or 640
BICUBIC = "bicubic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions:
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
    """Pixels that the long side may have at most."""
    precision: str
    """Of the model's numbers."""
    compile: bool = False
    """Whether the model is compiled."""
    engine: str
    """What computes the model."""
    every: int
    threshold: float
    classes: tuple[int, ...] | None
    """Indices of those that are written; None for all."""
    tracker: Config
    is_semantic: bool = False
    """Whether the model says regions of classes, not objects."""
    by_query: bool = False
    """Whether the model goes on from frame to frame, each of its queries with its object."""
    height: int | None = None
    """Pixels that frames are squeezed to, with `width`; `short` and `longest` do not count then."""
    width: int | None = None
    resample: str | None = None
    """How frames are resized, where not bilinear."""
    cuts: bool = True
    """Whether hard cuts end all identities; that of a region is its class, always."""

    def predictor(self, model: Model[Any], *, device: str) -> Predictor:
        """The model at work with these options.

        Raises:
            DeviceError: there is no such device.
        """
        where = device_of(device)
        if self.engine == "onnx":
            if where.type != "cpu":
                raise DeviceError("the engine onnx computes on the CPU", remedy="Take device cpu.")
            model = onnx_model(model, weights_folder() / "onnx", model_sha256(model)[:16])
        return Predictor(
            model,
            length=self.window,
            short=self.short,
            longest=self.longest,
            squeezed=None
            if self.height is None or self.width is None
            else (self.height, self.width),
            bicubic=self.resample == BICUBIC,
            device=where,
            precision=self.precision,
            compile=self.compile,
        )

    def detector(self, memory: Memory = Memory()) -> CutDetector | None:  # noqa: B008  frozen
        """What finds cuts, going on from a memory; None where none are looked for."""
        return CutDetector(memory) if self.cuts else None

    def session(self, num_classes: int) -> TrackerSession:
        """A fresh tracker, and what is written of its tracks."""
        return TrackerSession(
            self.tracker,
            num_classes=num_classes,
            is_semantic=self.is_semantic,
            by_query=self.by_query,
            threshold=self.threshold,
            classes=None if self.classes is None else frozenset(self.classes),
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
            if state.get(name) != value:
                raise UsageError(
                    f"{name} is {value}, but the tracking that is to go on had {state.get(name)}",
                    remedy="Give the same settings, or begin anew without the state.",
                )


def resolve(options: TrackOptions, model: Model[Any]) -> ResolvedOptions:
    """The options for a model, with numbers where they leave the choice.

    Raises:
        UsageError: the model cannot do that; says what it can.
    """
    online = isinstance(model, OnlineModel)
    window, stride = _plan(options, model, online=online)
    short = options.size or model.size or _SHORT
    if options.size is not None and model.input_size is not None:
        height, width = model.input_size
        raise UsageError(
            f"a size is given, but this model squashes every frame to {width} x {height}",
            remedy="Leave size out; the model's settings input_height and input_width say it.",
        )
    resize = _resize_of(model) if options.preprocess == "hub" else Resize(short=short)
    short = resize.short or short
    _check_linking(options, model)
    config = options.tracker or tracker_for(options.threshold, options.linking)
    single = window == 1 and not (model.is_semantic or online)
    usual = MIN_LENGTH_OF_FRAMES if single else 1
    return ResolvedOptions(
        window=window,
        stride=stride,
        short=short,
        # the proportion of training, so that a wide film does not outgrow what the model has seen
        longest=resize.longest or round(short * _LONGEST / _SHORT),
        height=resize.height,
        width=resize.width,
        resample=BICUBIC if resize.bicubic else None,
        precision=options.precision,
        compile=options.compile,
        engine=options.engine,
        every=options.every,
        threshold=options.threshold,
        classes=indices_of(options.classes, names_of(model)),
        tracker=replace(config, min_length=options.min_length or config.min_length or usual),
        is_semantic=model.is_semantic,
        by_query=online,
        cuts=options.cuts and options.every <= MAX_EVERY_OF_CUTS and not model.is_semantic,
    )


def _plan(options: TrackOptions, model: Model[Any], *, online: bool) -> tuple[int, int]:
    """Frames of a window, and from the start of one to that of the next.

    Raises:
        UsageError: the model cannot do that.
    """
    # what the model carries on needs no window: one frame at once comes out at once
    usual = 1 if online else model.frames
    window = usual if options.window is None else options.window
    # a quarter in common: enough frames to link by overlap, and a third more work
    usual = window if online else max(1, 3 * window // 4)
    stride = usual if options.stride is None else options.stride
    check_plan(window=window, stride=stride)
    if window > model.frames:
        raise UsageError(
            f"a window of {window} frames is too long for this model",
            remedy=f"It sees at most {model.frames}.",
        )
    if online and stride != window:
        raise UsageError(
            f"a stride of {stride}, but this model goes on from frame to frame",
            remedy="Leave stride out: its windows share no frame.",
        )
    return window, stride


def _resize_of(model: Model[Any]) -> Resize:
    """What the preprocessor beside the model's weights states.

    Raises:
        UsageError: there was none, or it states no size.
    """
    if model.pixels.resize is None:
        raise UsageError(
            "the model's weights came with no preprocessor that states a size",
            remedy="Leave preprocess out; size sets another short side.",
        )
    return model.pixels.resize


def _check_linking(options: TrackOptions, model: Model[Any]) -> None:
    if options.linking == "queries" and options.tracker is not None:
        raise UsageError(
            "linking and a tracker are given",
            remedy="Give one of them; Config.by_queries makes such a tracker.",
        )
    if options.linking == "queries" and model.is_semantic:
        raise UsageError(
            "the model says regions of classes, nothing is linked", remedy="Leave linking out."
        )


def tracker_for(threshold: float, linking: Linking = "masks") -> Config:
    """The usual settings; where weaker objects are to be written, weaker ones are followed too."""
    usual = Config.by_queries() if linking == "queries" else Config()
    # in proportion, so that the gap between beginning and going on stays what it was tuned for
    share = min(1.0, threshold / usual.threshold)
    low = usual.low_threshold * share
    return replace(usual, threshold=usual.threshold * share, low_threshold=low)
