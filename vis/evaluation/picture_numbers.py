"""COCO's own numbers, where the truth is of single pictures."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.evaluation.coco import evaluate_pictures, results_of_tracks
from vis.formats.box_only import box_only_tracks
from vis.formats.coco_results import PictureResult, read_coco_results
from vis.formats.json_file import read_json
from vis.records import Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet


def is_of_pictures(data: DataSet | None) -> bool:
    """Whether a data set is of single pictures: to the tracker, videos of one frame."""
    return data is not None and data.of_pictures


def picture_results(
    path: str | Path, truth: AnnotationSet, faults: list[DataError] | None
) -> list[PictureResult] | None:
    """The content of a COCO results file; None of another file.

    Raises:
        InputError: the file cannot be read.
        DataError: a record is faulty and `faults` does not take it.
    """
    value = None
    with suppress(DataError):
        value = read_json(path, finite=False)
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, dict) or "image_id" not in first:
        return None
    return read_coco_results(path, truth, faults)


def tracks_of(results: Sequence[PictureResult], truth: AnnotationSet) -> dict[int, list[Track]]:
    """Those with a mask, as tracks of one frame by id of the picture."""
    tracks: dict[int, list[Track]] = {image_id: [] for image_id in truth.videos}
    for place, result in enumerate(results, 1):
        if result.mask is not None:
            track = Track(place, result.label, result.score, {0: result.mask})
            tracks[result.image_id].append(track)
    return tracks


def picture_numbers(
    truth: AnnotationSet,
    tracks: Mapping[int, Sequence[Track]],
    results: Sequence[PictureResult] | None = None,
    by_category: bool = True,
) -> dict[str, dict[str, float]]:
    """COCO's twelve numbers of masks, where truth and all results have them, and of boxes.

    Args:
        truth: pictures as videos of one frame.
        tracks: the results.
        results: the same as a COCO file has it, whose boxes are then compared.
        by_category: whether a result must name the right category.
    """
    in_pictures = list(results_of_tracks(tracks)) if results is None else results
    numbers = {}
    if all(result.mask is not None for result in in_pictures) and not box_only_tracks(truth):
        numbers["segm"] = evaluate_pictures(truth, in_pictures, "segm", by_category=by_category)
    numbers["bbox"] = evaluate_pictures(truth, in_pictures, "bbox", by_category=by_category)
    return numbers
