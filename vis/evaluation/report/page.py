"""The page of a report: one HTML file that asks for nothing outside of itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vis.evaluation.report.charts import by_class, by_overlap, by_recall, errors
from vis.evaluation.report.markup import Markup, join, tag
from vis.evaluation.report.plots import interval
from vis.evaluation.report.sheets import sheet
from vis.evaluation.report.style import STYLE
from vis.evaluation.report.timelines import timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.evaluation.report.content import Content, Headline
    from vis.evaluation.report.video_summary import VideoSummary

WORST, BEST = 8, 4
"""Videos that are shown with pictures; all of them where there are no more than that."""
_MOST_TIMELINES = 2**22
"""Characters of the timelines of the other videos."""
# names of classes and videos come from files of others: the page may fetch and run nothing
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(
    content: Content,
    summaries: Sequence[VideoSummary],
    *,
    names: Mapping[int, str],
    threshold: float,
    frames: Path | None,
) -> str:
    """The whole file.

    Args:
        content: the numbers.
        summaries: of the videos.
        names: of the classes.
        threshold: score from which results are shown in the videos.
        frames: the folder of the pictures, where there is one.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", content.title),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "main",
        _top(content),
        _headlines(content.headlines),
        _charts(content),
        _videos(summaries, names=names, threshold=threshold, frames=frames),
        _numbers(content.numbers),
        tag("footer", "All numbers are in percent unless they count something. Made by vis."),
    )
    return f'<!doctype html>\n<html lang="en">{head}{tag("body", body)}</html>\n'


def _top(content: Content) -> Markup:
    details = [join(tag("dt", name), tag("dd", said)) for name, said in content.details.items()]
    notes = [tag("li", note) for note in content.notes]
    return tag(
        "header",
        tag("h1", content.title),
        tag("dl", *details, class_="facts"),
        tag("div", tag("ul", *notes), class_="notes", role="note") if notes else "",
    )


def _headlines(headlines: Sequence[Headline]) -> Markup:
    cards = [_card(line, first=place == 0) for place, line in enumerate(headlines)]
    return tag("section", *cards, class_="cards", aria_label="Headline numbers")


def _card(line: Headline, *, first: bool) -> Markup:
    parts = [
        tag("div", line.name, class_="name"),
        tag("div", f"{100 * line.value:.1f}", class_="value"),
    ]
    if line.interval is not None:
        low, high = line.interval
        parts.append(interval(line.value, low, high))
        said = f"{100 * low:.1f} to {100 * high:.1f} in 95 of 100 draws of such videos"
        parts.append(tag("div", said, class_="soft"))
    parts.append(tag("div", line.meaning, class_="soft"))
    return tag("div", *parts, class_="card first" if first else "card")


def _charts(content: Content) -> Markup:
    panels = [
        by_class(content.categories),
        errors(content.errors),
        by_overlap(content.overlaps),
        by_recall(content.curves),
    ]
    filled = [tag("section", *panel, class_="panel") for panel in panels if panel]
    return tag("div", *filled, class_="pair") if filled else Markup("")


def _videos(
    summaries: Sequence[VideoSummary],
    *,
    names: Mapping[int, str],
    threshold: float,
    frames: Path | None,
) -> Markup:
    if not summaries:
        return Markup("")
    ranked = sorted(summaries, key=lambda summary: (summary.quality, summary.video.id))
    few = len(ranked) <= WORST + BEST
    groups = (
        {"Videos, from worst to best": ranked}
        if few
        else {"The worst videos": ranked[:WORST], "The best videos": ranked[-BEST:][::-1]}
    )
    parts = [
        tag("h2", "Videos"),
        tag("p", _HOW.format(threshold=threshold), class_="soft"),
    ]
    for title, group in groups.items():
        parts += [tag("h3", title)] if not few else []
        parts += [_video(summary, names, sheet(summary, names, frames)) for summary in group]
    if not few and any(summary.video.length > 1 for summary in ranked):
        parts.append(_others(ranked[WORST:-BEST], names))
    return tag("section", *parts)


_HOW = (
    "Results with a score of {threshold:.2f} or more. A result has the number and colour of the "
    "object that it follows best; another colour in the row of an object is another identity, a "
    "thin grey line a miss. Quality is the overlap of objects and results of the same class, 100 "
    "where each object has one exact result and nothing else was found."
)


def _video(summary: VideoSummary, names: Mapping[int, str], pictures: Markup | str) -> Markup:
    counts = {
        "frame": summary.video.length,
        "object": len(summary.truth),
        "result": len(summary.results),
    }
    said = ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items())
    head = tag(
        "header",
        tag("h3", summary.video.name),
        tag("span", f"quality {100 * summary.quality:.1f}", class_="value"),
        tag("span", said, class_="soft"),
    )
    time = timeline(summary, names) if summary.video.length > 1 else ""
    return tag("article", head, pictures, time, class_="video")


def _others(summaries: Sequence[VideoSummary], names: Mapping[int, str]) -> Markup:
    """Timelines alone, folded, as many as the size of the page allows."""
    articles: list[Markup] = []
    size = 0
    for summary in summaries:
        article = _video(summary, names, "")
        size += len(article)
        if size > _MOST_TIMELINES:
            break
        articles.append(article)
    left = len(summaries) - len(articles)
    note = f"{left} more are left out, the page would grow too large." if left else ""
    said = f"Timelines of {len(articles)} other videos, from worst to best"
    return tag("details", tag("summary", said), *articles, tag("p", note) if note else "")


def _numbers(groups: Mapping[str, Mapping[str, float]]) -> Markup:
    if not groups:
        return Markup("")
    tables = [_table(group, numbers) for group, numbers in groups.items()]
    return join(tag("h2", "All numbers"), tag("div", *tables, class_="pair"))


def _table(title: str, numbers: Mapping[str, float]) -> Markup:
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", _said(value), class_="number"))
        for name, value in numbers.items()
    ]
    return tag("section", tag("h3", title), tag("table", tag("tbody", *rows)), class_="panel")


def _said(value: float) -> str:
    """A share in percent; a count as it is; a dash where there is nothing."""
    if isinstance(value, int):
        return str(value)
    return "–" if math.isnan(value) else f"{100 * value:.1f}"
