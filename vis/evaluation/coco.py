"""Average precision and recall of boxes and masks in single pictures, by COCO's own evaluator."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vis.errors import UsageError
from vis.evaluation.evaluator import STATISTICS
from vis.formats.coco_results import PictureResult
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import RLE, Track

Kind = Literal["bbox", "segm"]


def evaluate_pictures(
    truth: AnnotationSet,
    results: Iterable[PictureResult],
    kind: Kind,
    *,
    by_category: bool = True,
) -> dict[str, float]:
    """The twelve numbers, named as those of tracks are; -1 where there is no truth.

    Small ends at 32 x 32 pixels here, medium at 96 x 96. Of the truth the stated boxes and areas
    count where they differ from those of the masks.

    Args:
        truth: pictures as videos of one frame, as `read_coco` gives them.
        results: what was found.
        kind: compare boxes or masks; a result without a box has that of its mask.
        by_category: whether a result must name the right category; False: all count as one.

    Raises:
        UsageError: a result has no mask and masks shall be compared, or neither mask nor box.
    """
    true = list(_truth_annotations(truth))
    ours = [_result_annotation(result, kind, place) for place, result in enumerate(results, 1)]
    with redirect_stdout(io.StringIO()):  # COCO's evaluator speaks; this one returns
        evaluator = COCOeval(_index(truth, true), _index(truth, ours), kind)
        evaluator.params.useCats = int(by_category)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))


def results_of_tracks(tracks: Mapping[int, Sequence[Track]]) -> Iterator[PictureResult]:
    """What was found in videos of one frame, by id of the video, as results of pictures."""
    for image_id, video_tracks in tracks.items():
        for track in video_tracks:
            if 0 in track.masks:
                yield PictureResult(image_id, track.label, track.score, mask=track.masks[0])


def _index(truth: AnnotationSet, annotations: list[dict[str, Any]]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": picture.id, "height": picture.height, "width": picture.width}
            for picture in truth.videos.values()
        ],
        "categories": [{"id": label} for label in truth.categories],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _truth_annotations(truth: AnnotationSet) -> Iterator[dict[str, Any]]:
    # to COCO an id of 0 means no match
    ids = count(1)
    for image_id, tracks in truth.tracks.items():
        for track in tracks:
            mask, extra = track.masks[0], truth.track_extra.get(track.id, {})
            yield {
                "id": next(ids),
                "image_id": image_id,
                "category_id": track.label,
                "iscrowd": int(track.crowd),
                "segmentation": _code(mask),
                "bbox": extra.get("bbox", _box(mask)),
                "area": extra.get("area", rle.area(mask)),
            }


def _result_annotation(result: PictureResult, kind: Kind, place: int) -> dict[str, Any]:
    box = result.box or (_box(result.mask) if result.mask else None)
    if box is None or (kind == "segm" and result.mask is None):
        raise UsageError(
            f"result {place} has no {'mask' if kind == 'segm' else 'box'}",
            remedy="Compare what the results have: bbox or segm.",
        )
    by_mask = result.mask and kind == "segm"
    return {
        "id": place,
        "image_id": result.image_id,
        "category_id": result.label,
        "score": result.score,
        "iscrowd": 0,
        "segmentation": _code(result.mask) if result.mask else [],
        "bbox": list(box),
        "area": rle.area(result.mask) if by_mask and result.mask else box[2] * box[3],
    }


def _box(mask: RLE) -> list[float]:
    x0, y0, x1, y1 = rle.box(mask) or (0, 0, 0, 0)
    return [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]


def _code(mask: RLE) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}
