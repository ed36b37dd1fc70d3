"""J and F of DAVIS: how well regions and outlines fit, object by object and frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from vis.errors import DataError, MaskError
from vis.evaluation.boundary import Mask, Outline, boundary_f, outline
from vis.evaluation.overlaps import frame_overlaps
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

Floats = npt.NDArray[np.float64]


class _Look(NamedTuple):
    mask: Mask
    area: int
    outline: Outline


class Fit(NamedTuple):
    """How one object is followed; NaN in frames that are not judged."""

    result: int | None
    """Id of the result that is compared, None where there is none."""
    j: Floats
    """`[T]` intersection over union of the regions, 1 where neither is there."""
    f: Floats
    """`[T]` F of the outlines."""

    def numbers(self) -> dict[str, float]:
        """Mean, recall and decay of J and F, and J&F.

        Recall is the share of frames above a half, as DAVIS 2017 counts; that of 2016 is whether
        the object's mean is.
        """
        numbers = _statistics("J", self.j) | _statistics("F", self.f)
        return numbers | {"J&F": (numbers["J_mean"] + numbers["F_mean"]) / 2}


@dataclass(frozen=True, slots=True)
class Regions:
    """J and F of a set of videos."""

    numbers: Mapping[str, float]
    """`J_mean J_recall J_recall_2016 J_decay`, the same of F, and `J&F`: means over objects."""
    objects: Mapping[int, Mapping[int, Fit]]
    """By video and by the true object's id."""


@dataclass(frozen=True, slots=True)
class BestTracks:
    """How well some track follows each object, whatever its category or score."""

    numbers: Mapping[str, float]
    """Means over all objects: `J_best`, a track may serve many; `J_matched`, each serves one."""
    objects: Mapping[int, Mapping[int, tuple[float, float]]]
    """The same two by video and by the true object's id."""


def semi_supervised(
    truth: AnnotationSet, results: Mapping[int, Sequence[Track]], *, progress: bool = False
) -> Regions:
    """The results follow objects that were shown to them, under the objects' ids.

    The first frame, which was given, and the last are not judged. An object without a result is
    followed by empty masks; pixels of crowds are not judged.

    Raises:
        DataError: a result is of a video or object that the truth does not have.
        MaskError: a mask has not the size of its video.
    """
    return _judge(truth, results, _by_id, progress)


def unsupervised(
    truth: AnnotationSet, results: Mapping[int, Sequence[Track]], *, progress: bool = False
) -> Regions:
    """Nobody showed the objects: each is compared with one result, for the best mean J&F.

    All frames are judged. DAVIS itself takes at most 20 results a video.

    Raises:
        DataError: a result is of a video that the truth does not have.
        MaskError: a mask has not the size of its video.
    """
    return _judge(truth, results, _by_fit, progress)


def best_tracks(truth: AnnotationSet, results: Mapping[int, Sequence[Track]]) -> BestTracks:
    """Mean J of the best track of each object, over the frames that show either of the two.

    Raises:
        MaskError: masks of different sizes in one frame.
    """
    objects: dict[int, dict[int, tuple[float, float]]] = {}
    for video in truth.videos:
        judged = [track for track in truth.tracks.get(video, []) if not track.crowd]
        j = _mean_j(judged, results.get(video, []))
        matched = np.zeros(len(judged))
        rows, columns = linear_sum_assignment(j, maximize=True)
        matched[rows] = j[rows, columns]
        best = j.max(axis=1, initial=0).tolist()
        pairs = zip(best, matched.tolist(), strict=True)
        objects[video] = {track.id: pair for track, pair in zip(judged, pairs, strict=True)}
    every = np.array([pair for pairs in objects.values() for pair in pairs.values()]).reshape(-1, 2)
    means = every.mean(axis=0).tolist() if len(every) else [nan, nan]
    return BestTracks(dict(zip(("J_best", "J_matched"), means, strict=True)), objects)


def _judge(
    truth: AnnotationSet,
    results: Mapping[int, Sequence[Track]],
    judge: Callable[[VideoEntry, Sequence[Track], Sequence[Track]], dict[int, Fit]],
    progress: bool,
) -> Regions:
    if unknown := sorted(set(results) - set(truth.videos)):
        raise DataError(f"there are results for video {unknown[0]}, which the truth does not have")
    objects = {}
    for video in tqdm(truth.videos.values(), "J and F", disable=None if progress else True):
        try:
            video_results = results.get(video.id, [])
            objects[video.id] = judge(video, truth.tracks.get(video.id, []), video_results)
        except (DataError, MaskError) as error:
            raise error.at(f"video {video.id}") from None
    fits = [fit.numbers() for fits in objects.values() for fit in fits.values()]
    keys = fits[0] if fits else Fit(None, np.empty(0), np.empty(0)).numbers()
    means = {key: _mean(np.array([numbers[key] for numbers in fits])) for key in keys}
    return Regions(means, objects)


