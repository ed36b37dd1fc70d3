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

FOLLOW_IOU = 0.1
"""Least overlap in a frame at which a result follows an object, as TIDE has it."""
MATCH_IOU = 0.5
"""Least overlap through the video of a result that is right but for its name."""
_NONE = -1


@dataclass(slots=True, eq=False)
class ErrorAttribution:
    """One video; results and true tracks are named by their place in the two lists."""

    truth: Sequence[Track]
    results: Sequence[Track]
    iou: Ratios
    """`[D G]` through the video, categories not told apart."""
    visible: list[int]
    """Of each true track: the number of frames in which it shows a pixel."""
    follows: list[dict[int, int]]
    """Of each result: frame -> true track."""
    frames: list[list[int]]
    """Of each result: the frames in which it shows a pixel, in order."""
    targets: list[int] = field(default_factory=list)
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
        covered = {*self.own, *self.swallowed, *self.misnamed.values()}
        return [g for g, track in enumerate(self.truth) if g not in covered and not track.crowd]

    def results_on(self, g: int) -> dict[int, list[int]]:
        """Frame -> results, best score first, that follow true track `g` under a lasting name.

        They are of its category, and its own, another's own, or its fragments.
        """
        others = [d for d, true in self.fragments.items() if true == g]
        lasting = [d for d in self.own.values() if self._same(d, g)]
        by_frame: dict[int, list[int]] = {}
        for d in sorted({*others, *lasting}, key=lambda d: -self.results[d].score):
            for frame, true in self.follows[d].items():
                if true == g:
                    by_frame.setdefault(frame, []).append(d)
        return by_frame

    def _same(self, d: int, g: int) -> bool:
        return self.results[d].label == self.truth[g].label


def attribute_errors(results: Sequence[Track], truth: Sequence[Track]) -> ErrorAttribution:
    """Look at all results of a video.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    attribution = _watch(results, truth)
    attribution.targets = [_target(attribution, d) for d in range(len(results))]
    _find_own(attribution)
    _find_others(attribution)
    for g, track in enumerate(truth):
        is_explained = g in attribution.own or g in attribution.misnamed.values() or track.crowd
        if not is_explained and 2 * len(attribution.results_on(g)) >= attribution.visible[g] > 0:
            attribution.swallowed.add(g)
    return attribution


def _watch(results: Sequence[Track], truth: Sequence[Track]) -> ErrorAttribution:
    shared = np.zeros((len(results), len(truth)), np.int64)
    sums = np.zeros(len(results), np.int64), np.zeros(len(truth), np.int64)
    attribution = ErrorAttribution(
        truth=truth,
        results=results,
        iou=np.zeros(shared.shape),
        visible=[0 for _ in truth],
        follows=[{} for _ in results],
        frames=[[] for _ in results],
    )
    labels = np.array([t.label for t in results], int), np.array([t.label for t in truth], int)
    same = labels[0][:, None] == labels[1]
    for overlap in frame_overlaps(results, truth):
        shared[overlap.results[:, None], overlap.truth] += overlap.shared
        sums[0][overlap.results] += overlap.result_areas
        sums[1][overlap.truth] += overlap.truth_areas
        _note(attribution, overlap, same)
    attribution.iou = shared / np.maximum(sums[0][:, None] + sums[1] - shared, 1)
    return attribution


def _note(
    attribution: ErrorAttribution, overlap: FrameOverlap, same: npt.NDArray[np.bool_]
) -> None:
    for g in overlap.truth[overlap.truth_areas > 0].tolist():
        attribution.visible[g] += 1
    for d in overlap.results[overlap.result_areas > 0].tolist():
        attribution.frames[d].append(overlap.frame)
    if not len(overlap.truth):
        return
    iou = overlap.iou
    # an overlap is at most 1, so one of the own category comes first
    rank = np.where(iou >= FOLLOW_IOU, iou + 2 * same[overlap.results[:, None], overlap.truth], 0)
    best = rank.argmax(axis=1)
    for row in np.flatnonzero(rank.any(axis=1)).tolist():
        followed = int(overlap.truth[best[row]])
        attribution.follows[int(overlap.results[row])][overlap.frame] = followed


def _target(attribution: ErrorAttribution, d: int) -> int:
    followed = list(attribution.follows[d].values())
    if not followed or 2 * len(followed) < len(attribution.frames[d]):
        return _NONE
    # of objects that it follows in equally many frames, the first of the truth
    return int(np.bincount(followed).argmax())


def _find_own(attribution: ErrorAttribution) -> None:
    # of equal scores, the earlier result has the object
    order = sorted(range(len(attribution.results)), key=lambda d: -attribution.results[d].score)
    for d in order:
        g = attribution.targets[d]
        if g == _NONE:
            continue
        same = attribution.results[d].label == attribution.truth[g].label
        if same and attribution.truth[g].crowd:
            attribution.crowded.add(d)
        elif same:
            attribution.own.setdefault(g, d)
        elif attribution.iou[d, g] >= MATCH_IOU and not attribution.truth[g].crowd:
            attribution.misnamed[d] = g


def _find_others(attribution: ErrorAttribution) -> None:
    for d, g in enumerate(attribution.targets):
        mine = attribution.own.get(g, d)
        if mine == d or attribution.results[d].label != attribution.truth[g].label:
            continue
        frames = [frame for frame, true in attribution.follows[d].items() if true == g]
        alone = [frame for frame in frames if attribution.follows[mine].get(frame) != g]
        if 2 * len(alone) >= len(frames):
            attribution.fragments[d] = g
        elif attribution.iou[d, g] > attribution.iou[mine, g]:
            attribution.better.add(d)
