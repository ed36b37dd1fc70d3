"""vis: video instance segmentation. Find, outline, name and follow every object in a video.

The names below are loaded when they are first used, so that `import vis` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vis.version import __version__

if TYPE_CHECKING:
    from vis.errors import VisError as VisError
    from vis.errors import VisWarning as VisWarning
    from vis.evaluation.evaluate import evaluate as evaluate
    from vis.inference.stream import Tracking as Tracking
    from vis.inference.tracking import track as track
    from vis.inference.video_tracker import VideoTracker as VideoTracker
    from vis.outputs.drawing import draw_results as draw_results
    from vis.outputs.result import Result as Result
    from vis.records import (
        RLE as RLE,
    )
    from vis.records import (
        Clip as Clip,
    )
    from vis.records import (
        ClipPredictions as ClipPredictions,
    )
    from vis.records import (
        ClipTargets as ClipTargets,
    )
    from vis.records import (
        Frame as Frame,
    )
    from vis.records import (
        FrameTracks as FrameTracks,
    )
    from vis.records import (
        Identity as Identity,
    )
    from vis.records import (
        Track as Track,
    )
    from vis.records import (
        VideoInfo as VideoInfo,
    )
    from vis.video import VideoReader as VideoReader
    from vis.video import VideoWriter as VideoWriter
    from vis.video import draw as draw
    from vis.video import open_video as open_video
    from vis.video import probe as probe
    from vis.weights import load as load

_HOME = {
    "Clip": "vis.records",
    "ClipPredictions": "vis.records",
    "ClipTargets": "vis.records",
    "Frame": "vis.records",
    "FrameTracks": "vis.records",
    "Identity": "vis.records",
    "RLE": "vis.records",
    "Result": "vis.outputs.result",
    "Track": "vis.records",
    "Tracking": "vis.inference.stream",
    "VideoInfo": "vis.records",
    "VideoReader": "vis.video",
    "VideoTracker": "vis.inference.video_tracker",
    "VideoWriter": "vis.video",
    "VisError": "vis.errors",
    "VisWarning": "vis.errors",
    "draw": "vis.video",
    "draw_results": "vis.outputs.drawing",
    "evaluate": "vis.evaluation.evaluate",
    "load": "vis.weights",
    "open_video": "vis.video",
    "probe": "vis.video",
    "track": "vis.inference.tracking",
}

_ROOMS = frozenset(
    {
        "backbones",
        "datasets",
        "evaluation",
        "export",
        "formats",
        "inference",
        "jobs",
        "layers",
        "losses",
        "models",
        "ops",
        "outputs",
        "tracking",
        "training",
        "video",
        "weights",
    }
)
"""Rooms that are loaded when they are first named, as `vis.models` in `vis.models.names()`."""

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"vis.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'vis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS})
