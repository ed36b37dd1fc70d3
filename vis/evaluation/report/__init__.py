"""One self-contained HTML file of an evaluation: numbers, plots, videos, identities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from vis.evaluation.report.content import CategoryRow, Content, Curve, ErrorRow, Headline
from vis.evaluation.report.page import page
from vis.evaluation.report.video_summary import VideoSummary, summarise_video
from vis.storage.whole_file import make_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

__all__ = [
    "CategoryRow", "Content", "Curve", "ErrorRow", "Headline", "VideoSummary", "summarise_video",
    "write_report",
]  # fmt: skip

NAME = "report.html"


def write_report(
    folder: str | Path,
    content: Content,
    truth: AnnotationSet,
    results: Mapping[int, Sequence[Track]],
    *,
    threshold: float,
    frames: Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write `folder/report.html`; the folder is made where it is not there.

    Args:
        folder: for the file.
        content: the numbers.
        truth: of the videos.
        results: by id of the video.
        threshold: score from which results are shown in the videos.
        frames: the folder that the file names are relative to; None draws masks on grey.
        overwrite: replace a report that is there.
        progress: show a progress bar where standard error is a terminal.

    Raises:
        OutputExistsError: there is a report and `overwrite` is not set.
        OutputError: it cannot be written.
    """
    videos = tqdm(truth.videos.items(), "report", disable=None if progress else True)
    summaries = [
        summarise_video(video, truth.tracks.get(key, []), results.get(key, []), threshold=threshold)
        for key, video in videos
    ]
    names = {key: category.name for key, category in truth.categories.items()}
    whole = page(content, summaries, names=names, threshold=threshold, frames=frames)
    make_folder(Path(folder))
    path = Path(folder) / NAME
    write_whole(path, whole.encode("utf-8"), overwrite=overwrite)
    return path
