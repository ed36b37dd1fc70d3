"""What came of a video as HTML: two films side by side, the timeline, the table, the downloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vis.evaluation.report.markup import Markup, join, tag
from vis.outputs.summary import by_class, rows
from vis.web.timeline import edges, jump, lanes, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from vis.web.timeline import Lane
    from vis.web.work import Tracked, Watcher

KINDS = {
    "video": "annotated video",
    "json": "YouTube-VIS results",
    "jsonl": "JSON, a line a frame",
    "coco": "COCO with videos",
    "csv": "table (CSV)",
    "mots": "MOTS",
    "davis": "DAVIS pictures",
    "frames": "annotated pictures",
}
"""Kind of output -> what it is called on the page."""
_ROWS = 200
"""Objects in the table and the timeline."""


def results(tracked: Tracked, address: Callable[[Path, str], str]) -> Markup:
    """HTML of all that the visitor sees of the result; what comes from files is escaped.

    Args:
        tracked: the result.
        address: of a file, given its path and the name that it is to be saved under.
    """
    bounds = edges(tracked.times)
    objects = lanes(tracked.outputs["csv"], sorted(tracked.times))
    parts = [_summary(tracked), _films(tracked, address)]
    if objects:
        parts += [tag("h2", "Timeline"), timeline(objects[:_ROWS], bounds)]
        parts += [tag("h2", "Objects"), _table(tracked, objects, bounds)]
    parts += [tag("h2", "Downloads"), _downloads(tracked, address)]
    index = {"edges": [round(bound, 6) for bound in bounds], "frames": sorted(tracked.times)}
    return tag("div", *parts, class_="vis-result", data_index=json.dumps(index))


def _summary(tracked: Tracked) -> Markup:
    counts = by_class(tracked.job.sightings, tracked.job.names)
    listed = ", ".join(f"{number} × {name}" for name, number in counts.items())
    text = listed or "no objects at this threshold; a lower one shows weaker ones"
    rate = tracked.job.frames / tracked.job.seconds if tracked.job.seconds else 0
    work = tag("span", f"{tracked.job.frames} frames, {rate:.1f} a second", class_="vis-soft")
    lines = [tag("p", tag("strong", text), " ", work, class_="vis-summary")]
    if tracked.report.problems:
        damage = "; ".join(str(problem) for problem in tracked.report.problems)
        lines.append(tag("p", f"{tracked.upload.name} is damaged: {damage}", class_="vis-warning"))
    return join(*lines)


def _films(tracked: Tracked, address: Callable[[Path, str], str]) -> Markup:
    annotated = _film("Annotated", address(tracked.outputs["video"], ""), "vis-annotated")
    original = _film("Original", address(tracked.upload.path, ""), "vis-original")
    place = tag("output", class_="vis-place")
    return join(tag("div", annotated, original, class_="vis-films"), place)


def _film(title: str, source: str, role: str) -> Markup:
    # the browser plays what it can; of the original that may be nothing, which the script says
    film = tag(
        "video",
        src=source,
        class_=role,
        controls="",
        playsinline="",
        preload="auto",
        aria_label=f"{title} video",
        muted="" if role == "vis-original" else None,
    )
    note = tag("p", "This browser cannot play the format of this file.", class_="vis-unplayable")
    return tag("figure", tag("figcaption", title), film, note)


def _table(tracked: Tracked, objects: list[Lane], bounds: list[float]) -> Markup:
    head, *body = rows(tracked.job.sightings, tracked.job.names, most=_ROWS)
    by_id = {str(lane.id): lane for lane in objects}
    lines = [tag("tr", *[tag("th", name, scope="col") for name in ("object", *head[2:])])]
    for name, number, *rest in body:
        lane = by_id.get(number)
        first = f"{name} {number}" if lane is None else jump(lane, bounds)
        lines.append(tag("tr", tag("td", first), *[tag("td", cell) for cell in rest]))
    left = len(tracked.job.sightings) - len(body)
    more = tag("p", f"and {left} more", class_="vis-soft") if left else ""
    return tag("div", tag("table", *lines), more, class_="vis-table")


def _downloads(tracked: Tracked, address: Callable[[Path, str], str]) -> Markup:
    stem = Path(tracked.upload.name).stem
    links = []
    for kind, path in tracked.outputs.items():
        name = f"{stem}-{path.name}"
        size = path.stat().st_size
        size_text = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
        text = [KINDS[kind], tag("span", size_text, class_="vis-soft")]
        links.append(tag("a", *text, href=address(path, name), download=name, class_="vis-link"))
    return tag("nav", *links, class_="vis-links", aria_label="Downloads")


def progress(watcher: Watcher, before: int) -> Markup:
    """HTML of a job: its place among those that wait, or how far it is.

    Args:
        watcher: of the job.
        before: jobs that come first.
    """
    if before:
        return notice(f"Waiting: {before} before yours.")
    done, total = len(watcher.times), watcher.total
    if not total:
        return notice("Checking the video …")
    rest = f", about {watcher.seconds / done * (total - done):.0f} s to go" if done > 1 else ""
    bar = tag("progress", value=min(done, total), max=total, aria_label="Frames done")
    return tag("div", bar, tag("p", f"{done} of {total} frames{rest}"), class_="vis-state")


def notice(line: str, *, is_error: bool = False) -> Markup:
    """HTML of one line."""
    role = "alert" if is_error else "status"
    return tag("p", line, role=role, class_="vis-error" if is_error else "vis-state")
