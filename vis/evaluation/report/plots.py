"""Plots as inline SVG: bars, lines over a grid, an interval; colours come from the page's style."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from vis.evaluation.report.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 78, 14, 44
"""Room around the grid for the words."""
_INSET = 12
"""Between the ends of the grid and the first and last tick."""
_LINE = 15
"""Pixels between two lines of text."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot."""

    name: str
    """Stands at its end."""
    points: Sequence[tuple[float, float]]
    """In the units of the axes."""
    ink: str
    """Class of the page's style."""
    dotted: bool = False
    """Whether each point has a dot with its value beside it."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its words and where its lines are."""

    name: str
    ticks: Sequence[float]
    """The first and the last are the ends of the axis."""
    style: str = "{:g}"
    """Of the numbers beside the ticks."""


def bar(share: float, ink: str = "accent") -> Markup:
    """A bar that fills `share` (0..1) of its cell."""
    width = 100 * min(max(share, 0.0), 1.0)
    back = tag("rect", x=0, y=0, width=100, height=10, rx=1, class_="track")
    front = tag("rect", x=0, y=0, width=width, height=10, rx=1, class_=f"fill {ink}")
    return tag(
        "svg", back, front, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none",
        aria_hidden="true",
    )  # fmt: skip


def interval(value: float, low: float, high: float) -> Markup:
    """A number and its interval on a line from 0 to 1."""
    value, low, high = (100 * min(max(number, 0.0), 1.0) for number in (value, low, high))
    parts = (
        tag("rect", x=0, y=4, width=100, height=2, class_="track"),
        tag("rect", x=low, y=3, width=max(high - low, 0.5), height=4, class_="fill soft"),
        tag("rect", x=max(value - 0.5, 0), y=0, width=1, height=10, class_="fill accent"),
    )
    return tag(
        "svg", *parts, class_="interval", viewBox="0 0 100 10", preserveAspectRatio="none",
        aria_hidden="true",
    )  # fmt: skip


def lines(title: str, series: Sequence[Line], *, across: Axis, up: Axis) -> Markup:
    """Lines over a grid, each named at its end.

    Args:
        title: what a screen reader says of the plot.
        series: the lines.
        across: the horizontal axis.
        up: the vertical one.
    """
    frame = _Frame(across, up)
    curves = [_line(line, frame) for line in series]
    return tag(
        "svg",
        tag("title", title),
        _grid(frame),
        *curves,
        *_names(series, frame),
        class_="plot",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=title,
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """From the units of the axes to places in the picture."""

    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        first, last = self.across.ticks[0], self.across.ticks[-1]
        share = (value - first) / (last - first)
        return _LEFT + _INSET + share * (_WIDTH - _LEFT - _RIGHT - 2 * _INSET)

    def y(self, value: float) -> float:
        first, last = self.up.ticks[0], self.up.ticks[-1]
        return _HEIGHT - _BOTTOM - (value - first) / (last - first) * (_HEIGHT - _TOP - _BOTTOM)


def _grid(frame: _Frame) -> Markup:
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
    parts = []
    for tick in frame.up.ticks:
        y = frame.y(tick)
        parts.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        word = frame.up.style.format(tick)
        parts.append(tag("text", word, x=left - 8, y=y + 4, text_anchor="end"))
    for tick in frame.across.ticks:
        x = frame.x(tick)
        parts.append(tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="grid"))
        word = frame.across.style.format(tick)
        parts.append(tag("text", word, x=x, y=bottom + 18, text_anchor="middle"))
    middle = ((left + right) / 2, (top + bottom) / 2)
    parts.append(
        tag("text", frame.across.name, x=middle[0], y=_HEIGHT - 6, text_anchor="middle",
            class_="axis")
    )  # fmt: skip
    turned = f"translate(13 {middle[1]:.1f}) rotate(-90)"
    parts.append(tag("text", frame.up.name, transform=turned, text_anchor="middle", class_="axis"))
    return tag("g", *parts)


def _line(line: Line, frame: _Frame) -> Markup:
    places = [(frame.x(x), frame.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [tag("polyline", points=path, class_=f"line {line.ink}")]
    if line.dotted:
        for (x, y), (across, up) in zip(places, line.points, strict=True):
            said = tag("title", f"{line.name} {across:g}: {100 * up:.1f}")
            parts.append(tag("circle", said, cx=x, cy=y, r=3.5, class_=f"dot {line.ink}"))
            parts.append(
                tag("text", f"{100 * up:.0f}", x=x, y=y - 9, text_anchor="middle", class_="value")
            )
    return tag("g", *parts)


def _names(series: Sequence[Line], frame: _Frame) -> list[Markup]:
    """The name of each line at the right, moved so that none hides another."""
    ends = sorted(
        (frame.y(line.points[-1][1]), line.name, line.ink) for line in series if line.name
    )
    places = _apart([y for y, _, _ in ends])
    x = _WIDTH - _RIGHT + 2
    parts = []
    for y, (_, name, ink) in zip(places, ends, strict=True):
        parts.append(tag("line", x1=x, x2=x + 12, y1=y, y2=y, class_=f"line {ink}"))
        parts.append(tag("text", name, x=x + 17, y=y + 4, class_="name"))
    return parts


def _apart(places: Sequence[float]) -> list[float]:
    """Ascending places, at least a line of text apart, the last not below the grid."""
    moved = list(places)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + _LINE)
    floor = _HEIGHT - _BOTTOM + 4.0
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], floor)
        floor = moved[index] - _LINE
    assert all(after - before > _LINE - 1e-6 for before, after in pairwise(moved))
    return moved
