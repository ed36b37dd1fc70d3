"""The kinds of outputs, each with the one sink that writes it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from vis.errors import UsageError
from vis.outputs.coco import CocoSink
from vis.outputs.lines import CsvSink, JsonLinesSink
from vis.outputs.mots import MotsSink
from vis.outputs.pictures import DavisSink, FramesSink
from vis.outputs.video import VideoSink
from vis.outputs.youtube_vis import YouTubeVISSink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.outputs.sink import Sink, SinkContext, State

_SINKS: Mapping[
    str,
    type[CocoSink | CsvSink | DavisSink | FramesSink | JsonLinesSink | MotsSink | YouTubeVISSink],
] = {
    "json": YouTubeVISSink,
    "jsonl": JsonLinesSink,
    "coco": CocoSink,
    "mots": MotsSink,
    "davis": DavisSink,
    "csv": CsvSink,
    "frames": FramesSink,
}
KINDS = ("video", *_SINKS)
FOLDERS = frozenset(("mots", "davis", "frames"))
"""Kinds that are folders."""
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, each once, in one order.

    Raises:
        UsageError: none, or an unknown one; names the nearest.
    """
    for kind in kinds:
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            choice = f"Take some of {', '.join(KINDS)}."
            remedy = f"Did you mean {near[0]!r}?" if near else choice
            raise UsageError(f"nothing is saved as {kind!r}", remedy=remedy)
    if not kinds:
        raise UsageError("nothing is to be saved", remedy=f"Take some of {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in kinds)


def kind_of(path: Path) -> str | None:
    """The kind that the ending of a path names; None where no kind has it."""
    suffixes = {sink.suffix: kind for kind, sink in _SINKS.items()}
    suffixes |= dict.fromkeys(VIDEO_SUFFIXES, "video")
    # `.coco.json` before `.json`
    for suffix in sorted(suffixes, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return suffixes[suffix]
    return None


def output_names(kinds: Sequence[str], name: str, video_suffix: str) -> dict[str, str]:
    """Kind -> name of the file or folder, of a source called `name`."""
    suffixes = {kind: video_suffix if kind == "video" else _SINKS[kind].suffix for kind in kinds}
    return {kind: f"{name}{suffix}" for kind, suffix in suffixes.items()}


def open_sinks(
    kinds: Sequence[str], context: SinkContext, states: Mapping[str, State] | None = None
) -> dict[str, Sink]:
    """A sink for each kind; with `states`, they go on from there.

    Raises:
        DataError: an output that a state goes on from is missing.
        OutputError: an output cannot be written.
    """
    sinks: dict[str, Sink] = {}
    try:
        for kind in kinds:
            make = VideoSink if kind == "video" else _SINKS[kind]
            sinks[kind] = make(context, None if states is None else states[kind])
    except BaseException:
        # half of the sinks open would keep their files locked on Windows
        for sink in sinks.values():
            sink.close()
        raise
    return sinks
