"""The identities of a video over time: a row for each object, coloured by the result on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.evaluation.report.markup import Markup, tag
from vis.ops.colours import colour, readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.evaluation.report.video_summary import Segment, VideoSummary
    from vis.records import Track

_WIDTH, _LEFT, _RIGHT = 1100, 190, 8
_ROW, _LANE = 24, 16
"""Pixels of a row, and of the coloured part of it."""
_HEAD = 20
_LETTER = 7.0
"""Pixels of a letter, about."""
_MOST_LETTERS = 25
_STRAYS = 8
"""Results that follow no object and get a row, the surest of them."""


def timeline(summary: VideoSummary, names: Mapping[int, str]) -> Markup:
    """A row for each object of the truth, then for each result that follows none."""
    objects = {track.id for track in summary.truth}
    strays = [track for track in summary.results if track.id not in objects and track.masks]
    rows = [_object(track, place, summary, names) for place, track in enumerate(summary.truth)]
    rows += [
        _stray(track, place, summary, names)
        for place, track in enumerate(strays[:_STRAYS], len(summary.truth))
    ]
    height = _HEAD + _ROW * len(rows)
    said = f"Identities of {summary.video.name} over {summary.video.length} frames"
    return tag(
        "svg",
        tag("title", said),
        _ruler(summary.video.length, height),
        *rows,
        class_="time",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=said,
    )


def _object(track: Track, place: int, summary: VideoSummary, names: Mapping[int, str]) -> Markup:
    blocks = [
        _missed(segment, place, summary.video.length)
        if segment.number is None
        else _covered(segment, place, summary, track=track, names=names)
        for segment in summary.segments[track.id]
    ]
    return tag("g", _name(f"{_class_name(track.label, names)} {track.id}", place), *blocks)


def _missed(segment: Segment, place: int, length: int) -> Markup:
    x, width = _span(segment.first, segment.last, length)
    said = tag("title", f"missed in {_when(segment.first, segment.last)}")
    y = _top(place) + _LANE / 2 - 1
    return tag("rect", said, x=x, y=y, width=width, height=3, class_="miss")


def _covered(
    segment: Segment, place: int, summary: VideoSummary, *, track: Track, names: Mapping[int, str]
) -> Markup:
    assert segment.number is not None
    result = next(one for one in summary.results if one.id == segment.number)
    called = "" if result.label == track.label else f" as {_class_name(result.label, names)}"
    record = summary.records[segment.number]
    said = f"{_when(segment.first, segment.last)}: result {record} (drawn as {result.id}){called}"
    x, width = _span(segment.first, segment.last, summary.video.length)
    ink = colour(segment.number)
    block = tag(
        "rect", tag("title", said), x=x, y=_top(place), width=width, height=_LANE, rx=2,
        fill=_hex(ink),
    )  # fmt: skip
    word = f"{segment.number}{called}"
    if len(word) * _LETTER + 8 > width:
        word = str(segment.number)
    if len(word) * _LETTER + 8 > width:
        return block
    style = f"fill: {_hex(readable(ink))}"
    return tag("g", block, tag("text", word, x=x + 5, y=_top(place) + 12, style=style))


def _stray(track: Track, place: int, summary: VideoSummary, names: Mapping[int, str]) -> Markup:
    first, last = min(track.masks), max(track.masks)
    said = f"{_when(first, last)}: result {summary.records[track.id]} follows no object"
    x, width = _span(first, last, summary.video.length)
    outline = tag(
        "rect", tag("title", said), x=x + 1, y=_top(place) + 4, width=max(width - 2, 1),
        height=_LANE - 8, rx=2, fill="none", stroke=_hex(colour(track.id)), stroke_width=2,
    )  # fmt: skip
    name = f"false: {_class_name(track.label, names)} {track.id}"
    return tag("g", _name(name, place, ink="soft"), outline)


def _name(name: str, place: int, *, ink: str | None = None) -> Markup:
    short = name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
    return tag("text", short, x=_LEFT - 10, y=_top(place) + 12, text_anchor="end", class_=ink)


def _class_name(label: int, names: Mapping[int, str]) -> str:
    return names.get(label, f"class {label}")


def _ruler(length: int, height: int) -> Markup:
    parts = []
    for frame in _ticks(length):
        x, width = _span(frame, frame, length)
        middle = x + width / 2
        parts.append(tag("line", x1=middle, x2=middle, y1=_HEAD - 6, y2=height, class_="grid"))
        parts.append(tag("text", frame, x=middle, y=_HEAD - 9, text_anchor="middle", class_="soft"))
    return tag("g", *parts)


def _ticks(length: int) -> range:
    """Round frame numbers, at most about a dozen."""
    step = next(s * 10**p for p in range(20) for s in (1, 2, 5) if length <= 12 * s * 10**p)
    return range(0, length, step)


def _span(first: int, last: int, length: int) -> tuple[float, float]:
    """Where frames lie: the left edge and the width."""
    scale = (_WIDTH - _LEFT - _RIGHT) / length
    return _LEFT + first * scale, (last - first + 1) * scale


def _top(place: int) -> int:
    return _HEAD + place * _ROW + 2


def _when(first: int, last: int) -> str:
    return f"frame {first}" if first == last else f"frames {first} to {last}"


def _hex(ink: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*ink)
