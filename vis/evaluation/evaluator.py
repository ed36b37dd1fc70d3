"""COCO's evaluator on tracks: a video plays the role of a picture, a track that of an object."""

from __future__ import annotations

import copy
import io
import sys
import time
from collections import defaultdict
from contextlib import redirect_stdout
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import cocoeval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vis.evaluation.overlaps import Ratios
    from vis.evaluation.video_matches import TrackSummary, VideoMatches

    Key = tuple[int, int]

SIDES = (0, 128, 256, 100_000)
"""Sides of the squares that bound small, medium and large tracks."""
NONE = -1
"""A category where categories are not told apart; matched to nothing; a number without truth."""
STATISTICS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl",
    "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""Names of the twelve numbers, in the reference's order."""


def say(line: str) -> None:
    """The reference speaks on the output stream, and scripts may read it there."""
    sys.stdout.write(f"{line}\n")


class Params(cocoeval.Params):  # type: ignore[misc]
    """COCO's settings with the reference's sizes, and its name for the list of videos."""

    def __init__(self) -> None:
        super().__init__(iouType="segm")
        bounds = [side**2 for side in SIDES]
        self.areaRng = [[bounds[0], bounds[-1]], *map(list, pairwise(bounds))]

    @property
    def vidIds(self) -> list[int]:  # noqa: N802
        """Videos to evaluate; to COCO they are pictures."""
        ids: list[int] = self.imgIds
        return ids

    @vidIds.setter
    def vidIds(self, ids: list[int]) -> None:  # noqa: N802
        self.imgIds = ids


class TrackEvaluator(cocoeval.COCOeval):  # type: ignore[misc]
    """The rules of the YouTube-VIS reference; matching and accumulation are COCO's own.

    They differ from COCO's in four points: an overlap is summed through the video; small ends at
    128 x 128 pixels and medium at 256 x 256; the area of a track is the mean of its visible areas;
    and a crowd takes any number of results, but by their plain overlap.

    A category costs nothing in a video that has neither truth nor results of it: `evalImgs` leaves
    these out, where COCO's has None.
    """

    def __init__(self, video_ids: Sequence[int], labels: Sequence[int]):
        super().__init__(iouType="segm")
        self.params = Params()
        self.params.vidIds, self.params.catIds = sorted(video_ids), sorted(labels)

    def video_matches(self) -> Iterable[VideoMatches]:
        """What is known of each video that `params` names; a subclass says where it comes from."""
        raise NotImplementedError

    def evaluate(self) -> None:
        """Match results with truth, by category, size and video."""
        began = time.time()
        say(f"Running per image evaluation...\nEvaluate annotation type *{self.params.iouType}*")
        self._prepare()
        self._paramsEval = copy.deepcopy(self.params)
        labels = _labels(self.params)
        # where all categories are one, each video has its tracks under that alone
        self.params.catIds = labels
        self.evalImgs = [
            self.evaluateImg(video, label, area, self.params.maxDets[-1])
            for label in labels
            for area in self.params.areaRng
            for video in self._videos[label]
        ]
        self.params.catIds = self._paramsEval.catIds
        say(f"DONE (t={time.time() - began:0.2f}s).")

    def accumulate(self, p: Params | None = None) -> None:
        """Precision and recall of the matches: COCO's, category by category."""
        began = time.time()
        say("Accumulating evaluation results...")
        p = p or self.params
        matches: dict[int, list[dict[str, Any]]] = defaultdict(list)
        videos = set(p.imgIds)
        for entry in self.evalImgs:
            if entry["image_id"] in videos:
                matches[entry["category_id"]].append(entry)
        with redirect_stdout(io.StringIO()):  # COCO's evaluator speaks for each
            parts = [self._accumulated(p, label, matches[label]) for label in _labels(p)]
        arrays = {
            name: np.concatenate([part.pop(name) for part in parts], axis=axis)
            for name, axis in (("precision", 2), ("recall", 1), ("scores", 2))
        }
        date, counts = time.strftime("%Y-%m-%d %H:%M:%S"), [*arrays["precision"].shape]
        self.eval: dict[str, Any] = {"params": p, "counts": counts, "date": date, **arrays}
        say(f"DONE (t={time.time() - began:0.2f}s).")

    def _accumulated(self, p: Params, label: int, matches: list[Any]) -> dict[str, Any]:
        """COCO's accumulation of one category, over the videos that have anything of it."""
        part = cocoeval.COCOeval(iouType="segm")
        by_place = {(tuple(entry["aRng"]), entry["image_id"]): entry for entry in matches}
        videos = sorted({entry["image_id"] for entry in matches})
        part.params = copy.copy(p)
        part.params.useCats, part.params.catIds, part.params.imgIds = 1, [label], videos
        part._paramsEval = part.params
        part.evalImgs = [
            by_place.get((tuple(area), video)) for area in p.areaRng for video in videos
        ]
        part.accumulate()
        result: dict[str, Any] = part.eval
        return result

    def computeIoU(self, imgId: int, catId: int) -> Ratios:  # noqa: N802
        """Overlaps `[D G]` of a video's results of a category, best score first."""
        return self.ious.get((imgId, catId), np.zeros((0, 0)))

    def _prepare(self) -> None:
        p = self.params
        p.imgIds, p.catIds = (np.unique(ids).tolist() for ids in (p.imgIds, p.catIds))
        p.maxDets, self._labels = sorted(p.maxDets), set(p.catIds)
        self._gts: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._dts: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._videos: dict[int, list[int]] = defaultdict(list)
        self.ious: dict[Key, Ratios] = {}
        self.eval = {}
        for video in self.video_matches():
            self._enter(video)
        for videos in self._videos.values():
            videos.sort()

    def _enter(self, video: VideoMatches) -> None:
        truth, results = (self._places(tracks) for tracks in (video.truth, video.results))
        for label in truth.keys() | results.keys():
            rows, columns = results[label], truth[label]
            key = video.video_id, label
            self._gts[key] = [_entry(video.truth[column]) for column in columns]
            self._dts[key] = [_entry(video.results[row]) for row in rows]
            self._videos[label].append(video.video_id)
            rows.sort(key=lambda row: -video.results[row].score)
            self.ious[key] = video.iou[rows[: self.params.maxDets[-1]]][:, columns]

    def _places(self, tracks: Sequence[TrackSummary]) -> dict[int, list[int]]:
        """By category as COCO asks for it; where all are one, they are lined up by category."""
        places: dict[int, list[int]] = defaultdict(list)
        for place in sorted(range(len(tracks)), key=lambda place: tracks[place].label):
            label = tracks[place].label
            if label in self._labels:
                places[label if self.params.useCats else NONE].append(place)
        return places


def _labels(p: Params) -> list[int]:
    return list(p.catIds) if p.useCats else [NONE]


def _entry(track: TrackSummary) -> dict[str, Any]:
    return {
        "id": track.id,
        "score": track.score,
        "area": track.area,
        "iscrowd": int(track.crowd),
        "ignore": int(track.crowd),
    }
