"""The YouTube-VIS API's names over our evaluator: scripts written for it run on a changed import.

    from vis.evaluation.youtube_vis_api import YTVOS, YTVOSeval

    truth = YTVOS("instances.json")
    results = truth.loadRes("results.json")
    evaluation = YTVOSeval(truth, results, "segm")
    evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()

What differs: files are checked when they are read, and a fault is an error that names the record,
where the reference hangs, crashes or counts on; lengths must match instead of being cut; results of
no object at all are allowed; each frame is compared once for all pairs, which is faster.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sized
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import UsageError
from vis.evaluation.evaluator import NONE, TrackEvaluator, say
from vis.evaluation.overlaps import mean_area
from vis.evaluation.video_matches import compare_tracks, mean_of_areas
from vis.formats.json_file import read_json
from vis.formats.reading import Reading
from vis.formats.ytvis import annotations_of, results_of
from vis.formats.ytvis_masks import frame_areas, frame_boxes, parse_masks
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from vis.evaluation.video_matches import VideoMatches
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import RLE, Track

    Some = int | str | Sequence[int] | Sequence[str]
    Record = dict[str, Any]

_MEMORY = "the records given"


class YTVOS:
    """Truth or results with an index; the reference's attributes hold the records of the file.

    Raises:
        InputError: the file cannot be read.
        DataError: it is of another kind, or a record in it is faulty.
    """

    def __init__(self, annotation_file: str | Path | None = None) -> None:
        self.dataset: Record = {}
        self.anns: dict[int, Record] = {}
        self.vids: dict[int, Record] = {}
        self.cats: dict[int, Record] = {}
        self.vidToAnns: dict[int, list[Record]] = defaultdict(list)
        self.catToVids: dict[int, list[int]] = defaultdict(list)
        self.tracks: dict[int, Track] = {}
        """Our checked record of each annotation, by its id."""
        self._truth: AnnotationSet | None = None
        self._name = str(annotation_file or _MEMORY)
        if annotation_file is not None:
            say("loading annotations into memory...")
            began = time.time()
            self.dataset = read_json(annotation_file)
            say(f"Done (t={time.time() - began:0.2f}s)")
            self.createIndex()

    def createIndex(self) -> None:  # noqa: N802
        """Check and index the records of `dataset`.

        Raises:
            DataError: it is something else than annotations, or one of them is faulty.
        """
        say("creating index...")
        if self._truth is None:
            # the files of test videos list the videos alone
            whole = {"annotations": [], **self.dataset} if self.dataset else self.dataset
            self._truth = annotations_of(whole, Reading(self._name))
            self._take(self._truth.tracks)
        self.anns, self.vids, self.cats = map(self._by_id, ("annotations", "videos", "categories"))
        self.vidToAnns, self.catToVids = defaultdict(list), defaultdict(list)
        for ann in self.anns.values():
            self.vidToAnns[ann["video_id"]].append(ann)
            self.catToVids[ann["category_id"]].append(ann["video_id"])
            track = self.tracks[ann["id"]]
            ann.setdefault("iscrowd", int(track.crowd))
            stated = ann.get("areas")
            ann["avg_area"] = mean_area(track) if stated is None else mean_of_areas(stated)
        say("index created!")

    def info(self) -> None:
        """Print what the file says of itself."""
        for key, value in self.dataset.get("info", {}).items():
            say(f"{key}: {value}")

    def getAnnIds(  # noqa: N802
        self,
        vidIds: Some = (),
        catIds: Some = (),
        areaRng: Sequence[float] = (),
        iscrowd: bool | None = None,
    ) -> list[int]:
        """Ids of the annotations that pass every filter given; an area lies within its bounds."""
        videos, labels = _many(vidIds), _many(catIds)
        groups = [self.vidToAnns[video] for video in videos if video in self.vidToAnns]
        annotations = (
            [ann for group in groups for ann in group] if videos else self._list("annotations")
        )
        return [
            ann["id"]
            for ann in annotations
            if (not labels or ann["category_id"] in labels)
            and (not len(areaRng) or areaRng[0] < ann["avg_area"] < areaRng[1])
            and (iscrowd is None or ann["iscrowd"] == iscrowd)
        ]

    def getCatIds(  # noqa: N802
        self, catNms: Some = (), supNms: Some = (), catIds: Some = ()
    ) -> list[int]:
        """Ids of the categories that pass every filter given: names, supercategories, ids."""
        filters = (("name", _many(catNms)), ("supercategory", _many(supNms)), ("id", _many(catIds)))
        return [
            category["id"]
            for category in self._list("categories")
            if all(not values or category.get(key) in values for key, values in filters)
        ]

    def getVidIds(self, vidIds: Some = (), catIds: Some = ()) -> list[int]:  # noqa: N802
        """Ids of the videos among `vidIds` that show each of the categories."""
        ids = set(_many(vidIds) or self.vids)
        for label in _many(catIds):
            ids &= set(self.catToVids.get(label, ()))
        return list(ids)

    def loadAnns(self, ids: Some = ()) -> list[Record]:  # noqa: N802
        """The annotations of these ids."""
        return [self.anns[key] for key in _many(ids)]

    def loadCats(self, ids: Some = ()) -> list[Record]:  # noqa: N802
        """The categories of these ids."""
        return [self.cats[key] for key in _many(ids)]

    def loadVids(self, ids: Some = ()) -> list[Record]:  # noqa: N802
        """The videos of these ids."""
        return [self.vids[key] for key in _many(ids)]

    def loadRes(self, resFile: str | Path | list[Record]) -> YTVOS:  # noqa: N802
        """Results of the videos of this truth, from a file or a list of its records.

        Raises:
            InputError: the file cannot be read.
            DataError: it is of another kind, or a record does not fit the truth.
        """
        say("Loading and preparing results...")
        began = time.time()
        name = _MEMORY if isinstance(resFile, list) else str(resFile)
        records = list(map(_plain, resFile)) if isinstance(resFile, list) else _records(resFile)
        results = YTVOS()
        results._truth = self._truth
        results._take(results_of(records, self._truth, Reading(name)))
        for place, record in enumerate(records, 1):
            _complete(record, place, results.tracks[place])
        lists = {key: list(self._list(key)) for key in ("videos", "categories")}
        results.dataset = {**lists, "annotations": records}
        say(f"DONE (t={time.time() - began:0.2f}s)")
        results.createIndex()
        return results

    def annToRLE(self, ann: Record, frameId: int) -> Record:  # noqa: N802
        """The mask of a frame as `{"size": [height, width], "counts": bytes}`; empty where null.

        Raises:
            MaskError: the mask is malformed.
        """
        mask = self._mask(ann, frameId)
        return {"size": [mask.height, mask.width], "counts": mask.counts}

    def annToMask(self, ann: Record, frameId: int) -> npt.NDArray[np.uint8]:  # noqa: N802
        """The mask `[H W]` of a frame, 0 and 1; empty where null.

        Raises:
            MaskError: the mask is malformed.
        """
        return rle.decode(self._mask(ann, frameId)).astype(np.uint8)

    def _mask(self, ann: Record, frame: int) -> RLE:
        video = self.vids[ann["video_id"]]
        size = video["height"], video["width"]
        masks = parse_masks([ann["segmentations"][frame]], size)
        return masks[0] if masks else rle.encode(np.zeros(size, np.bool_))

    def _list(self, key: str) -> list[Record]:
        records: list[Record] = self.dataset.get(key, [])
        return records

    def _by_id(self, key: str) -> dict[int, Record]:
        return {record["id"]: record for record in self._list(key)}

    def _take(self, videos: Mapping[int, Sequence[Track]]) -> None:
        self.tracks.update((track.id, track) for tracks in videos.values() for track in tracks)


class YTVOSeval(TrackEvaluator):
    """The reference's evaluator: `evaluate`, `accumulate`, `summarize`, then `stats` and `eval`.

    Args:
        cocoGt: the truth.
        cocoDt: what its `loadRes` gave.
        iouType: "segm"; the reference's "bbox" never ran.

    Raises:
        UsageError: another kind of overlap.
    """

    def __init__(
        self,
        cocoGt: YTVOS | None = None,
        cocoDt: YTVOS | None = None,
        iouType: str = "segm",
    ) -> None:
        if iouType != "segm":
            raise UsageError(
                f"iouType is {iouType!r}: tracks are compared by their masks",
                remedy="Say 'segm'.",
            )
        super().__init__(cocoGt.getVidIds() if cocoGt else [], cocoGt.getCatIds() if cocoGt else [])
        self.cocoGt, self.cocoDt = cocoGt, cocoDt

    @property
    def evalVids(self) -> list[Any]:  # noqa: N802
        """The matches of each category, size and video; None where there is nothing."""
        p = self._paramsEval
        labels, areas = p.catIds if p.useCats else [NONE], map(tuple, p.areaRng)
        matches = {
            (entry["category_id"], tuple(entry["aRng"]), entry["video_id"]): entry
            for entry in self.evalImgs
        }
        return [matches.get(place) for place in product(labels, areas, p.vidIds)]

    def evaluateImg(self, *args: Any) -> dict[str, Any] | None:  # noqa: N802
        """The matches of one video, category and size, under the reference's key too."""
        matches = super().evaluateImg(*args)
        return matches and {**matches, "video_id": matches["image_id"]}

    def video_matches(self) -> Iterator[VideoMatches]:
        """The tracks of each video and category that `params` names."""
        if self.cocoGt is None or self.cocoDt is None:
            raise UsageError("there is no truth or no result", remedy="Give YTVOSeval both.")
        for video in self.params.vidIds:
            truth, results = (self._tracks_of(api, video) for api in (self.cocoGt, self.cocoDt))
            areas = {track.id: self.cocoGt.anns[track.id]["avg_area"] for track in truth}
            yield compare_tracks(
                video,
                truth,
                results,
                stated_areas=areas,
                by_category=bool(self.params.useCats),
                max_results=self.params.maxDets[-1],
            )

    def _tracks_of(self, api: YTVOS, video: int) -> list[Track]:
        return [api.tracks[key] for key in api.getAnnIds([video], self.params.catIds)]


def _records(path: str | Path) -> Any:
    # a score that is NaN is a fault of its record, which the file's reader could not name
    return read_json(path, finite=False)


def _complete(record: Record, place: int, track: Track) -> None:
    """Add what the reference adds to a result."""
    length = len(record["segmentations"])
    areas = frame_areas(track.masks, length)
    record.setdefault("bboxes", frame_boxes(track.masks, length))
    record.update(id=place, areas=areas, avg_area=mean_of_areas(areas), iscrowd=0)


def _plain(record: Any) -> Any:
    """A copy with plain numbers in place of numpy's, as a file would hold them."""
    if not isinstance(record, dict):
        return record
    return {key: v.item() if isinstance(v, np.generic) else v for key, v in record.items()}


def _many(value: Any) -> list[Any]:
    """The reference takes one or many everywhere; text is one."""
    several = isinstance(value, Sized) and not isinstance(value, str)
    return list(value) if several else [value]
