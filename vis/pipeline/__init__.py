"""The road of use, from frames to files: windows, model, tracker, drawing, results."""

from vis.pipeline.drawing import Drawing, draw_results, tracks_at

__all__ = ["Drawing", "draw_results", "tracks_at"]
