"""`vis.track`: any video, any length, any model; frames with lasting identities come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.inference.model_classes import load_model, names_of
from vis.inference.options import TrackOptions, check_positive
from vis.inference.resolved_options import resolve
from vis.inference.signatures import with_options
from vis.inference.stream import Tracking
from vis.video import VideoReader, open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path

    from vis.models import Model


@with_options
def track(
    source: str | os.PathLike[str] | int | Sequence[Path] | VideoReader,
    model: Model[Any] | str | os.PathLike[str] | None = None,
    *,
    options: TrackOptions = TrackOptions(),  # noqa: B008  frozen
    device: str = "auto",
    batch: int = 1,
    state: Mapping[str, Any] | None = None,
    frame_rate: Fraction | float | None = None,
    strict: bool = False,
    **settings: Any,
) -> Tracking:
    """Find, outline, name and follow every object in a video, as it is read.

    Memory depends on the window and on the objects in sight, never on the video's length.

    Args:
        source: as `open_video` takes it, or a reader that it made.
        model: a model (it is put into eval mode and onto the device), a weight file or the name of
            one, see `vis.load`; None for the one that ships with the package.
        options: how it is tracked; the settings below change single ones.
        device: `cpu`, `cuda`, `cuda:1`, ...; `auto` is a GPU where there is one.
        batch: windows that the model sees side by side; changes speed and memory alone.
        state: of a tracking of the same source and options, to go on after it. The frames before
            are decoded and dropped: that is exact on every file.
        frame_rate: of pictures without stated times, in frames per second; 25 if not given.
        strict: raise at the first sign of damage in the source.
        **settings: any of the fields of `TrackOptions`:

    Raises:
        UsageError: an argument is wrong; at the first window: it is to be linked by queries, and
            the model has no embeddings.
        InputError, VideoError: the source cannot be read.
        DataError: the weight file is damaged.
        DeviceError: there is no such device.
    """
    options = options.updated(settings)
    check_positive("batch", batch)
    network = load_model(model)
    resolved = resolve(options, network)
    predictor = resolved.predictor(network, device=device)
    if not isinstance(source, VideoReader):
        source = open_video(source, frame_rate=frame_rate, strict=strict)
    return Tracking(
        source,
        predictor,
        names_of(network),
        options=resolved,
        batch=batch,
        max_frames=options.max_frames,
        state=state,
    )
