"""Records to the JSON values of YouTube-VIS files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.box_only import USE_COCO, check_masks
from vis.formats.ytvis_masks import frame_areas, frame_boxes
from vis.formats.ytvis_parse import FRAMES_KEY
from vis.ops.rle import to_coco

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

Value = dict[str, Any]


def annotations_value(annotation_set: AnnotationSet) -> Value:
    """The whole of an annotation file; boxes and areas are those of the masks unless kept.

    Raises:
        DataError: a track of an unknown video or of boxes alone, or a mask beyond the end of its
            video.
    """
    check_masks(annotation_set, "YouTube-VIS", USE_COCO)
    annotations = []
    for video_id, tracks in annotation_set.tracks.items():
        if video_id not in annotation_set.videos:
            raise DataError(
                f"there are tracks of video {video_id}, which is not among the videos",
                remedy="Add the video.",
            )
        video = annotation_set.videos[video_id]
        for track in tracks:
            extra = annotation_set.track_extra.get(track.id, {})
            annotations.append(_annotation(track, video) | dict(extra))
    return {
        **annotation_set.extra,
        "categories": [
            {"id": category.id, "name": category.name, **category.extra}
            for category in annotation_set.categories.values()
        ],
        "videos": [_video(video) for video in annotation_set.videos.values()],
        "annotations": annotations,
    }


def results_value(tracks: Mapping[int, Iterable[Track]], lengths: Mapping[int, int]) -> list[Value]:
    """The whole of a results file, in the order of the tracks' ids.

    Raises:
        DataError: the length of a video is not given, or a mask lies beyond its end.
    """
    results = []
    for video_id, video_tracks in tracks.items():
        for track in video_tracks:
            if video_id not in lengths:
                raise DataError(
                    f"the number of frames of video {video_id} is not given", remedy="Add it."
                )
            result = {
                "video_id": int(video_id),
                "category_id": int(track.label),
                "score": float(track.score),
                "segmentations": _segmentations(track, video_id, lengths[video_id]),
            }
            results.append((track.id, result))
    # results have no ids: their order is what a reader numbers them by
    return [result for _, result in sorted(results, key=lambda pair: pair[0])]


def _video(video: VideoEntry) -> Value:
    return {
        "id": video.id,
        "name": video.name,
        "width": video.width,
        "height": video.height,
        "length": video.length,
        "file_names": list(video.file_names),
        **frames_value(video),
        **video.extra,
    }


def frames_value(video: VideoEntry) -> Value:
    """Which frames are annotated, where not all are."""
    return {} if video.annotated_frames is None else {FRAMES_KEY: list(video.annotated_frames)}


def _annotation(track: Track, video: VideoEntry) -> Value:
    return {
        "id": int(track.id),
        "video_id": video.id,
        "category_id": int(track.label),
        "iscrowd": int(track.crowd),
        "width": video.width,
        "height": video.height,
        "segmentations": _segmentations(track, video.id, video.length),
        "bboxes": frame_boxes(track.masks, video.length),
        "areas": frame_areas(track.masks, video.length),
    }


def _segmentations(track: Track, video_id: int, length: int) -> list[Value | None]:
    beyond = [frame for frame in track.masks if not 0 <= frame < length]
    if beyond:
        raise DataError(
            f"track {track.id} of video {video_id} has a mask in frame {beyond[0]} "
            f"but the video has {length} frames",
            remedy="Correct the frame or the length.",
        )
    masks = track.masks
    return [to_coco(masks[frame]) if frame in masks else None for frame in range(length)]
