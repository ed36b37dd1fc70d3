"""CLEAR numbers on masks: misses, false masks, switches, fragments; and who covered whom."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vis.evaluation.pairing import EPSILON, best_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.pairing import FrameComparison, FrameMatches

Cover = dict[int, int | None]
"""Frame in which an object is visible -> the result that covers it, or None where it is missed."""
MOSTLY, BARELY = 0.8, 0.2
"""Share of its frames from which an object is mostly tracked, and below which mostly lost."""


class Clear(NamedTuple):
    """What adds up over videos and categories."""

    matches: int = 0
    truths: int = 0
    """Masks of the truth."""
    results: int = 0
    """Masks of the results."""
    overlap: float = 0.0
    """Sum of the matches' overlaps."""
    switches: int = 0
    fragmentations: int = 0
    mostly_tracked: int = 0
    partly_tracked: int = 0
    mostly_lost: int = 0

    def numbers(self) -> dict[str, float]:
        """Ratios (at most 1, NaN where they divide by nothing) and counts."""
        false = self.results - self.matches
        faults = false + self.switches
        return {
            "MOTSA": ratio(self.matches - faults, self.truths),
            "sMOTSA": ratio(self.overlap - faults, self.truths),
            "MOTSP": ratio(self.overlap, self.matches),
            "recall": ratio(self.matches, self.truths),
            "precision": ratio(self.matches, self.results),
            "ID_switches": self.switches,
            "fragmentations": self.fragmentations,
            "mostly_tracked": self.mostly_tracked,
            "partly_tracked": self.partly_tracked,
            "mostly_lost": self.mostly_lost,
            "matches": self.matches,
            "missed": self.truths - self.matches,
            "false": false,
        }


def clear(video: FrameComparison, threshold: float) -> tuple[Clear, list[Cover]]:
    """The counts of one video, and by row which column covered it.

    An object keeps the result it last had as long as the two overlap enough; the rest are matched
    afresh (Bernardin and Stiefelhagen, CLEAR MOT, 2008; on masks: Voigtlaender et al., MOTS, 2019).
    A switch is a match with another result than the last, however long ago.
    """
    last: dict[int, int] = {}
    covers: list[Cover] = [{} for _ in video.truths]
    switches, overlap = 0, 0.0
    for frame in video.frames:
        matches = _match(frame, last, threshold)
        switches += sum(last.get(row, column) != column for row, (column, _) in matches.items())
        overlap += sum(iou for _, iou in matches.values())
        last |= {row: column for row, (column, _) in matches.items()}
        for row in frame.truths.tolist():
            covers[row][frame.frame] = matches[row][0] if row in matches else None
    counts = Clear(
        results=int(video.result_frames.sum()),
        switches=switches,
        overlap=overlap,
    )
    return _with_lives(counts, covers), covers


def ratio(part: float, whole: float) -> float:
    """`part / whole`, NaN of nothing."""
    return part / whole if whole else nan


def _match(
    frame: FrameMatches, last: Mapping[int, int], threshold: float
) -> dict[int, tuple[int, float]]:
    """Row -> its column and their overlap."""
    rows, columns = frame.truths.tolist(), frame.results.tolist()
    left = frame.iou.copy()
    matches: dict[int, tuple[int, float]] = {}
    for i, row in enumerate(rows):
        j = columns.index(last[row]) if last.get(row) in columns else None
        if j is not None and left[i, j] >= threshold - EPSILON:
            matches[row] = (columns[j], float(frame.iou[i, j]))
            left[i], left[:, j] = -1, -1  # below every threshold: neither is matched again
    for i, j in zip(*best_pairs(left, threshold), strict=True):
        matches[rows[i]] = (columns[j], float(frame.iou[i, j]))
    return matches


def _with_lives(counts: Clear, covers: Sequence[Cover]) -> Clear:
    """The counts that look at each object's whole life."""
    lives = [np.array([who is not None for who in cover.values()], np.bool_) for cover in covers]
    shares = np.array([life.mean() for life in lives if len(life)])
    # a run begins in a covered frame that is the first, or follows one that is missed
    starts = [int(life[:1].sum() + (life[1:] & ~life[:-1]).sum()) for life in lives]
    mostly = int((shares >= MOSTLY).sum())
    lost = int((shares < BARELY).sum())
    return counts._replace(
        matches=sum(int(life.sum()) for life in lives),
        truths=sum(map(len, lives)),
        fragmentations=sum(max(0, runs - 1) for runs in starts),
        mostly_tracked=mostly,
        partly_tracked=len(shares) - mostly - lost,
        mostly_lost=lost,
    )
