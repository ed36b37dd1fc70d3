"""Frames as lines of text: JSON Lines, one a frame, and CSV, one an object of a frame."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.ops.rle import to_coco
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity

COLUMNS = ("frame", "time", "id", "class", "score", "x", "y", "w", "h", "area")
"""Of a table: a line for each object in each frame; box and area in pixels."""


class Lines(ABC):
    """A text file that is whole after every frame.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix: str
    head: bytes = b""

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self._context = context
        self.path = context.folder / f"{context.name}{self.suffix}"
        self._file = AppendOnlyFile(self.path, 0 if state is None else state["size"])
        if state is None:
            self._file.append(self.head)

    @abstractmethod
    def text(self, frame_result: FrameResult) -> str:
        """The lines of one frame."""

    def write(self, frame_result: FrameResult) -> None:
        """Add the frame's lines."""
        self._file.append(self.text(frame_result).encode())

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


class JsonLinesSink(Lines):
    """`{"index": 3, "time": 0.12, "objects": [{"id", "label", "score", "box", "rle", ...}]}`.

    A box is [x, y, width, height] in pixels; time is in seconds; `rle` is COCO's, at the size of
    the video, null where the object has no pixel.
    """

    suffix = ".jsonl"

    def text(self, frame_result: FrameResult) -> str:
        """One line."""
        tracks = frame_result.tracks
        objects = [
            {
                "id": int(tracks.ids[row]),
                "label": frame_result.names.get(label, f"class {label}"),
                "category_id": self._context.category_id(label),
                "score": round(float(tracks.scores[row]), 6),
                "box": pixel_box(frame_result, row),
                "rle": None if mask is None else to_coco(mask),
            }
            for row, (label, mask) in enumerate(
                zip(tracks.labels.tolist(), frame_result.rles, strict=True)
            )
        ]
        value = {"index": tracks.index, "time": seconds(frame_result), "objects": objects}
        # NaN is no JSON; whoever parses the line would fail far from here
        return json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n"


class CsvSink(Lines):
    """A table: frame, time, id, class, score, x, y, w, h, area; of boxes and masks in pixels."""

    suffix = ".csv"
    head = (",".join(COLUMNS) + "\n").encode()

    def text(self, frame_result: FrameResult) -> str:
        """A line for each object."""
        tracks = frame_result.tracks
        rows: Iterable[tuple[Any, ...]] = (
            (
                tracks.index,
                seconds(frame_result),
                int(tracks.ids[row]),
                frame_result.names.get(label, f"class {label}"),
                round(float(tracks.scores[row]), 6),
                *pixel_box(frame_result, row),
                area,
            )
            for row, (label, area) in enumerate(
                zip(tracks.labels.tolist(), frame_result.areas, strict=True)
            )
        )
        out = io.StringIO()
        # one kind of line end on every system, so that files compare by bytes
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue()


def seconds(frame_result: FrameResult) -> float:
    """The frame's time, to a microsecond."""
    return round(float(frame_result.tracks.time), 6)


def pixel_box(frame_result: FrameResult, row: int) -> list[float]:
    """[x, y, width, height] of an object in pixels, to a hundredth."""
    width, height = frame_result.size
    # a box may leave the frame, or be NaN where a model has none: tables of others choke on it
    box = np.nan_to_num(frame_result.tracks.boxes[row]).clip(0, 1)
    x0, y0, x1, y1 = (float(side) for side in box)
    sides = (x0 * width, y0 * height, max(0.0, x1 - x0) * width, max(0.0, y1 - y0) * height)
    return [round(side, 2) for side in sides]
