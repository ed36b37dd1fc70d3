"""Results as the YouTube-VIS and OVIS servers take them: checked, then zipped.

The truth of their videos is not public and uploads are few, so what the server would refuse, or
count otherwise than was meant, is found before: an unknown video or category, another number of
frames, another size, a malformed mask, a score that is none, a video without a result, and more
results of a video than count.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.ytvis import read_results, read_videos
from vis.formats.ytvis_values import results_value
from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

MOST = 100
"""Results of a video that count: AR100 is the largest of the server's numbers."""
MEMBER = "results.json"
"""The one file of the archive, at its top."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an archive can state; a real one would change its bytes each time."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Results of the videos of one split, and what is wrong with them."""

    videos: AnnotationSet
    """Videos and categories, without truth."""
    tracks: Mapping[int, list[Track]]
    """The sound results by id of the video, at most `MOST` of each."""
    problems: list[DataError]
    """In the order of the file, then by video."""

    @property
    def results(self) -> int:
        """How many results there are."""
        return sum(map(len, self.tracks.values()))


def read_submission(results: str | Path, videos: str | Path) -> Submission:
    """Check results against the list of videos that the data set publishes.

    Args:
        results: a YouTube-VIS results file.
        videos: the file of the split, with `videos` and `categories`; annotations may be missing.

    Raises:
        InputError: a file cannot be read.
        DataError: `videos` is faulty, or `results` is no list of results.
    """
    split = read_videos(videos)
    problems: list[DataError] = []
    tracks = read_results(results, split, problems)
    problems += _counts(tracks, split, str(results))
    best = {video_id: _best(video_tracks) for video_id, video_tracks in tracks.items()}
    return Submission(split, best, problems)


def write_submission(path: str | Path, submission: Submission, *, overwrite: bool = False) -> None:
    """Write the zip that the server takes; the same results always give the same bytes.

    Raises:
        DataError: there is no result at all, which the server cannot read.
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: it cannot be written.
    """
    if not submission.results:
        raise DataError(
            "there is no sound result, and the server cannot read an empty list",
            where=str(path),
            done="Nothing was written.",
            remedy="Correct the results first.",
        )
    lengths = {video_id: video.length for video_id, video in submission.videos.videos.items()}
    value = results_value(submission.tracks, lengths)
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    write_whole(path, _archive(text.encode("ascii")), overwrite=overwrite)


def _counts(
    tracks: Mapping[int, list[Track]], split: AnnotationSet, path: str
) -> Iterator[DataError]:
    for video_id, video in split.videos.items():
        where = f"{path}: video {video_id} ({video.name})"
        count = len(tracks[video_id])
        if not count:
            yield DataError(
                "it has no result", where=where, remedy="Track it, unless nothing is in it."
            )
        if count > MOST:
            yield DataError(
                f"it has {count} results, at most {MOST} of a video count",
                where=where,
                remedy=f"Keep the {MOST} of the highest score.",
            )


def _best(tracks: list[Track]) -> list[Track]:
    """Those that count, in the order of the file."""
    best = sorted(tracks, key=lambda track: -track.score)[:MOST]
    return sorted(best, key=lambda track: track.id)


def _archive(content: bytes) -> bytes:
    member = zipfile.ZipInfo(MEMBER, _LONG_AGO)
    # 3 is Unix, wherever it is made; without the mode, unpackers there make an unreadable file
    member.create_system, member.external_attr = 3, 0o644 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()
