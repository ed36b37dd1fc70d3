"""Pixels in and out: reading any video, drawing tracks onto it, writing it.

Only the reader is loaded at once; nothing here needs torch.
"""

from vis.video.drawing import DEFAULT, DrawStyle, draw
from vis.video.live import LiveSettings
from vis.video.probe import ProbeReport, probe
from vis.video.reader import VideoReader, open_video
from vis.video.writer import VideoWriter

__all__ = [
    "DEFAULT",
    "DrawStyle",
    "LiveSettings",
    "ProbeReport",
    "VideoReader",
    "VideoWriter",
    "draw",
    "open_video",
    "probe",
]
