"""A result as a notebook shows it: a table of the objects and a few frames with them."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from PIL import Image

from vis.errors import VisError
from vis.ops import rle
from vis.ops.tracks_at import tracks_at
from vis.records import Frame
from vis.video import draw, open_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

    from vis.outputs.tracked_video import TrackedVideo
    from vis.records import Track

_ROWS = 50
"""Objects in the table; the surest are shown."""
_PICTURES = 6
_WIDTH = 320
"""Pixels of a picture."""
_HEADS = ("id", "class", "score", "first", "last", "frames", "share of picture")


def page(result: TrackedVideo) -> str:
    """HTML that stands alone; whatever comes from a file is escaped."""
    # ties by id, so that the page of a result never changes
    surest = sorted(result.tracks, key=lambda track: (-track.score, track.id))[:_ROWS]
    times = result.times
    rows = "".join(_row(track, result, times) for track in surest)
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    left = len(result.tracks) - len(surest)
    more = f"<p>and {left} more</p>" if left else ""
    count = f"{len(result.tracks)} objects in {len(times)} frames"
    title = f"<b>{html.escape(result.info.name)}</b>: {count}"
    table = f"<table><tr>{heads}</tr>{rows}</table>"
    return f"<div><p>{title}</p><p>{_sheet(result)}</p>{table}{more}</div>"


def _row(track: Track, result: TrackedVideo, times: Mapping[int, Fraction]) -> str:
    pixels = result.info.width * result.info.height
    share = sum(rle.area(mask) for mask in track.masks.values()) / len(track.masks) / pixels
    name = result.names.get(track.label, f"class {track.label}")
    first, last = (float(times[pick(track.masks)]) for pick in (min, max))
    cells = (
        str(track.id),
        html.escape(name),
        f"{track.score:.2f}",
        f"{first:.2f} s",
        f"{last:.2f} s",
        str(len(track.masks)),
        f"{share:.1%}",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _sheet(result: TrackedVideo) -> str:
    """Pictures, or why there are none: a result outlives its video."""
    if result.info.live or not result.frames:
        return ""
    try:
        return " ".join(_picture(frame, result) for frame in _frames(result))
    except VisError as error:
        return html.escape(f"no pictures: {error}")


def _frames(result: TrackedVideo) -> Iterator[Frame]:
    times = result.times
    frames, count = list(times), min(_PICTURES, len(times))
    # the middles of equal parts: neither the first nor the last frame, which are often black
    indices = [frames[(2 * part + 1) * len(frames) // (2 * count)] for part in range(count)]
    with open_video(result.info.name, ahead=1) as reader:
        for index, pixels in zip(indices, reader.clip(indices), strict=True):
            yield Frame(index, times[index], pixels)


def _picture(frame: Frame, result: TrackedVideo) -> str:
    annotated = draw(frame, tracks_at(frame, result.tracks), names=result.names)
    picture = Image.fromarray(annotated.pixels)
    picture.thumbnail((_WIDTH, _WIDTH))
    buffer = io.BytesIO()
    # within the page: a notebook is passed on without the files beside it
    picture.save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{float(frame.time):.2f} s" src="data:image/jpeg;base64,{data}">'
