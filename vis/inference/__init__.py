"""Frames to frames with tracks: windows, model, tracker, and one `TrackOptions` for all who ask."""
