"""The charts of the numbers: AP of each class and overlap, precision over recall, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.evaluation.report.markup import Markup, tag
from vis.evaluation.report.plots import Axis, Line, bar, lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.report.content import CategoryRow, Curve, ErrorRow

_PERCENT = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_MOST_OPEN = 20
"""Classes that are shown unfolded."""

Panel = list[Markup]
"""Empty where there is nothing to show."""


def by_class(rows: Sequence[CategoryRow]) -> Panel:
    """Bars of AP, the best class first; those without objects at the end."""
    if not rows:
        return []
    ranked = sorted(rows, key=lambda row: (row.value is None, -(row.value or 0), row.name))
    head = tag(
        "tr",
        tag("th", "class", scope="col"),
        tag("th", "objects", scope="col", class_="number"),
        tag("th", "AP", scope="col", class_="number"),
        tag("th", "", aria_hidden="true"),
    )
    body = [
        tag(
            "tr",
            tag("td", row.name),
            tag("td", row.objects, class_="number"),
            tag("td", "–" if row.value is None else f"{100 * row.value:.1f}", class_="number"),
            tag("td", "" if row.value is None else bar(row.value), class_="wide"),
        )
        for row in ranked
    ]
    panel = [
        tag("h3", "AP of each class"),
        tag("table", tag("thead", head), tag("tbody", *body[:_MOST_OPEN])),
    ]
    if len(body) > _MOST_OPEN:
        more = f"{len(body) - _MOST_OPEN} other classes"
        panel.append(
            tag("details", tag("summary", more), tag("table", tag("tbody", *body[_MOST_OPEN:])))
        )
    return panel


def errors(rows: Sequence[ErrorRow]) -> Panel:
    """What each kind of error costs; bars are relative to the most costly one."""
    if not rows:
        return []
    most = max(*(row.lost for row in rows), 0.01)
    body = [
        tag(
            "tr",
            tag("td", row.name, tag("small", row.meaning)),
            tag("td", f"{round(100 * row.lost, 1) + 0:.1f}", class_="number"),
            tag("td", bar(row.lost / most), class_="half"),
        )
        for row in sorted(rows, key=lambda row: -row.lost)
    ]
    said = "AP that would be gained if this kind of error alone were repaired."
    return [
        tag("h3", "Where the AP is lost"),
        tag("p", said, class_="soft"),
        tag("table", tag("tbody", *body)),
    ]


def by_overlap(overlaps: Mapping[float, float]) -> Panel:
    """AP over the overlap from which a result counts as found."""
    if not overlaps:
        return []
    points = sorted(overlaps.items())
    mean = sum(overlaps.values()) / len(overlaps)
    series = [
        Line(f"AP {100 * mean:.1f}", [(points[0][0], mean), (points[-1][0], mean)], "mean"),
        Line("", points, "accent", dotted=True),
    ]
    across = Axis("overlap (IoU) from which a result counts", [x for x, _ in points], "{:.2f}")
    plot = lines("AP at each overlap", series, across=across, up=Axis("AP", _PERCENT, "{:.0%}"))
    return [tag("h3", "AP at each overlap"), plot]


def by_recall(curves: Sequence[Curve]) -> Panel:
    """Precision over recall at some overlaps."""
    if not curves:
        return []
    series = [
        Line(
            f"IoU {curve.overlap:g}",
            [(n / (len(curve.precision) - 1), value) for n, value in enumerate(curve.precision)],
            f"c{place % 5}",
        )
        for place, curve in enumerate(sorted(curves, key=lambda curve: curve.overlap))
    ]
    plot = lines(
        "Precision over recall",
        series,
        across=Axis("recall: share of objects found", _PERCENT, "{:.0%}"),
        up=Axis("precision: share of results that are right", _PERCENT, "{:.0%}"),
    )
    return [tag("h3", "Precision over recall, mean of the classes"), plot]
