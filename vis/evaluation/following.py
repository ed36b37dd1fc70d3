"""Which object each result follows, frame by frame, and what is wrong with the result as a whole.

A result follows an object in a frame where their masks overlap by 0.1 or more (IoU): the one of its
own category that it overlaps most, else one of another category. It is about the object that it
follows in the most frames, if it follows anything in half of the frames in which it is shown.

Each true track that is not a crowd has at most one result of its own: of those of its category that
are about it, the one of the highest score. The other results are each one of
    fragments    about an object of their category, at least half of it where its own result is not
    misnamed     about an object of another category, overlapping it by 0.5 through the video
    crowded      about a crowd of their category
    better       about an object of their category, of a lower score than its own, but more overlap
    false        everything else: background, duplicates, tracks of no one object
An object without a result of its own is swallowed, if results that belong to others of its category
follow it in half of its frames; else it is missed, unless a misnamed result is about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vis.evaluation.overlaps import frame_overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from vis.evaluation.overlaps import FrameOverlap, Ratios
    from vis.records import Track

NEAR = 0.1
"""Least overlap in a frame at which a result follows an object, as TIDE has it."""
FOUND = 0.5
"""Least overlap through the video of a result that is right but for its name."""
_NOBODY = -1


@dataclass(slots=True, eq=False)
class Following:
    """One video; results and true tracks are named by their place in the two lists."""

    truth: Sequence[Track]
    results: Sequence[Track]
    iou: Ratios
    """`[D G]` through the video, categories not told apart."""
    visible: list[int]
    """Of each true track: the number of frames in which it shows a pixel."""
    follows: list[dict[int, int]]
    """Of each result: frame -> true track."""
    shown: list[list[int]]
    """Of each result: the frames in which it shows a pixel, in order."""
    about: list[int] = field(default_factory=list)
    """Of each result: a true track, or -1."""
    own: dict[int, int] = field(default_factory=dict)
    """True track -> the result of its own."""
    fragments: dict[int, int] = field(default_factory=dict)
    """Result -> true track that it shows a part of."""
    misnamed: dict[int, int] = field(default_factory=dict)
    """Result -> true track of another category."""
    crowded: set[int] = field(default_factory=set)
    """Results."""
    better: set[int] = field(default_factory=set)
    """Results that overlap an object more than its own does."""
    swallowed: set[int] = field(default_factory=set)
    """True tracks."""

    @property
    def false(self) -> list[int]:
        """Results that are about nothing, or about what another result shows already."""
        good = {*self.own.values(), *self.fragments, *self.misnamed, *self.crowded, *self.better}
        return [d for d in range(len(self.results)) if d not in good]

    @property
    def missed(self) -> list[int]:
        """True tracks that nothing is about."""
        met = {*self.own, *self.swallowed, *self.misnamed.values()}
        return [g for g, track in enumerate(self.truth) if g not in met and not track.crowd]

    def named(self, g: int) -> dict[int, list[int]]:
        """Frame -> results, best score first, that follow true track `g` under a lasting name.

        They are of its category, and its own, another's own, or its fragments.
        """
        others = [d for d, true in self.fragments.items() if true == g]
        lasting = [d for d in self.own.values() if self._same(d, g)]
        shown: dict[int, list[int]] = {}
        for d in sorted({*others, *lasting}, key=lambda d: -self.results[d].score):
            for frame, true in self.follows[d].items():
                if true == g:
                    shown.setdefault(frame, []).append(d)
        return shown

    def _same(self, d: int, g: int) -> bool:
        return self.results[d].label == self.truth[g].label


def following(results: Sequence[Track], truth: Sequence[Track]) -> Following:
    """Look at all results of a video.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    found = _watch(results, truth)
    found.about = [_about(found, d) for d in range(len(results))]
    _find_own(found)
    _find_others(found)
    for g, track in enumerate(truth):
        known = g in found.own or g in found.misnamed.values() or track.crowd
        if not known and 2 * len(found.named(g)) >= found.visible[g] > 0:
            found.swallowed.add(g)
    return found


def _watch(results: Sequence[Track], truth: Sequence[Track]) -> Following:
    shared = np.zeros((len(results), len(truth)), np.int64)
    sums = np.zeros(len(results), np.int64), np.zeros(len(truth), np.int64)
    found = Following(
        truth=truth,
        results=results,
        iou=np.zeros(shared.shape),
        visible=[0 for _ in truth],
        follows=[{} for _ in results],
        shown=[[] for _ in results],
    )
    labels = np.array([t.label for t in results], int), np.array([t.label for t in truth], int)
    same = labels[0][:, None] == labels[1]
    for seen in frame_overlaps(results, truth):
        shared[seen.results[:, None], seen.truth] += seen.shared
        sums[0][seen.results] += seen.result_areas
        sums[1][seen.truth] += seen.truth_areas
        _note(found, seen, same)
    found.iou = shared / np.maximum(sums[0][:, None] + sums[1] - shared, 1)
    return found


def _note(found: Following, seen: FrameOverlap, same: npt.NDArray[np.bool_]) -> None:
    for g in seen.truth[seen.truth_areas > 0].tolist():
        found.visible[g] += 1
    for d in seen.results[seen.result_areas > 0].tolist():
        found.shown[d].append(seen.frame)
    if not len(seen.truth):
        return
    iou = seen.iou
    # an overlap is at most 1, so one of the own category comes first
    rank = np.where(iou >= NEAR, iou + 2 * same[seen.results[:, None], seen.truth], 0)
    best = rank.argmax(axis=1)
    for row in np.flatnonzero(rank.any(axis=1)).tolist():
        found.follows[int(seen.results[row])][seen.frame] = int(seen.truth[best[row]])


def _about(found: Following, d: int) -> int:
    met = list(found.follows[d].values())
    if not met or 2 * len(met) < len(found.shown[d]):
        return _NOBODY
    return int(np.bincount(met).argmax())


def _find_own(found: Following) -> None:
    order = sorted(range(len(found.results)), key=lambda d: -found.results[d].score)
    for d in order:
        g = found.about[d]
        if g == _NOBODY:
            continue
        same = found.results[d].label == found.truth[g].label
        if same and found.truth[g].crowd:
            found.crowded.add(d)
        elif same:
            found.own.setdefault(g, d)
        elif found.iou[d, g] >= FOUND and not found.truth[g].crowd:
            found.misnamed[d] = g


def _find_others(found: Following) -> None:
    for d, g in enumerate(found.about):
        mine = found.own.get(g, d)
        if mine == d or found.results[d].label != found.truth[g].label:
            continue
        frames = [frame for frame, true in found.follows[d].items() if true == g]
        alone = [frame for frame in frames if found.follows[mine].get(frame) != g]
        if 2 * len(alone) >= len(frames):
            found.fragments[d] = g
        elif found.iou[d, g] > found.iou[mine, g]:
            found.better.add(d)
