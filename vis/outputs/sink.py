"""Where the outputs of one source grow, and what every sink can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vis.formats.published import category_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.outputs.frame_result import FrameResult
    from vis.records import Identity, VideoInfo

State = dict[str, Any]
"""As JSON can hold it."""


@dataclass(frozen=True, slots=True)
class SinkContext:
    """The outputs of one source, while they are made."""

    folder: Path
    """Where they grow."""
    name: str
    """Beginning of the names of all outputs."""
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    video_name: str
    """Name of the video inside files, whatever these are called."""
    video_id: int = 1
    """Of the video in the formats that number videos."""
    category_ids: Sequence[int] | None = None
    """Category id of each class index; None for those of `vis.formats.published.category_ids`."""
    video_suffix: str = ".mp4"
    """Ending of the annotated video."""
    audio_from: str | None = None
    """The file whose sound the video gets."""

    def __post_init__(self) -> None:
        if self.category_ids is None:
            ids = category_ids([self.names[label] for label in sorted(self.names)])
            object.__setattr__(self, "category_ids", ids)

    def category_id(self, label: int) -> int:
        """Category id of a class index in files."""
        assert self.category_ids is not None
        return self.category_ids[label]


class Sink(Protocol):
    """Takes frames with their objects and makes one kind of output.

    A sink is made with a `SinkContext`, and with the state that an earlier one gave, to go on from
    it; what was written after that is forgotten.
    """

    path: Path
    """The output, in the context's folder; whole after `finish`."""

    def write(self, frame_result: FrameResult) -> None:
        """Take the next frame.

        Raises:
            OutputError: it cannot be written; what was written before is as it was.
        """

    def end(self, identities: Sequence[Identity]) -> None:
        """Take what is finally known of objects that will not come again."""

    def state(self) -> State:
        """Bring all to the disk; what is needed to go on from here."""

    def finish(self, length: int) -> None:
        """Make the output whole; `length` is the number of frames that the source has."""

    def close(self) -> None:
        """Free all files; what was written stays, valid. Closing twice does nothing."""
