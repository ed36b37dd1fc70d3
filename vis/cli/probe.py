"""`vis probe`: a table of what videos are and whether they are whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vis.cli.arguments import Command
from vis.errors import EXIT_DAMAGED, EXIT_OK, VisError

if TYPE_CHECKING:
    from fractions import Fraction

    from vis.video import ProbeReport

_HEAD = ("source", "size", "rate", "turn", "codec", "sound", "declared", "decoded", "problems")


def probe(
    sources: list[str],
    /,
    *,
    max_frames: int | None = None,
    frame_rate: float | None = None,
    as_json: bool = False,
) -> int:
    """Tell what videos are and whether they are whole.

    Every frame is decoded, so that what is lost is found. One line a source: size of the upright
    picture, frames per second ("~" where the steps between frames vary), rotation that the file
    asks for, codec and pixel format, audio streams, frames that the header declares, frames that
    could be decoded, and every problem. The exit code is 1 if a source is damaged or unreadable.

    Args:
        sources: Video files, folders of videos or of pictures, globs, a camera number, rtsp/http
            URLs.
        max_frames: Stop after so many frames; give it for a camera or an endless stream.
        frame_rate: Frames per second of pictures and TIFF stacks without stated times; without it,
            25.
        as_json: Print JSON, one object a source, instead of a table.
    """
    from vis.jobs.sources import list_sources
    from vis.video import probe as probe_source

    rows: list[tuple[str, ...]] = []
    records: list[dict[str, object]] = []
    for one in list_sources(sources):
        source = one.place
        try:
            report = probe_source(one.opened_as(), max_frames=max_frames, frame_rate=frame_rate)
        except VisError as error:
            rows.append((_short(source), *[""] * 7, f"{error.what}"))
            records.append({"source": source, "error": str(error)})
            continue
        rows.append(_row(source, report))
        records.append(_record(source, report))
    if as_json:
        sys.stdout.write(json.dumps(records, indent=1) + "\n")
    else:
        sys.stdout.write(_table([_HEAD, *rows]))
    whole = all("error" not in record and not record["problems"] for record in records)
    return EXIT_OK if whole else EXIT_DAMAGED


def _row(source: str, report: ProbeReport) -> tuple[str, ...]:
    info = report.info
    rate = report.frame_rate
    return (
        _short(source),
        f"{info.width}x{info.height}",
        "" if rate is None else f"{'~' if report.variable else ''}{rate:.5g}",
        f"{info.rotation}{' mirrored' if info.mirrored else ''}" if _is_turned(report) else "",
        f"{info.codec} {info.pixel_format}",
        str(info.audio_streams or ""),
        "" if info.frames is None else str(info.frames),
        str(report.decoded),
        "; ".join(str(problem) for problem in report.problems),
    )


def _record(source: str, report: ProbeReport) -> dict[str, object]:
    info = report.info
    return {
        "source": source,
        "width": info.width,
        "height": info.height,
        "frame_rate": report.frame_rate,
        "variable": report.variable,
        "start": _text(report.start),
        "end": _text(report.end),
        "rotation": info.rotation,
        "mirrored": info.mirrored,
        "pixel_aspect": _text(info.pixel_aspect),
        "container": info.container,
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "audio_streams": info.audio_streams,
        "declared": info.frames,
        "decoded": report.decoded,
        "lost": report.lost,
        "problems": [str(problem) for problem in report.problems],
    }


def _is_turned(report: ProbeReport) -> bool:
    return bool(report.info.rotation or report.info.mirrored)


def _text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _short(source: str) -> str:
    return source if "://" in source else Path(source).name or source


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


COMMAND = Command(
    probe,
    """
    vis probe holiday.mp4
    vis probe clips/*.mp4 frames/ animation.gif
    vis probe rtsp://camera.local/stream --max-frames 100
    vis probe holiday.mp4 --as-json
    """,
)
