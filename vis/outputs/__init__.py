"""Frames with tracks to files: one sink a format, its only writer; `Result` goes through it too."""
