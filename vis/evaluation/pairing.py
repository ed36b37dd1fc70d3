"""Which results meet which true objects in each frame, and the best pairs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from vis.evaluation.overlaps import frame_overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.evaluation.overlaps import FrameOverlap
    from vis.records import Track

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EPSILON = float(np.finfo(float).eps)
"""How far below a threshold an overlap still reaches it: thresholds like 0.15 are not exact."""


class Meeting(NamedTuple):
    """The objects and results of one frame."""

    frame: int
    truths: Ints
    """`[n]` rows of the objects seen in this frame."""
    results: Ints
    """`[m]` columns of the results seen in this frame."""
    iou: Floats
    """`[n m]` intersection over union."""


class Meetings(NamedTuple):
    """True objects (rows) against results (columns) through one video."""

    truths: Sequence[Track]
    results: Sequence[Track]
    frames: Sequence[Meeting]

    def seen(self) -> tuple[Ints, Ints]:
        """In how many frames each row and each column has a mask, `[N]` and `[M]`."""
        rows = [np.empty(0, np.int64), *(frame.truths for frame in self.frames)]
        columns = [np.empty(0, np.int64), *(frame.results for frame in self.frames)]
        return (
            np.bincount(np.concatenate(rows), minlength=len(self.truths)),
            np.bincount(np.concatenate(columns), minlength=len(self.results)),
        )


def meetings(truths: Sequence[Track], results: Sequence[Track], threshold: float) -> Meetings:
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
    compared = frame_overlaps(results, [*objects, *crowds])
    return Meetings(objects, results, [_meet(one, len(objects), threshold) for one in compared])


def best_pairs(iou: Floats, threshold: float) -> tuple[Ints, Ints]:
    """Rows and columns of the most pairs of `iou [n m]` at or above `threshold`, the closest."""
    fits = iou >= threshold - EPSILON
    # one pair more outweighs any overlap of all the others
    dear = 2.0 * min(iou.shape, default=0) + 1
    rows, columns = linear_sum_assignment(np.where(fits, 1 - iou, dear))
    kept = fits[rows, columns]
    return rows[kept], columns[kept]


def _meet(frame: FrameOverlap, objects: int, threshold: float) -> Meeting:
    """One frame without empty masks, crowds, and what crowds excuse."""
    there = (frame.truth < objects) & (frame.truth_areas > 0)
    iou = frame.iou[:, there].T
    inside = frame.shared[:, frame.truth >= objects] / np.maximum(frame.result_areas, 1)[:, None]
    fitting = np.isin(np.arange(len(frame.results)), best_pairs(iou, threshold)[1])
    kept = (frame.result_areas > 0) & (fitting | (inside <= 0.5).all(axis=1))
    return Meeting(frame.frame, frame.truth[there], frame.results[kept], iou[:, kept])


def _content(track: Track) -> list[tuple[int, bytes]]:
    return sorted((index, mask.counts) for index, mask in track.masks.items())
