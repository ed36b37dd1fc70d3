"""Contact sheets: frames of a data set's videos on one picture, with masks and identities."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vis.datasets.files import read_frames
from vis.errors import InputError, UsageError, printable
from vis.ops.tracks_at import tracks_at
from vis.records import Frame
from vis.storage.whole_file import write_whole
from vis.video import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import VideoEntry
    from vis.records import Pixels

_CAPTION = 18
"""Pixels of the strip over a tile that says what it is."""
_GAP = 4
_LARGEST = 100_000_000
"""Pixels of a sheet."""


@dataclass(frozen=True, slots=True)
class _Tile:
    caption: str
    picture: Image.Image
    starts: bool
    """Whether it is the first of a video of several frames, which begins a row."""


def write_sheet(
    path: str | Path,
    data: DataSet,
    *,
    entries: Sequence[str] = (),
    most: int = 8,
    columns: int = 6,
    width: int = 320,
    overwrite: bool = False,
) -> int:
    """Write a PNG with `columns` evenly spaced frames of each video; returns how many videos.

    Single pictures lie side by side. Without `entries`, videos are taken evenly from the data set.

    Args:
        path: of the PNG file.
        data: the data set.
        entries: names or ids of the videos to show.
        most: how many videos, where none is named.
        columns: frames in a row.
        width: pixels of a frame's longer side.
        overwrite: whether a file that is there may be replaced.

    Raises:
        UsageError: a number is out of range, or no video has such a name.
        InputError: the pictures were not found.
        DataError: a picture is damaged.
        OutputError: the file cannot be written.
    """
    if columns < 1 or most < 1 or width < 32:
        raise UsageError("columns and videos are 1 or more, the width 32 or more")
    if data.frames is None:
        raise InputError(
            "its pictures were not found",
            where=str(data.path),
            remedy="Give the folder that the file names are relative to with --frames.",
        )
    videos = _selected(list(data.annotations.videos.values()), entries, most)
    pixels = sum(min(video.length, columns) for video in videos) * width**2
    if pixels > _LARGEST:
        raise UsageError(
            f"the sheet could have {pixels} pixels, {_LARGEST} are legal",
            remedy="Show fewer videos, fewer columns or smaller frames",
        )
    tiles = [
        tile
        for video in videos
        for tile in _tiles(data, data.frames, video, columns=columns, width=width)
    ]
    buffer = io.BytesIO()
    _composed(tiles, columns, width).save(buffer, "PNG")
    write_whole(path, buffer.getvalue(), overwrite=overwrite)
    return len(videos)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the places 0 to `count` - 1, the first and the last among them."""
    if most >= count:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return [place * (count - 1) // (most - 1) for place in range(most)]


def _selected(videos: list[VideoEntry], entries: Sequence[str], most: int) -> list[VideoEntry]:
    if not entries:
        return [videos[place] for place in evenly(len(videos), most)]
    unknown = set(entries) - {name for video in videos for name in (video.name, str(video.id))}
    if unknown:
        raise UsageError(
            f"the data set has no video {min(unknown)!r}", remedy="Give names or ids of videos"
        )
    return [video for video in videos if video.name in entries or str(video.id) in entries]


def _tiles(
    data: DataSet, folder: Path, video: VideoEntry, *, columns: int, width: int
) -> Iterator[_Tile]:
    # without its truth, a frame that is not annotated says nothing of the data set
    shown_frames = video.truth_frames or range(video.length)
    places = [shown_frames[place] for place in evenly(len(shown_frames), columns)]
    names = {key: category.name for key, category in data.annotations.categories.items()}
    tracks = data.annotations.tracks.get(video.id, [])
    for place in places:
        # one at a time: a row of large frames would fill the memory
        pixels = read_frames(folder, video, [place])[0].permute(1, 2, 0).numpy()
        frame = Frame(place, Fraction(place), _fitted(pixels, width))
        annotated = draw(frame, tracks_at(frame, tracks), names=names)
        caption = f"{video.name} ({video.id})"
        if video.length > 1:
            caption += f" frame {place} of {video.length}"
        yield _Tile(
            caption, Image.fromarray(annotated.pixels), place == places[0] and video.length > 1
        )


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longer side at `side` pixels."""
    scale = side / max(pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def _composed(tiles: Sequence[_Tile], columns: int, width: int) -> Image.Image:
    rows: list[list[_Tile]] = []
    for tile in tiles:
        if not rows or tile.starts or len(rows[-1]) == columns:
            rows.append([])
        rows[-1].append(tile)
    heights = [max(tile.picture.height for tile in row) + _CAPTION + _GAP for row in rows]
    across = max(map(len, rows)) * (width + _GAP) + _GAP
    page = Image.new("RGB", (across, sum(heights) + _GAP), (24, 24, 24))
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(12)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = _GAP + column * (width + _GAP)
            caption = printable(tile.caption)[: width // 7]
            pen.text((left, top + 2), caption, fill=(225, 225, 225), font=font)
            page.paste(tile.picture, (left, top + _CAPTION))
        top += height
    return page
