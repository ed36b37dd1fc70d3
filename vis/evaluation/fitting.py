"""Results that do not fit the videos of the truth are refused before anything is counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track


def check_videos(truth: AnnotationSet, results: Mapping[int, Sequence[Track]]) -> None:
    """Refuse results of videos that the truth does not have.

    Raises:
        DataError: how many, and some of their ids.
    """
    unknown = sorted(results.keys() - truth.videos.keys())
    if unknown:
        some = ", ".join(map(str, unknown[:5]))
        raise DataError(
            f"there are results of {len(unknown)} videos that the truth does not have: {some}",
            remedy="Evaluate with the truth of the same videos.",
        )


def check_results(
    video: VideoEntry, labels: Mapping[int, object], results: Sequence[Track]
) -> None:
    """Refuse results that do not fit their video; files are checked when they are read already.

    Raises:
        DataError: which result, and why.
    """
    for track in results:
        where = f"video {video.id}: result {track.id}"
        if track.label not in labels:
            raise DataError(
                f"category {track.label} is none of the truth's",
                where=where,
                remedy="Give results the category ids of the truth.",
            )
        if not math.isfinite(track.score):
            raise DataError(
                f"the score is {track.score}", where=where, remedy="Drop or correct it."
            )
        _check_masks(video, track, where)


def _check_masks(video: VideoEntry, track: Track, where: str) -> None:
    for frame, mask in track.masks.items():
        if not 0 <= frame < video.length:
            raise DataError(
                f"there is a mask in frame {frame} but the video has {video.length} frames",
                where=where,
                remedy="Evaluate the frames of the truth alone.",
            )
        if (mask.height, mask.width) != (video.height, video.width):
            raise DataError(
                f"frame {frame} has a mask of {mask.height} x {mask.width} "
                f"but the video is {video.height} x {video.width}",
                where=where,
                remedy="Write all masks at the size of the video.",
            )
