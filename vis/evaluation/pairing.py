"""Which results meet which true objects in each frame, and the best pairs of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from vis.evaluation.overlaps import frame_overlaps
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.evaluation.overlaps import FrameOverlap
    from vis.records import Track

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EPSILON = float(np.finfo(float).eps)
"""How far below a threshold an overlap still reaches it: thresholds like 0.15 are not exact."""


class FrameMatches(NamedTuple):
    """The objects and results of one frame."""

    frame: int
    truths: Ints
    """`[n]` rows of the objects seen in this frame."""
    results: Ints
    """`[m]` columns of the results seen in this frame."""
    iou: Floats
    """`[n m]` intersection over union."""


class FrameComparison(NamedTuple):
    """True objects (rows) against results (columns) through one video."""

    truths: Sequence[Track]
    results: Sequence[Track]
    frames: Sequence[FrameMatches]
    """Those in which an object is seen."""
    truth_frames: Ints
    """`[N]` in how many frames each object has a mask."""
    result_frames: Ints
    """`[M]` in how many frames each result has a mask that nothing excuses."""


def compare_frames(
    truths: Sequence[Track], results: Sequence[Track], threshold: float
) -> FrameComparison:
    """Compare the tracks of one video, whatever their categories; linear in tracks x frames.

    A result's mask that fits no object and lies by more than half within one crowd region is left
    out, as MOTS and Scalabel do; a mask without pixels is none. Tracks are put into an order that
    depends on their masks alone, so that neither their ids nor their places decide between equally
    good matches.

    Args:
        truths: the objects, and the crowds that are regions to ignore.
        results: what was found.
        threshold: the least intersection over union that fits.

    Raises:
        MaskError: masks of different sizes in one frame.
    """
    objects = sorted((track for track in truths if not track.crowd), key=_content)
    crowds = [track for track in truths if track.crowd]
    results = sorted(results, key=_content)
    if not objects and not crowds:
        # most categories of most videos: nothing to compare with
        return FrameComparison([], results, [], np.zeros(0, np.int64), _lengths(results))
    compared = frame_overlaps(results, [*objects, *crowds])
    frames = [_frame_matches(one, len(objects), threshold) for one in compared]
    return FrameComparison(
        objects,
        results,
        [frame for frame in frames if len(frame.truths)],
        _counts([frame.truths for frame in frames], len(objects)),
        _counts([frame.results for frame in frames], len(results)),
    )


def best_pairs(iou: Floats, threshold: float) -> tuple[Ints, Ints]:
    """Rows and columns of the most pairs of `iou [n m]` at or above `threshold`, the closest."""
    fits = iou >= threshold - EPSILON
    # one pair more outweighs any overlap of all the others
    dear = 2.0 * min(iou.shape, default=0) + 1
    rows, columns = linear_sum_assignment(np.where(fits, 1 - iou, dear))
    valid = fits[rows, columns]
    return rows[valid], columns[valid]


def _frame_matches(frame: FrameOverlap, objects: int, threshold: float) -> FrameMatches:
    """One frame without empty masks, crowds, and what crowds excuse."""
    # the truth was compared as objects, then crowds: its places tell them apart
    there = (frame.truth < objects) & (frame.truth_areas > 0)
    crowd = frame.truth >= objects
    iou = frame.iou[:, there].T
    counted = frame.result_areas > 0
    if crowd.any():
        inside = frame.shared[:, crowd] / np.maximum(frame.result_areas, 1)[:, None]
        fitting = np.isin(np.arange(len(counted)), best_pairs(iou, threshold)[1])
        # a crowd excuses only what would be a false positive: a match stays a match
        counted &= fitting | (inside <= 0.5).all(axis=1)
    return FrameMatches(frame.frame, frame.truth[there], frame.results[counted], iou[:, counted])


def _counts(places: Sequence[Ints], length: int) -> Ints:
    # the empty array: numpy joins no arrays at all only with an error
    return np.bincount(np.concatenate([np.empty(0, np.int64), *places]), minlength=length)


def _lengths(tracks: Sequence[Track]) -> Ints:
    lengths = (
        sum(mask.counts != _nothing(mask.height, mask.width) for mask in track.masks.values())
        for track in tracks
    )
    return np.fromiter(lengths, np.int64)


@lru_cache(maxsize=64)
def _nothing(height: int, width: int) -> bytes:
    """The one code of a mask without pixels."""
    return rle.encode(np.zeros((height, width), np.bool_)).counts


def _content(track: Track) -> list[tuple[int, bytes]]:
    return sorted((index, mask.counts) for index, mask in track.masks.items())
