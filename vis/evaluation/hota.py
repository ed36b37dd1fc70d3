"""Higher order tracking accuracy: detection and association weighed alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from vis.evaluation.pairing import EPSILON

if TYPE_CHECKING:
    from vis.evaluation.pairing import Floats, FrameComparison, Ints

ALPHAS = np.arange(1, 20) * 0.05
"""Least overlaps of a match, over which the numbers are averaged."""


class Hota(NamedTuple):
    """What adds up over videos and categories; each `[19]`, by `ALPHAS`."""

    matches: Floats
    truths: Floats
    """Masks of the truth."""
    results: Floats
    """Masks of the results."""
    located: Floats
    """Sum of the matches' overlaps."""
    associated: Floats
    """Sum over matches of A(c), the Jaccard index of the two tracks' matches."""
    recalled: Floats
    """Sum over matches of the share of the true track that has the same partner."""
    precise: Floats
    """Sum over matches of the share of the result that has the same partner."""

    def numbers(self) -> dict[str, float]:
        """Means over `ALPHAS`, 0..1; without any mask or match they are TrackEval's (LocA is 1)."""
        some = np.maximum(1, self.matches)
        detection = self.matches / np.maximum(1, self.truths + self.results - self.matches)
        association = self.associated / some
        located = np.where(self.matches > 0, self.located / some, 1.0)
        curves = {
            "HOTA": np.sqrt(detection * association),
            "DetA": detection,
            "AssA": association,
            "LocA": located,
            "DetRe": self.matches / np.maximum(1, self.truths),
            "DetPr": self.matches / np.maximum(1, self.results),
            "AssRe": self.recalled / some,
            "AssPr": self.precise / some,
        }
        return {name: float(curve.mean()) for name, curve in curves.items()}


def hota(video: FrameComparison) -> Hota:
    """The counts of one video (Luiten et al., HOTA, IJCV 2021, section 5)."""
    truth_frames, result_frames = video.truth_frames, video.result_frames
    alignment = _alignment(video)
    pairs, overlap = _matches(video, alignment)
    union = truth_frames[:, None] + result_frames[None]
    together = np.zeros((len(ALPHAS), *alignment.shape))
    for alpha, counts in zip(ALPHAS, together, strict=True):
        matched = pairs[overlap >= alpha - EPSILON]
        counts += np.bincount(matched, minlength=alignment.size).reshape(alignment.shape)
    # each of the n matches of two tracks adds n / union, n / truth or n / results of the pair
    squares = together**2
    return Hota(
        matches=together.sum((1, 2)),
        truths=np.full(len(ALPHAS), float(truth_frames.sum())),
        results=np.full(len(ALPHAS), float(result_frames.sum())),
        located=np.array([overlap[overlap >= alpha - EPSILON].sum() for alpha in ALPHAS]),
        associated=(squares / np.maximum(1, union - together)).sum((1, 2)),
        recalled=(squares / np.maximum(1, truth_frames)[:, None]).sum((1, 2)),
        precise=(squares / np.maximum(1, result_frames)).sum((1, 2)),
    )


def _alignment(video: FrameComparison) -> Floats:
    """`[N M]` how well two tracks go together over the whole video, before any matching."""
    shared = np.zeros((len(video.truths), len(video.results)))
    for frame in video.frames:
        # of all overlap that either of the two has in this frame, the share that is theirs
        either = frame.iou.sum(0) + frame.iou.sum(1)[:, None] - frame.iou
        share = np.divide(frame.iou, either, out=np.zeros_like(either), where=either > EPSILON)
        shared[frame.truths[:, None], frame.results] += share
    return shared / np.maximum(EPSILON, video.truth_frames[:, None] + video.result_frames - shared)


def _matches(video: FrameComparison, alignment: Floats) -> tuple[Ints, Floats]:
    """All pairs of all frames as `row * M + column`, and their overlaps."""
    pairs, overlap = [np.empty(0, np.int64)], [np.empty(0)]
    for frame in video.frames:
        # one assignment for all of `ALPHAS`, as TrackEval has it: a threshold drops pairs of it
        score = alignment[frame.truths[:, None], frame.results] * frame.iou
        rows, columns = linear_sum_assignment(score, maximize=True)
        pairs.append(frame.truths[rows] * len(video.results) + frame.results[columns])
        overlap.append(frame.iou[rows, columns])
    return np.concatenate(pairs), np.concatenate(overlap)
