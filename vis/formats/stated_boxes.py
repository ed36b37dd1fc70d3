"""Boxes that a data set states, against the masks that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.ops.rle import box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.formats.ytvis_records import AnnotationSet, Extra
    from vis.records import RLE, Track

    Corners = tuple[float, float, float, float]

SAME, OTHER = 0.9, 0.5
"""Overlaps (IoU) from which on two boxes are one, and below which they are not."""


def corner_faults(annotation_set: AnnotationSet, where: str) -> Iterator[DataError]:
    """One fault, where boxes that fit no mask fit as the two corners [x0, y0, x1, y1]."""
    corners = [track.id for track, extra in _tracks(annotation_set) if are_corners(track, extra)]
    if corners:
        yield DataError(
            f"boxes of {len(corners)} annotations are two corners, the first is that of "
            f"annotation {corners[0]}",
            where=where,
            remedy="Write [x, y, width, height], or leave boxes and areas out, as vis data check "
            "with --fix does: the masks say it.",
        )


def are_corners(track: Track, extra: Extra) -> bool:
    """Whether a stated box of an object fits its mask as two corners [x0, y0, x1, y1] alone.

    Args:
        track: with the masks.
        extra: the keys of its annotation that say more than the masks.
    """
    return any(
        _overlap(_as_corners(stated), edges) < OTHER
        and _overlap(_clipped(_corners(stated), mask), edges) >= SAME
        for stated, mask, edges in _boxes(track, extra)
    )


def box_warnings(annotation_set: AnnotationSet) -> Iterator[str]:
    """One line for boxes past an edge of their picture, one for those that fit no mask."""
    past, unlike = [], []
    for track, extra in _tracks(annotation_set):
        for stated, mask, edges in _boxes(track, extra):
            clipped = _clipped(_as_corners(stated), mask)
            # a pixel more is how others round
            if max(abs(a - b) for a, b in zip(clipped, _as_corners(stated), strict=True)) > 1:
                past.append(track.id)
            if _overlap(clipped, edges) < OTHER:
                unlike.append(track.id)
    for ids, what in ((past, "leave their picture"), (unlike, "do not fit their masks")):
        if ids:
            yield (
                f"{len(ids)} boxes {what}, the first is that of annotation {ids[0]}: "
                "the masks decide"
            )


def _tracks(annotation_set: AnnotationSet) -> Iterator[tuple[Track, Extra]]:
    for tracks in annotation_set.tracks.values():
        for track in tracks:
            yield track, annotation_set.track_extra.get(track.id, {})


def _boxes(track: Track, extra: Extra) -> Iterator[tuple[list[float], RLE, Corners]]:
    """Stated box, mask and its edges, wherever both have an extent."""
    stated = extra.get("bboxes") or [extra.get("bbox")]
    for frame, mask in track.masks.items():
        numbers = stated[frame] if frame < len(stated) else None
        edges = box(mask)
        if numbers and edges is not None and max(numbers[2:]) > 0:
            x0, y0, x1, y1 = map(float, edges)
            yield numbers, mask, (x0, y0, x1, y1)


def _as_corners(stated: list[float]) -> Corners:
    x, y, width, height = stated
    return x, y, x + width, y + height


def _corners(stated: list[float]) -> Corners:
    x0, y0, x1, y1 = stated
    return x0, y0, x1, y1


def _clipped(edges: Corners, mask: RLE) -> Corners:
    x0, y0, x1, y1 = edges
    width, height = float(mask.width), float(mask.height)
    return max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height)


def _overlap(one: Corners, other: Corners) -> float:
    """IoU; 0 of a box without an extent."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum(max(b[2] - b[0], 0.0) * max(b[3] - b[1], 0.0) for b in (one, other))
    return shared / (areas - shared) if shared else 0.0
