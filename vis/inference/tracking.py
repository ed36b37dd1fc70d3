"""`vis.track`: any video, any length, any model; frames with lasting identities come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.inference.resolved_options import names_of, opened, plan_for
from vis.inference.stream import Tracking
from vis.video import VideoReader, open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path

    from vis.models import Model
    from vis.tracking import Config
    from vis.tracking.config import Linking

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
    min_length: int | None = None,
    cuts: bool = True,
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
        threshold: an object is shown from the frame on in which its score reaches it. The score of
            a track, in frames and results alike, is the highest mean over its frames so far: what
            is below the threshold at the end is nowhere.
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
            survives jumps (and cuts, with `cuts=False`) but mixes up what looks alike.
        tracker: settings of the tracker; None for the usual ones, which follow weaker objects where
            the threshold is low.
        min_length: frames that an object must be seen in to be shown, then from its first on; None
            for that of the tracker, usually 5 for models that look at single frames, else 1. Frames
            come out so much later; in a shorter video or shot, all of its frames are enough.
        cuts: whether no window spans a hard cut and no identity goes on over it. With `every` above
            2 none is looked for, as motion could not be told from it.
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
    looked: dict[str, Any] = {"window": window, "stride": stride, "size": size, "every": every}
    shown: dict[str, Any] = {"classes": classes, "threshold": threshold, "min_length": min_length}
    plan = plan_for(model, **looked, **shown, tracker=tracker, linking=linking, cuts=cuts)
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
