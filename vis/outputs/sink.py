"""Where the outputs of one source grow, and what every sink can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.outputs.frame_result import Shown
    from vis.records import Identity, VideoInfo

State = dict[str, Any]
"""As JSON can hold it."""


@dataclass(frozen=True, slots=True)
class Target:
    """The outputs of one source, while they are made."""

    folder: Path
    """Where they grow."""
    name: str
    """That all of them begin with."""
    info: VideoInfo
    names: Mapping[int, str]
    """Class index -> name."""
    film: str = ".mp4"
    """Ending of the video."""
    audio_from: str | None = None
    """The file whose sound the video gets."""
    live: bool = False


class Sink(Protocol):
    """What takes frames with their objects and makes one kind of output.

    A sink is made with a `Target`, and with the state that an earlier one gave, to go on from it;
    what was written after that is forgotten.
    """

    path: Path
    """The output, in the target's folder; whole after `finish`."""

    def write(self, shown: Shown) -> None:
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


def category_id(label: int) -> int:
    """In files, categories are counted from 1."""
    return label + 1
