"""What a video is called inside the files of its results."""

from __future__ import annotations

import re
from pathlib import Path


def video_name(source: str) -> str:
    """Name of a source inside files: of a file without its ending, fit for the name of a folder."""
    path = Path(source)
    return plain(path.name if path.is_dir() else path.stem)


def plain(name: str) -> str:
    """Letters, digits, `-`, `.` and `_` alone, as every file system takes them."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "video"
