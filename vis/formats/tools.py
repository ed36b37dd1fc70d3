"""The formats of annotation tools, each known by what lies at a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from vis.formats.cvat import cvat_file, read_cvat
from vis.formats.labelme import labelme_place, read_labelme
from vis.formats.labelstudio import labelstudio_file, read_labelstudio
from vis.formats.via import read_via, via_file
from vis.formats.voc import read_voc, voc_place
from vis.formats.yolo import read_yolo, yolo_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vis.formats.gathering import Opened
    from vis.formats.reading import Reading

ToolKind = Literal["cvat", "labelme", "yolo", "voc", "labelstudio", "via"]


class Tool(NamedTuple):
    """A format."""

    kind: ToolKind
    place: Callable[[Path], Path | None]
    """The file or folder to read at a path; None where it is of another kind."""
    read: Callable[[Path, Path | None, Reading], Opened]
    """Of that place, the folder of the pictures where the user names it, and the reading."""


TOOLS = (
    Tool("cvat", cvat_file, read_cvat),
    Tool("yolo", yolo_place, read_yolo),
    Tool("voc", voc_place, read_voc),
    Tool("labelstudio", labelstudio_file, read_labelstudio),
    Tool("via", via_file, read_via),
    Tool("labelme", labelme_place, read_labelme),
)


def tool_at(path: Path) -> tuple[Tool, Path] | None:
    """The format of a path, and the file or folder of it; None of another kind."""
    for tool in TOOLS:
        place = tool.place(path)
        if place is not None:
            return tool, place
    return None
