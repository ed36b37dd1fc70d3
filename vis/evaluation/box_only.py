"""Truth that is boxes alone: results are compared with it by their boxes, whatever their masks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vis.formats.box_only import box_mask, box_only_tracks
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import RLE, Track

    Tracks = Mapping[int, Sequence[Track]]

NOTE = "The truth has boxes without masks: everything is compared by its boxes."


def with_boxes(truth: AnnotationSet, results: Tracks) -> tuple[AnnotationSet, Tracks, list[str]]:
    """Both with filled boxes in place of masks, and a note, where any object has a box alone."""
    if not box_only_tracks(truth):
        return truth, results, []
    return replace(truth, tracks=_filled(truth.tracks)), _filled(results), [NOTE]


def _filled(tracks: Tracks) -> dict[int, list[Track]]:
    return {
        video_id: [replace(track, masks=_boxes(track.masks)) for track in of_video]
        for video_id, of_video in tracks.items()
    }


def _boxes(masks: Mapping[int, RLE]) -> dict[int, RLE]:
    filled = {}
    for frame, mask in masks.items():
        edges = rle.box(mask)
        # a mask without a pixel has no box, and is its own
        filled[frame] = mask if edges is None else _fill(edges, mask)
    return filled


def _fill(edges: tuple[int, int, int, int], mask: RLE) -> RLE:
    x0, y0, x1, y1 = edges
    return box_mask([x0, y0, x1 - x0, y1 - y0], mask.height, mask.width)
