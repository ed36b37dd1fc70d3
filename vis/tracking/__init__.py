"""Clip predictions to lasting identities: detections, association, tracker.

The tracker is loaded when it is first used: settings and stamps need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.tracking.config import Config
from vis.tracking.windows import Stamp

if TYPE_CHECKING:
    from vis.tracking.tracker import Tracker as Tracker

__all__ = ["Config", "Stamp", "Tracker"]


def __getattr__(name: str) -> Any:
    if name != "Tracker":
        raise AttributeError(f"module 'vis.tracking' has no attribute {name!r}")
    from vis.tracking.tracker import Tracker

    return Tracker
