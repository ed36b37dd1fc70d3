"""What a data set holds, in numbers: categories, sizes, lengths, occlusion."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from vis.ops.rle import area, box

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
    from vis.ops.rle import Box
    from vis.records import RLE, Track


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """One row of the table of categories."""

    id: int
    name: str
    videos: int
    """In which it occurs."""
    objects: int
    """Without crowds."""
    crowds: int
    masks: int
    """Frames in which its objects are seen, summed."""
    share: float
    """Median share of the picture that a mask of it covers; 0 without any."""


@dataclass(frozen=True, slots=True)
class Occlusion:
    """How much objects are hidden."""

    hidden: float
    """Share of the frames between an object's first and last one in which it is not seen."""
    returning: int
    """Objects that go and come back."""
    overlap: float
    """Mean over frames with objects: pixels in two boxes or more / pixels in any (OVIS's mBOR)."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The numbers of a data set."""

    videos: int
    frames: int
    annotated: int
    """Frames whose objects are annotated."""
    objects: int
    crowds: int
    masks: int
    categories: tuple[CategoryCount, ...]
    sizes: tuple[tuple[tuple[int, int], int], ...]
    """((width, height), videos), the most frequent first."""
    lengths: tuple[int, float, int]
    """Fewest, median and most frames of a video."""
    empty_videos: int
    """Videos without any object."""
    occlusion: Occlusion


def supercategories_alone(annotation_set: AnnotationSet) -> list[Category]:
    """Categories without an object that others name as their supercategory.

    Roboflow lists the name of the project so, with id 0.
    """
    table = annotation_set.categories.values()
    above = {c.extra.get("supercategory") for c in table if c.extra.get("supercategory") != c.name}
    candidates = [category for category in table if category.name in above]
    # asked last: of some data sets, pictures are read to know their objects
    if not candidates:
        return []
    used = {track.label for tracks in annotation_set.tracks.values() for track in tracks}
    return [category for category in candidates if category.id not in used]


def statistics_of(annotation_set: AnnotationSet) -> Statistics:
    """Count what a data set holds."""
    videos = list(annotation_set.videos.values())
    tracks = [track for video_tracks in annotation_set.tracks.values() for track in video_tracks]
    lengths = [video.length for video in videos] or [0]
    sizes = Counter((video.width, video.height) for video in videos)
    return Statistics(
        videos=len(videos),
        frames=sum(lengths),
        annotated=sum(len(video.truth_frames) for video in videos),
        objects=sum(not track.crowd for track in tracks),
        crowds=sum(track.crowd for track in tracks),
        masks=sum(len(visible_masks(track)) for track in tracks if not track.crowd),
        categories=tuple(_categories(annotation_set)),
        sizes=tuple(sizes.most_common()),
        lengths=(min(lengths), median(lengths), max(lengths)),
        empty_videos=sum(not annotation_set.tracks.get(video.id) for video in videos),
        occlusion=_occlusion(annotation_set, videos),
    )


def visible_masks(track: Track) -> dict[int, RLE]:
    """The masks that have a pixel."""
    return {frame: mask for frame, mask in track.masks.items() if area(mask)}


def box_overlap(boxes: Sequence[Box]) -> float:
    """Pixels in two boxes or more / pixels in any; 0 where there are none."""
    # on the grid of all edges: a picture of 4K has millions of pixels, ten boxes 400 cells
    edges = np.array(boxes, np.int64).reshape(-1, 4)
    across, down = np.unique(edges[:, 0::2]), np.unique(edges[:, 1::2])
    count = np.zeros((max(len(down) - 1, 0), max(len(across) - 1, 0)), np.int64)
    for x0, y0, x1, y1 in edges:
        left, right = np.searchsorted(across, (x0, x1))
        top, bottom = np.searchsorted(down, (y0, y1))
        count[top:bottom, left:right] += 1
    pixels = np.diff(down)[:, None] * np.diff(across)[None]
    union = int(pixels[count > 0].sum())
    return int(pixels[count > 1].sum()) / union if union else 0.0


def _categories(annotation_set: AnnotationSet) -> Iterable[CategoryCount]:
    videos: dict[int, set[int]] = {}
    tracks_by_label: dict[int, list[Track]] = {}
    for video_id, tracks in annotation_set.tracks.items():
        for track in tracks:
            videos.setdefault(track.label, set()).add(video_id)
            tracks_by_label.setdefault(track.label, []).append(track)
    for category in annotation_set.categories.values():
        objects = [track for track in tracks_by_label.get(category.id, []) if not track.crowd]
        masks = [mask for track in objects for mask in visible_masks(track).values()]
        shares = [area(mask) / (mask.height * mask.width) for mask in masks]
        yield CategoryCount(
            id=category.id,
            name=category.name,
            videos=len(videos.get(category.id, ())),
            objects=len(objects),
            crowds=len(tracks_by_label.get(category.id, ())) - len(objects),
            masks=len(masks),
            share=median(shares) if shares else 0.0,
        )


def _occlusion(annotation_set: AnnotationSet, videos: Sequence[VideoEntry]) -> Occlusion:
    spans = hidden = returning = 0
    overlaps: list[float] = []
    for video in videos:
        boxes_by_frame: dict[int, list[Box]] = {}
        places = video.truth_frames
        annotated = frozenset(places)
        for track in annotation_set.tracks.get(video.id, []):
            if track.crowd:
                continue
            boxes = {frame: box(mask) for frame, mask in track.masks.items() if frame in annotated}
            visible = {frame: tight for frame, tight in boxes.items() if tight is not None}
            # before and after, an object is absent, not hidden
            first, last = (min(visible), max(visible)) if visible else (0, -1)
            # of a frame that is not annotated, nobody knows whether it shows the object
            span = bisect_right(places, last) - bisect_left(places, first)
            spans, hidden = spans + span, hidden + span - len(visible)
            returning += span > len(visible)
            for frame, tight in visible.items():
                boxes_by_frame.setdefault(frame, []).append(tight)
        overlaps += [box_overlap(frame_boxes) for frame_boxes in boxes_by_frame.values()]
    return Occlusion(
        hidden=hidden / spans if spans else 0.0,
        returning=returning,
        overlap=sum(overlaps) / len(overlaps) if overlaps else 0.0,
    )
