"""COCO's evaluator on tracks: a video plays the role of a picture, a track that of an object."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pycocotools.cocoeval import COCOeval

from vis.evaluation.overlaps import mean_area, track_iou

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from vis.records import Track

    Entry = dict[str, Any]

SIDES = (0, 128, 256, 100_000)
"""Sides of the squares that bound small, medium and large tracks."""
STATISTICS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl",
    "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""Names of the twelve numbers, in the reference's order."""


class Video(NamedTuple):
    """The truth of one video and what was found in it."""

    id: int
    truth: Sequence[Track]
    truth_areas: Mapping[int, float]
    """Mean area by id of a true track, where the data set states it."""
    results: Sequence[Track]


class TrackEvaluator(COCOeval):  # type: ignore[misc]
    """The rules of the YouTube-VIS reference; matching and accumulation are COCO's own.

    They differ from COCO's in four points: an overlap is summed through the video; small ends at
    128 x 128 pixels and medium at 256 x 256; the area of a track is the mean of its visible areas;
    and a crowd takes any number of results, but by their plain overlap.

    One video at a time is held: the overlaps of its tracks are computed when it comes.
    """

    def __init__(self, videos: Iterable[Video], video_ids: Sequence[int], labels: Sequence[int]):
        super().__init__(iouType="segm")
        self.videos = videos
        self.params.imgIds, self.params.catIds = sorted(video_ids), sorted(labels)
        small, medium, large = ([SIDES[i] ** 2, SIDES[i + 1] ** 2] for i in range(3))
        self.params.areaRng = [[small[0], large[1]], small, medium, large]

    def computeIoU(self, imgId: int, catId: int) -> npt.NDArray[np.float64]:  # noqa: N802
        """Overlaps `[D G]` of a video's results of a category, best score first."""
        return self._overlaps.get((imgId, catId), np.zeros((0, 0)))

    def _prepare(self) -> None:
        self._gts: dict[tuple[int, int], list[Entry]] = defaultdict(list)
        self._dts: dict[tuple[int, int], list[Entry]] = defaultdict(list)
        self._overlaps: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
        self.evalImgs: list[Any] = []
        self.eval: dict[str, Any] = {}
        for video in self.videos:
            self._enter(video)

    def _enter(self, video: Video) -> None:
        shown: dict[int, tuple[list[Track], list[Track]]] = defaultdict(lambda: ([], []))
        for track in video.truth:
            area = video.truth_areas.get(track.id)
            self._gts[video.id, track.label].append(_entry(track, area))
            shown[track.label][0].append(track)
        for track in video.results:
            self._dts[video.id, track.label].append(_entry(track))
            shown[track.label][1].append(track)
        if not self.params.useCats:
            every = [shown[label] for label in self.params.catIds if label in shown]
            shown = {
                -1: ([t for pair in every for t in pair[0]], [t for pair in every for t in pair[1]])
            }
        for label, (truth, results) in shown.items():
            best = sorted(results, key=lambda track: -track.score)[: self.params.maxDets[-1]]
            self._overlaps[video.id, label] = track_iou(best, truth)


def _entry(track: Track, area: float | None = None) -> Entry:
    return {
        "id": track.id,
        "score": track.score,
        "area": mean_area(track) if area is None else area,
        "iscrowd": int(track.crowd),
        "ignore": int(track.crowd),
    }
