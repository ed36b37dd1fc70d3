"""When each object is in sight: a line of spans for each, which jump to their frames."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vis.evaluation.report.markup import Markup, tag
from vis.ops.colours import colour
from vis.outputs.summary import clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MARKS = 6
"""Times along the line, at most."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames in a row that show an object, as places among the frames that the model saw."""

    first: int
    last: int


@dataclass(slots=True)
class Lane:
    """One object."""

    id: int
    name: str
    """Of its class."""
    spans: list[Span] = field(default_factory=list)


def lanes(path: Path, frames: list[int]) -> list[Lane]:
    """The objects of a CSV output in the order in which they come.

    Args:
        path: as `vis.outputs.lines.CsvSink` writes it.
        frames: indices of all frames that the model saw, rising.
    """
    places = {frame: place for place, frame in enumerate(frames)}
    by_id: dict[int, Lane] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["area"] == "0":
                continue
            lane = by_id.setdefault(int(row["id"]), Lane(int(row["id"]), row["class"]))
            lane.name = row["class"]  # the last word on the class is the best
            place = places[int(row["frame"])]
            if lane.spans and lane.spans[-1].last == place - 1:
                lane.spans[-1] = Span(lane.spans[-1].first, place)
            else:
                lane.spans.append(Span(place, place))
    return list(by_id.values())


def edges(times: Mapping[int, float]) -> list[float]:
    """Where each frame begins, in seconds from the first one, and where the last one ends."""
    starts = sorted(times.values())
    step = (starts[-1] - starts[0]) / (len(starts) - 1) if len(starts) > 1 else 0.04
    return [time - starts[0] for time in [*starts, starts[-1] + step]]


def middle(bounds: list[float], place: int) -> float:
    """The time to seek to for a frame: players round, and at its edge may show the one before."""
    return (bounds[place] + bounds[place + 1]) / 2


def timeline(objects: list[Lane], bounds: list[float]) -> Markup:
    """HTML; what jumps has the time in `data-from`, and in `data-to` where it has a length."""
    rows = [_row(lane, bounds) for lane in objects]
    length = bounds[-1]
    marks = [
        tag("span", clock(length * part / _MARKS), style=f"left:{100 * part / _MARKS:.3f}%")
        for part in range(_MARKS)
    ]
    scale = tag("div", tag("span"), tag("div", *marks, class_="vis-marks"), class_="vis-lane")
    return tag("div", *rows, scale, class_="vis-lanes", role="group", aria_label="Timeline")


def _row(lane: Lane, bounds: list[float]) -> Markup:
    paint = "rgb({} {} {})".format(*colour(lane.id))
    spans = [_span(lane, span, bounds, paint) for span in lane.spans]
    track = tag("div", *spans, class_="vis-track")
    return tag("div", jump(lane, bounds), track, class_="vis-lane")


def jump(lane: Lane, bounds: list[float]) -> Markup:
    """A button with class and number that goes to the first frame of an object."""
    paint = "rgb({} {} {})".format(*colour(lane.id))
    dot = tag("span", class_="vis-dot", style=f"background:{paint}")
    first = middle(bounds, lane.spans[0].first)
    label = f"{lane.name} {lane.id}"
    return tag(
        "button",
        dot,
        label,
        class_="vis-jump",
        type="button",
        data_from=f"{first:.6f}",
        title=f"{label}: go to its first frame",
    )


def _span(lane: Lane, span: Span, bounds: list[float], paint: str) -> Markup:
    start, end, length = bounds[span.first], bounds[span.last + 1], bounds[-1]
    label = f"{lane.name} {lane.id}, {clock(start)} to {clock(bounds[span.last])}"
    return tag(
        "button",
        class_="vis-span",
        type="button",
        style=f"left:{100 * start / length:.3f}%;width:{100 * (end - start) / length:.3f}%;"
        f"background:{paint}",
        data_from=f"{middle(bounds, span.first):.6f}",
        data_to=f"{middle(bounds, span.last):.6f}",
        title=label,
        aria_label=label,
    )
