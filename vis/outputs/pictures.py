"""A PNG for each frame: the drawn picture, or the numbers of its objects as DAVIS has them."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vis.errors import VisWarning
from vis.formats.davis import UNJUDGED
from vis.formats.index_pictures import palette_png
from vis.storage.append_only_file import AppendOnlyFile
from vis.storage.disk_errors import output_errors
from vis.video.pictures import TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity


class FramesSink:
    """`NAME.frames/000000.png`, ... and their exact times, so that the folder is a video too.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".frames"

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self.path = context.folder / f"{context.name}{self.suffix}"
        with output_errors(self.path):
            self.path.mkdir(exist_ok=True)
        size = 0 if state is None else state["size"]
        self._times = AppendOnlyFile(context.folder / "frames-times.txt", size)

    def write(self, frame_result: FrameResult) -> None:
        """Write the drawn frame."""
        buffer = io.BytesIO()
        # level 1: a film has thousands of pictures, and deflate's last percents cost most of its
        # time
        Image.fromarray(frame_result.annotated.pixels).save(buffer, "PNG", compress_level=1)
        write_picture(self.path / f"{frame_result.tracks.index:06d}.png", buffer.getvalue())
        # a folder of pictures has no clock of its own; the exact fraction goes beside it
        time = frame_result.tracks.time
        self._times.append(f"[{time.numerator}, {time.denominator}]\n".encode())

    def end(self, identities: Sequence[Identity]) -> None:
        """Nothing: pictures show what was known at their frame."""

    def state(self) -> State:
        """What is needed to go on; pictures after it are written again."""
        return {"size": self._times.sync()}

    def finish(self, length: int) -> None:  # noqa: ARG002 - pictures know of no length
        """Write the times beside the pictures."""
        pairs = [json.loads(line) for line in self._times.lines()]
        write_picture(self.path / TIMES, (json.dumps({"times": pairs}) + "\n").encode())

    def close(self) -> None:
        """Free the file."""
        self._times.close()


class DavisSink:
    """`NAME.davis/Annotations/VIDEO/00000.png`: a pixel's number is that of its object.

    Numbers are given in the order of appearance, at most 254 of them; objects that come later are
    left out, with a warning.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".davis"

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self.path = context.folder / f"{context.name}{self.suffix}"
        self._folder = self.path / "Annotations" / context.video_name
        with output_errors(self.path):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._numbers: dict[int, int] = dict(state["numbers"]) if state else {}
        self._full = bool(state and state["full"])

    def write(self, frame_result: FrameResult) -> None:
        """Write the numbers of the frame's objects."""
        table = np.zeros(len(frame_result.tracks) + 1, np.uint16)
        for row, identity in enumerate(frame_result.tracks.ids.tolist()):
            table[row + 1] = self._number(identity)
        # DAVIS' tools read the palette index as the object's number, not the colour
        picture = palette_png(table[frame_result.index_map])
        write_picture(self._folder / f"{frame_result.tracks.index:05d}.png", picture)

    def end(self, identities: Sequence[Identity]) -> None:
        """Nothing: DAVIS knows no classes."""

    def state(self) -> State:
        """The numbers that were given; pictures after it are written again."""
        return {"numbers": sorted(self._numbers.items()), "full": self._full}

    def finish(self, length: int) -> None:
        """All is there."""

    def close(self) -> None:
        """Nothing is held open."""

    def _number(self, identity: int) -> int:
        # 255 says that a pixel is not judged, 0 is the background: 254 are left
        if identity not in self._numbers and len(self._numbers) < UNJUDGED - 1:
            self._numbers[identity] = len(self._numbers) + 1
        if identity not in self._numbers and not self._full:
            self._full = True
            what = f"DAVIS counts to {UNJUDGED - 1} objects; later ones are left out"
            warnings.warn(VisWarning(f"{self.path.name}: {what}"), stacklevel=4)
        return self._numbers.get(identity, 0)


def write_picture(path: Path, content: bytes) -> None:
    """Write a file, or leave none behind.

    Raises:
        OutputError: it cannot be written.
    """
    with output_errors(path):
        try:
            path.write_bytes(content)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
