"""COCO's evaluator on tracks: a video plays the role of a picture, a track that of an object."""

from __future__ import annotations

from collections import defaultdict
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
STATISTICS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl",
    "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""Names of the twelve numbers, in the reference's order."""


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
    """

    def __init__(self, video_ids: Sequence[int], labels: Sequence[int]):
        super().__init__(iouType="segm")
        self.params = Params()
        self.params.vidIds, self.params.catIds = sorted(video_ids), sorted(labels)

    def video_matches(self) -> Iterable[VideoMatches]:
        """What is known of each video that `params` names; a subclass says where it comes from."""
        raise NotImplementedError

    def computeIoU(self, imgId: int, catId: int) -> Ratios:  # noqa: N802
        """Overlaps `[D G]` of a video's results of a category, best score first."""
        return self._overlaps.get((imgId, catId), np.zeros((0, 0)))

    def _prepare(self) -> None:
        self._gts: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._dts: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._overlaps: dict[Key, Ratios] = {}
        self.evalImgs: list[Any] = []
        self.eval: dict[str, Any] = {}
        for video in self.video_matches():
            self._enter(video)

    def _enter(self, video: VideoMatches) -> None:
        for table, tracks in ((self._gts, video.truth), (self._dts, video.results)):
            for track in tracks:
                table[video.video_id, track.label].append(_entry(track))
        groups = [[label] for label in self.params.catIds]
        for labels in groups if self.params.useCats else [self.params.catIds]:
            rows = _places(video.results, labels)
            rows.sort(key=lambda row: -video.results[row].score)
            # COCO asks for category -1 where categories are not told apart
            key = (video.video_id, labels[0] if self.params.useCats else -1)
            columns = _places(video.truth, labels)
            self._overlaps[key] = video.iou[rows[: self.params.maxDets[-1]]][:, columns]


def _places(tracks: Sequence[TrackSummary], labels: Sequence[int]) -> list[int]:
    """Category by category, as COCO's evaluator lines them up."""
    return [n for label in labels for n, track in enumerate(tracks) if track.label == label]


def _entry(track: TrackSummary) -> dict[str, Any]:
    return {
        "id": track.id,
        "score": track.score,
        "area": track.area,
        "iscrowd": int(track.crowd),
        "ignore": int(track.crowd),
    }
