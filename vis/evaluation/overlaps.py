"""Pixels that tracks share with the truth, frame by frame, counted on the run lengths."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.records import RLE, Track

Counts = npt.NDArray[np.int64]
Ratios = npt.NDArray[np.float64]


class FrameOverlap(NamedTuple):
    """What one frame shows: `d` of the results and `g` of the truth have a mask in it."""

    frame: int
    results: Counts
    """`[d]` places in the list of results."""
    truth: Counts
    """`[g]` places in the list of the truth."""
    shared: Counts
    """`[d g]` pixels."""
    result_areas: Counts
    """`[d]` pixels."""
    truth_areas: Counts
    """`[g]` pixels."""

    @property
    def iou(self) -> Ratios:
        """`[d g]`, 0 where both masks are empty."""
        return _ratios(self.shared, self.result_areas, self.truth_areas)


def frame_overlaps(results: Sequence[Track], truth: Sequence[Track]) -> Iterator[FrameOverlap]:
    """Each frame that shows anything, in order; one call of native code for all its pairs.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    result_masks, truth_masks = _by_frame(results), _by_frame(truth)
    for frame in sorted(result_masks.keys() | truth_masks.keys()):
        rows, ours = _unzip(result_masks.get(frame, []))
        columns, theirs = _unzip(truth_masks.get(frame, []))
        areas, truth_areas = rle.areas(ours), rle.areas(theirs)
        # of a crowd COCO divides by the result's own area: times it, the shared pixels, exactly
        parts = rle.iou(ours, theirs, [True] * len(theirs))
        shared = np.rint(parts * areas[:, None]).astype(np.int64)
        yield FrameOverlap(frame, rows, columns, shared, areas, truth_areas)


def track_iou(results: Sequence[Track], truth: Sequence[Track]) -> Ratios:
    """Intersection over union `[D G]` through the video: each is summed over the frames first.

    It is 0 where neither shows a pixel in any frame (Yang et al. 2019, section 3.2).

    Raises:
        MaskError: masks of one frame differ in size.
    """
    shared = np.zeros((len(results), len(truth)), np.int64)
    if not shared.size:
        return shared.astype(np.float64)
    areas, truth_areas = np.zeros(len(results), np.int64), np.zeros(len(truth), np.int64)
    for frame in frame_overlaps(results, truth):
        shared[frame.results[:, None], frame.truth] += frame.shared
        areas[frame.results] += frame.result_areas
        truth_areas[frame.truth] += frame.truth_areas
    return _ratios(shared, areas, truth_areas)


def mean_area(track: Track) -> float:
    """Mean pixels of the frames in which the object is visible, 0 if it never is."""
    areas = rle.areas(list(track.masks.values()))
    return float(areas[areas > 0].mean()) if areas.any() else 0.0


def _ratios(shared: Counts, areas: Counts, truth_areas: Counts) -> Ratios:
    # integers until here, however long the video: the same ratio in any order of the frames
    union = areas[:, None] + truth_areas - shared
    ratios: Ratios = shared / np.maximum(union, 1)
    return ratios


def _by_frame(tracks: Sequence[Track]) -> dict[int, list[tuple[int, RLE]]]:
    frames: dict[int, list[tuple[int, RLE]]] = defaultdict(list)
    for place, track in enumerate(tracks):
        for frame, mask in track.masks.items():
            frames[frame].append((place, mask))
    return frames


def _unzip(pairs: list[tuple[int, RLE]]) -> tuple[Counts, list[RLE]]:
    return np.array([place for place, _ in pairs], np.int64), [mask for _, mask in pairs]
