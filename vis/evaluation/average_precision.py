"""Average precision and recall of tracks, by the rules of the YouTube-VIS reference."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vis.evaluation.evaluator import NONE, STATISTICS, TrackEvaluator
from vis.evaluation.fitting import check_results, check_videos
from vis.evaluation.video_matches import TrackSummary, VideoMatches, compare_tracks, mean_of_areas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

Numbers = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """How the results of one category in one video were matched, objects of all sizes."""

    video_id: int
    label: int
    """Category; -1 where categories were not told apart."""
    scores: Numbers
    """`[D]` of the results, best first; at most 100."""
    result_ids: Ids
    """`[D]` of the results."""
    matched: Ids
    """`[10 D]` id of the true track, or -1, by threshold of overlap."""
    ignored: npt.NDArray[np.bool_]
    """`[10 D]` neither right nor wrong: matched to a crowd."""
    truth_ids: Ids
    """`[G]` of the true tracks."""
    crowd: npt.NDArray[np.bool_]
    """`[G]` not to be found."""


@dataclass(frozen=True, slots=True, eq=False)
class AveragePrecision:
    """The twelve numbers, and all that they are made of; -1 where there is no truth."""

    numbers: Mapping[str, float]
    """`AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl`, 0..1."""
    per_category: Mapping[int, float]
    """AP by category id."""
    video_ids: tuple[int, ...]
    """All that were evaluated."""
    labels: tuple[int, ...]
    """Category ids along the axis K; (-1,) where categories were not told apart."""
    thresholds: Numbers
    """`[10]` of overlap: 0.5, 0.55 ... 0.95."""
    recalls: Numbers
    """`[101]` at which precision is read: 0, 0.01 ... 1."""
    precision: Numbers
    """`[10 101 K 4 3]` by threshold, recall, category, size (all, small, medium, large), and
    results a video and category (1, 10, 100)."""
    recall: Numbers
    """`[10 K 4 3]`."""
    matches: Sequence[Matches]
    """By category, then by video; pairs with neither truth nor results are left out."""

    def as_json(self) -> dict[str, Any]:
        """The numbers as an evaluation file holds them, with `AP_per_category`."""
        categories = {str(label): value for label, value in self.per_category.items()}
        return {**self.numbers, "AP_per_category": categories}

    def per_threshold(self) -> Numbers:
        """`[10]` AP at each threshold of overlap."""
        return np.array([_mean(part) for part in self.precision[:, :, :, 0, -1]])

    def curve(self, threshold: int = 0, label: int | None = None) -> Numbers:
        """`[101]` precision over recall, of one category or the mean of all.

        Args:
            threshold: place in `thresholds`.
            label: category id; None: all that have truth.
        """
        precision = self.precision[threshold, :, :, 0, -1]
        if label is not None:
            return precision[:, self.labels.index(label)]
        return np.array([_mean(part) for part in precision])


def evaluate_tracks(
    truth: AnnotationSet,
    results: Mapping[int, Sequence[Track]],
    *,
    by_category: bool = True,
    progress: bool = False,
) -> AveragePrecision:
    """Average precision and recall of what was found in the videos of the truth.

    Args:
        truth: videos, categories and true tracks. Where the file states areas that differ from the
            masks, as those of polygons do, the stated ones count, as in the reference.
        results: found tracks by id of the video; one without an entry has none. Each entry is asked
            for once, so a mapping that reads on demand keeps no more than one video.
        by_category: whether a result must name the right category; False: all count as one.
        progress: whether a bar is shown on the error stream.

    Raises:
        DataError: a result does not fit the truth: video, category, frame, size or score.
    """
    check_videos(truth, results)
    bar = tqdm(truth.videos, "evaluating", unit="video", disable=None if progress else True)
    videos = [match_video(truth, results, video_id, by_category=by_category) for video_id in bar]
    return evaluate_matches(videos, list(truth.categories), by_category=by_category)


def match_video(
    truth: AnnotationSet,
    results: Mapping[int, Sequence[Track]],
    video_id: int,
    *,
    by_category: bool = True,
) -> VideoMatches:
    """Check the results of one video and compare them with its truth.

    Raises:
        DataError: a result does not fit the truth: category, frame, size or score.
    """
    video_results = results.get(video_id, ())
    check_results(truth.videos[video_id], truth.categories, video_results)
    true = truth.tracks.get(video_id, ())
    areas = stated_areas(truth, true)
    return compare_tracks(
        video_id, true, video_results, stated_areas=areas, by_category=by_category
    )


def evaluate_matches(
    videos: Sequence[VideoMatches], labels: Sequence[int], *, by_category: bool = True
) -> AveragePrecision:
    """The numbers of videos whose tracks are compared already; `labels` are all category ids."""
    evaluator = _Evaluator(videos, labels)
    evaluator.params.useCats = int(by_category)
    with redirect_stdout(io.StringIO()):  # COCO's evaluator speaks; this one returns
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return _summary(evaluator, tuple(sorted(labels)) if by_category else (NONE,))


def stated_areas(truth: AnnotationSet, tracks: Sequence[Track]) -> dict[int, float]:
    """Mean area by id of those tracks whose file says else than the masks."""
    stated = {track.id: truth.track_extra.get(track.id, {}).get("areas") for track in tracks}
    return {key: mean_of_areas(areas) for key, areas in stated.items() if areas is not None}


class _Evaluator(TrackEvaluator):
    """Tracks are numbered from 1 through all videos, since to COCO an id of 0 means no match."""

    def __init__(self, videos: Sequence[VideoMatches], labels: Sequence[int]) -> None:
        super().__init__([video.video_id for video in videos], labels)
        self.videos = videos
        self.truth_ids: list[int] = [NONE]
        self.result_ids: list[int] = [NONE]

    def video_matches(self) -> Iterator[VideoMatches]:
        for video in self.videos:
            truth = _numbered(video.truth, self.truth_ids)
            yield video._replace(truth=truth, results=_numbered(video.results, self.result_ids))


def _numbered(tracks: Sequence[TrackSummary], ids: list[int]) -> list[TrackSummary]:
    first = len(ids)
    ids.extend(track.id for track in tracks)
    return [track._replace(id=first + place) for place, track in enumerate(tracks)]


def _summary(evaluator: _Evaluator, labels: tuple[int, ...]) -> AveragePrecision:
    precision = evaluator.eval["precision"]
    every_size = evaluator.params.areaRng[0]
    each = [_mean(precision[:, :, place, 0, -1]) for place in range(len(labels))]
    # once: made for each entry, the tables of all videos would cost their square
    truth_ids, result_ids = np.array(evaluator.truth_ids), np.array(evaluator.result_ids)
    return AveragePrecision(
        numbers=dict(zip(STATISTICS, map(float, evaluator.stats), strict=True)),
        per_category=dict(zip(labels, each, strict=True)),
        video_ids=tuple(video.video_id for video in evaluator.videos),
        labels=labels,
        thresholds=np.array(evaluator.params.iouThrs),
        recalls=np.array(evaluator.params.recThrs),
        precision=precision,
        recall=evaluator.eval["recall"],
        matches=[
            _matches(entry, truth_ids, result_ids)
            for entry in evaluator.evalImgs
            if entry["aRng"] == every_size
        ],
    )


def _matches(entry: Mapping[str, Any], truth_ids: Ids, result_ids: Ids) -> Matches:
    return Matches(
        video_id=int(entry["image_id"]),
        label=int(entry["category_id"]),
        scores=np.array(entry["dtScores"], np.float64),
        result_ids=result_ids[np.array(entry["dtIds"], np.int64)],
        # place 0 of the table is -1
        matched=truth_ids[entry["dtMatches"].astype(np.int64)],
        ignored=np.array(entry["dtIgnore"], np.bool_),
        truth_ids=truth_ids[np.array(entry["gtIds"], np.int64)],
        crowd=np.array(entry["gtIgnore"], np.bool_),
    )


def _mean(values: Numbers) -> float:
    """Mean of what is known, -1 where nothing is."""
    valid = values[values > NONE]
    return float(valid.mean()) if valid.size else float(NONE)
