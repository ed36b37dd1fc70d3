"""Sinks: each makes one kind of output of frames with their objects, as the run goes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from vis.errors import UsageError
from vis.outputs.coco import Coco
from vis.outputs.frame_result import Shown
from vis.outputs.lines import Csv, JsonLines
from vis.outputs.mots import Mots
from vis.outputs.pictures import Davis, Frames
from vis.outputs.sink import Sink, State, Target
from vis.outputs.video import FilmSink
from vis.outputs.youtube_vis import WholeTracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["KINDS", "Shown", "Sink", "State", "Target", "check_kinds", "open_sinks", "output_names"]

_FILES: Mapping[str, type[Coco | Csv | Davis | Frames | JsonLines | Mots | WholeTracks]] = {
    "json": WholeTracks,
    "jsonl": JsonLines,
    "coco": Coco,
    "mots": Mots,
    "davis": Davis,
    "csv": Csv,
    "frames": Frames,
}
KINDS = ("video", *_FILES)


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds that are named, each once, in one order.

    Raises:
        UsageError: none, or an unknown one; names the nearest.
    """
    for kind in kinds:
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            known = f"Take some of {', '.join(KINDS)}."
            remedy = f"Did you mean {near[0]!r}?" if near else known
            raise UsageError(f"nothing is saved as {kind!r}", remedy=remedy)
    if not kinds:
        raise UsageError("nothing is to be saved", remedy=f"Take some of {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in kinds)


def output_names(kinds: Sequence[str], name: str, film: str) -> dict[str, str]:
    """Kind -> name of the file or folder, of a source called `name`."""
    ends = {kind: film if kind == "video" else _FILES[kind].suffix for kind in kinds}
    return {kind: f"{name}{end}" for kind, end in ends.items()}


def open_sinks(
    kinds: Sequence[str], target: Target, states: Mapping[str, State] | None = None
) -> dict[str, Sink]:
    """A sink for each kind; with `states`, they go on from there.

    Raises:
        DataError: what a state tells of is not there.
        OutputError: an output cannot be written.
    """
    sinks: dict[str, Sink] = {}
    try:
        for kind in kinds:
            make = FilmSink if kind == "video" else _FILES[kind]
            sinks[kind] = make(target, None if states is None else states[kind])
    except BaseException:
        for sink in sinks.values():
            sink.close()
        raise
    return sinks
