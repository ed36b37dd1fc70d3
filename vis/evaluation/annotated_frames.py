"""Truth and results in the frames whose objects are annotated, as if these were the videos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vis.evaluation.fitting import check_results, check_videos

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

    Tracks = Mapping[int, Sequence[Track]]


def in_annotated_frames(truth: AnnotationSet, results: Tracks) -> tuple[AnnotationSet, Tracks]:
    """Both, their videos shortened to the annotated frames; the same where all are annotated.

    A result that is seen in other frames alone is neither right nor wrong, and is left out. So is a
    video without any annotated frame.

    Raises:
        DataError: a result does not fit the truth: video, category, frame, size or score.
    """
    if all(video.annotated_frames is None for video in truth.videos.values()):
        return truth, results
    check_videos(truth, results)
    videos, true, others = {}, {}, {}
    for video in truth.videos.values():
        of_video = results.get(video.id, ())
        check_results(video, truth.categories, of_video)
        if video.truth_frames:
            videos[video.id] = _shortened(video)
            places = {frame: place for place, frame in enumerate(video.truth_frames)}
            true[video.id] = list(_in_frames(truth.tracks.get(video.id, ()), places))
            others[video.id] = list(_in_frames(of_video, places))
    return replace(truth, videos=videos, tracks=true), others


def without_unknown_frames(truth: AnnotationSet, results: Tracks) -> Tracks:
    """The results without their masks in frames that are not annotated; places stay."""
    return {
        video.id: list(_in_frames(results.get(video.id, ()), {p: p for p in video.truth_frames}))
        for video in truth.videos.values()
    }


def _shortened(video: VideoEntry) -> VideoEntry:
    names = tuple(video.file_names[place] for place in video.truth_frames)
    return replace(video, length=len(names), file_names=names, annotated_frames=None)


def _in_frames(tracks: Sequence[Track], places: Mapping[int, int]) -> Iterator[Track]:
    """Tracks with the masks of these frames alone, at their new places."""
    for track in tracks:
        masks = {places[frame]: mask for frame, mask in track.masks.items() if frame in places}
        if masks or not track.masks:
            yield replace(track, masks=masks)