def _by_id(video: VideoEntry, truth: Sequence[Track], results: Sequence[Track]) -> dict[int, Fit]:
    judged, crowds = _split(truth)
    by_id = {track.id: track for track in results}
    if unknown := sorted(set(by_id) - {track.id for track in judged}):
        raise DataError(
            f"result {unknown[0]} is of no object",
            remedy="Give each result the id of the object that it follows.",
        )
    j, f = np.full((2, len(judged), video.length), np.nan)
    for frame in range(1, video.length - 1):
        void = _void(video, frame, crowds)
        for row, track in enumerate(judged):
            a = _look(video, frame, track, void)
            b = _look(video, frame, by_id.get(track.id), void)
            j[row, frame], f[row, frame] = _region_j(a, b), boundary_f(a.outline, b.outline)
    return {
        track.id: Fit(track.id if track.id in by_id else None, j[row], f[row])
        for row, track in enumerate(judged)
    }


def _by_fit(video: VideoEntry, truth: Sequence[Track], results: Sequence[Track]) -> dict[int, Fit]:
    judged, crowds = _split(truth)
    # without enough results, empty ones
    padded = [*results, *[None] * max(0, len(judged) - len(results))]
    j, f = np.zeros((2, len(judged), len(padded), video.length))
    for frame in range(video.length):
        void = _void(video, frame, crowds)
        theirs = [_look(video, frame, track, void) for track in padded]
        for row, track in enumerate(judged):
            a = _look(video, frame, track, void)
            j[row, :, frame] = [_region_j(a, b) for b in theirs]
            f[row, :, frame] = [boundary_f(a.outline, b.outline) for b in theirs]
    rows, columns = linear_sum_assignment((j + f).mean(axis=2), maximize=True)
    partners = [padded[column] for column in columns]
    return {
        judged[row].id: Fit(partner.id if partner else None, j[row, column], f[row, column])
        for row, column, partner in zip(rows, columns, partners, strict=True)
    }


def _split(truth: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    """The objects, and the crowds."""
    return [t for t in truth if not t.crowd], [t for t in truth if t.crowd]


def _void(video: VideoEntry, frame: int, crowds: Sequence[Track]) -> Mask | None:
    """The pixels that are not judged."""
    masks = [_pixels(video, frame, track) for track in crowds if frame in track.masks]
    return np.logical_or.reduce(masks) if masks else None


def _look(video: VideoEntry, frame: int, track: Track | None, void: Mask | None) -> _Look:
    mask = _pixels(video, frame, track)
    mask = mask if void is None else mask & ~void
    return _Look(mask, int(mask.sum()), outline(mask))


def _pixels(video: VideoEntry, frame: int, track: Track | None) -> Mask:
    size = (video.height, video.width)
    mask = track.masks.get(frame) if track else None
    if mask is None:
        return np.zeros(size, np.bool_)
    if (mask.height, mask.width) != size:
        raise MaskError(
            f"the mask is {mask.height} x {mask.width} but the video is {size[0]} x {size[1]}",
            where=f"frame {frame}",
        )
    return rle.decode(mask)


def _region_j(a: _Look, b: _Look) -> float:
    # neither is there: right, as DAVIS counts it
    if not a.area or not b.area:
        return float(a.area == b.area)
    shared = int(np.count_nonzero(a.mask & b.mask))
    return shared / (a.area + b.area - shared)


def _mean_j(truth: Sequence[Track], results: Sequence[Track]) -> Floats:
    """`[N M]` over the frames that show either."""
    total, frames = np.zeros((2, len(truth), len(results)))
    for frame in frame_overlaps(results, truth):
        total[np.ix_(frame.truth, frame.results)] += frame.iou.T
        visible = np.zeros(len(truth), np.bool_), np.zeros(len(results), np.bool_)
        visible[0][frame.truth[frame.truth_areas > 0]] = True
        visible[1][frame.results[frame.result_areas > 0]] = True
        frames += visible[0][:, None] | visible[1]
    return total / np.maximum(1, frames)


def _statistics(name: str, values: Floats) -> dict[str, float]:
    """Of the judged frames; decay is how much the last quarter is worse than the first."""
    judged = values[~np.isnan(values)]
    # rounded as in DAVIS's own code, so that the quarters, which share a frame, are the same
    edges = np.round(np.linspace(1, len(judged), 5) + 1e-10).astype(int) - 1
    first, last = (judged[edges[i] : edges[i + 1] + 1] for i in (0, 3))
    mean = _mean(judged)
    return {
        f"{name}_mean": mean,
        f"{name}_recall": _mean(judged > 0.5),
        f"{name}_recall_2016": float(mean > 0.5),
        f"{name}_decay": _mean(first) - _mean(last),
    }


def _mean(values: npt.NDArray[np.float64] | Mask) -> float:
    return float(values.mean()) if len(values) else nan
