"""Frames as lines of text: JSON Lines, one a frame, and CSV, one an object of a frame."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.ops.rle import to_coco
from vis.pipeline.sinks.target import State, Target, category_id
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vis.pipeline.sinks.shown import Shown
    from vis.records import Identity

COLUMNS = ("frame", "time", "id", "class", "score", "x", "y", "w", "h", "area")
"""Of a table: a line for each object in each frame; box and area in pixels."""


class Lines(ABC):
    """A text file that is whole after every frame.

    Args:
        target: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix: str
    head: bytes = b""

    def __init__(self, target: Target, state: State | None = None) -> None:
        self.path = target.folder / f"{target.name}{self.suffix}"
        self._file = AppendOnlyFile(self.path, 0 if state is None else state["size"])
        if state is None:
            self._file.append(self.head)

    @abstractmethod
    def text(self, shown: Shown) -> str:
        """The lines of one frame."""

    def write(self, shown: Shown) -> None:
        """Add the frame's lines."""
        self._file.append(self.text(shown).encode())

    def end(self, identities: Sequence[Identity]) -> None:  # noqa: ARG002 - nothing to take
        """Nothing: lines tell what was known at their frame."""
        return

    def state(self) -> State:
        """The size of the file, once it is on the disk."""
        return {"size": self._file.sync()}

    def finish(self, length: int) -> None:  # noqa: ARG002 - lines know of no length
        """All is there."""
        self._file.sync()

    def close(self) -> None:
        """Free the file."""
        self._file.close()


class JsonLines(Lines):
    """`{"index": 3, "time": 0.12, "objects": [{"id", "label", "score", "box", "rle", ...}]}`.

    A box is [x, y, width, height] in pixels; time is in seconds; `rle` is COCO's, at the size of
    the video, null where the object has no pixel.
    """

    suffix = ".jsonl"

    def text(self, shown: Shown) -> str:
        """One line."""
        tracks = shown.tracks
        objects = [
            {
                "id": int(tracks.ids[row]),
                "label": shown.names.get(label, f"class {label}"),
                "category_id": category_id(label),
                "score": round(float(tracks.scores[row]), 6),
                "box": pixel_box(shown, row),
                "rle": None if mask is None else to_coco(mask),
            }
            for row, (label, mask) in enumerate(
                zip(tracks.labels.tolist(), shown.rles, strict=True)
            )
        ]
        value = {"index": tracks.index, "time": seconds(shown), "objects": objects}
        return json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n"


class Csv(Lines):
    """A table: frame, time, id, class, score, x, y, w, h, area; of boxes and masks in pixels."""

    suffix = ".csv"
    head = (",".join(COLUMNS) + "\n").encode()

    def text(self, shown: Shown) -> str:
        """A line for each object."""
        tracks = shown.tracks
        rows: Iterable[tuple[Any, ...]] = (
            (
                tracks.index,
                seconds(shown),
                int(tracks.ids[row]),
                shown.names.get(label, f"class {label}"),
                round(float(tracks.scores[row]), 6),
                *pixel_box(shown, row),
                area,
            )
            for row, (label, area) in enumerate(
                zip(tracks.labels.tolist(), shown.areas, strict=True)
            )
        )
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue()


def seconds(shown: Shown) -> float:
    """The frame's time, to a microsecond."""
    return round(float(shown.tracks.time), 6)


def pixel_box(shown: Shown, row: int) -> list[float]:
    """[x, y, width, height] of an object in pixels, to a hundredth."""
    width, height = shown.size
    box = np.nan_to_num(shown.tracks.boxes[row]).clip(0, 1)
    x0, y0, x1, y1 = (float(side) for side in box)
    sides = (x0 * width, y0 * height, max(0.0, x1 - x0) * width, max(0.0, y1 - y0) * height)
    return [round(side, 2) for side in sides]
