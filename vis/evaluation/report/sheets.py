"""Contact sheets of a video: some frames, the truth drawn over the results, as JPEG in the page."""

from __future__ import annotations

import base64
import io
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vis.errors import VisError
from vis.evaluation.report.markup import Markup, join, tag
from vis.formats.paths import inside, video_file_of
from vis.ops.pictures import FAULTS, as_recorded
from vis.ops.tracks_at import tracks_at
from vis.records import Frame
from vis.video import DrawStyle, draw, open_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.evaluation.report.video_summary import VideoSummary
    from vis.formats.ytvis_records import VideoEntry
    from vis.records import Pixels, Track

COLUMNS = 5
SIDE = 360
"""Pixels of the longer side of a picture."""
_QUALITY = 82
_GREY = 96
_STYLE = DrawStyle(boxes=False, opacity=0.5, contour=1 / 150, text=1 / 14)


def sheet(summary: VideoSummary, names: Mapping[int, str], frames: Path | None) -> Markup:
    """Some frames of a video, evenly spaced: truth above, results below.

    Where the frames cannot be read, the masks lie on grey.

    Args:
        summary: of the video.
        names: of the classes.
        frames: the folder that its file names are relative to.
    """
    shown_frames = summary.video.truth_frames or range(summary.video.length)
    places = [shown_frames[place] for place in _evenly(len(shown_frames), COLUMNS)]
    pictures, fault = _pictures(summary.video, places, frames)
    cells = []
    room = [tag("div")] * (COLUMNS - len(places))  # a short video has pictures of the same size
    if len(places) > 1:
        heads = [tag("div", f"frame {place}", class_="frame") for place in places]
        cells += [tag("div"), *heads, *room]
    for row, tracks in (("truth", summary.truth), ("result", summary.results)):
        cells.append(tag("div", row, class_="row"))
        for place, pixels in zip(places, pictures, strict=True):
            cells.append(_cell(f"frame {place}, {row}", place, pixels, tracks=tracks, names=names))
        cells += room
    across = f"grid-template-columns: 18px repeat({COLUMNS}, minmax(0, 1fr))"
    note = tag("p", f"Drawn without the pictures: {fault}", class_="soft") if fault else ""
    return join(tag("div", *cells, class_="sheet", style=across), note)


def _cell(
    said: str, place: int, pixels: Pixels, *, tracks: Sequence[Track], names: Mapping[int, str]
) -> Markup:
    frame = Frame(place, Fraction(place), pixels)
    visible = tracks_at(frame, tracks)
    objects = [
        f"{names.get(int(k), k)} {n}" for k, n in zip(visible.labels, visible.ids, strict=True)
    ]
    picture = draw(frame, visible, names=names, style=_STYLE).pixels
    height, width = picture.shape[:2]
    return tag(
        "img",
        src=f"data:image/jpeg;base64,{_jpeg(picture)}",
        alt=f"{said}: {', '.join(objects) or 'nothing'}",
        width=width,
        height=height,
    )


def _pictures(
    video: VideoEntry, places: Sequence[int], frames: Path | None
) -> tuple[list[Pixels], str]:
    """The frames, or grey ones and why."""
    fault = "their folder was not found."
    if frames is not None:
        try:
            return [_fitted(pixels) for pixels in _read(video, places, frames)], ""
        except (VisError, *FAULTS) as error:
            fault = str(error)
    scale = SIDE / max(video.height, video.width)
    height, width = (max(1, round(side * scale)) for side in (video.height, video.width))
    return [np.full((height, width, 3), _GREY, np.uint8)] * len(places), fault


def _read(video: VideoEntry, places: Sequence[int], frames: Path) -> list[Pixels]:
    film = video_file_of(frames, video)
    if film is not None:
        with open_video(film) as reader:
            return list(reader.clip(places))
    pictures = []
    for place in places:
        with Image.open(inside(frames, video.file_names[place])) as picture:
            upright = as_recorded(picture, (video.width, video.height))
            pictures.append(np.asarray(upright.convert("RGB")))
    return pictures


def _fitted(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels)
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def _jpeg(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of the places 0 to `count` - 1, the first and the last among them."""
    if most >= count:
        return list(range(count))
    return [place * (count - 1) // (most - 1) for place in range(most)]
