"""The road of use, from frames to files: windows, model, tracker, drawing, results.

The names are loaded when they are first used: drawing and files need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vis.pipeline.camera import VideoTracker as VideoTracker
    from vis.pipeline.drawing import Drawing as Drawing
    from vis.pipeline.drawing import draw_results as draw_results
    from vis.pipeline.drawing import tracks_at as tracks_at
    from vis.pipeline.encoding import encoded as encoded
    from vis.pipeline.result import Result as Result
    from vis.pipeline.stream import Tracking as Tracking
    from vis.pipeline.tracking import track as track

_HOME = {
    "Drawing": "drawing",
    "Result": "result",
    "Tracking": "stream",
    "VideoTracker": "camera",
    "draw_results": "drawing",
    "encoded": "encoding",
    "track": "tracking",
    "tracks_at": "drawing",
}

__all__ = [
    "Drawing",
    "Result",
    "Tracking",
    "VideoTracker",
    "draw_results",
    "encoded",
    "track",
    "tracks_at",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vis.pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vis.pipeline.{_HOME[name]}"), name)
