"""mIoU of tracks: the classes of all objects painted over each other, the surest on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vis.evaluation.semantic import Confusion
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.evaluation.semantic import SemanticNumbers
    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

_NOT_JUDGED = -1


def semantic_tracks(
    truth: AnnotationSet, results: Mapping[int, Sequence[Track]], *, progress: bool = False
) -> SemanticNumbers:
    """Compare the class of each pixel of each frame; without an object it is the background.

    Class 0 is the background, the others are the categories in the order of their ids. Crowds are
    not judged.

    Args:
        truth: videos, categories and objects.
        results: tracks by video, those that would be shown.
        progress: show a bar on stderr.

    Raises:
        DataError: a mask has not the size of its video.
    """
    classes = {label: place for place, label in enumerate(sorted(truth.categories), 1)}
    confusion = Confusion(len(classes) + 1, ignore=_NOT_JUDGED)
    for video in tqdm(truth.videos.values(), "classes", disable=None if progress else True):
        true, predicted = truth.tracks.get(video.id, []), results.get(video.id, [])
        for frame in range(video.length):
            confusion.add(
                _painted(true, frame, video, classes), _painted(predicted, frame, video, classes)
            )
    return confusion.numbers()


def _painted(
    tracks: Sequence[Track], frame: int, video: VideoEntry, classes: Mapping[int, int]
) -> npt.NDArray[np.int16]:
    """`[H W]` classes of one frame."""
    page = np.zeros((video.height, video.width), np.int16)
    visible = [track for track in tracks if frame in track.masks]
    # what is painted last lies on top: crowds are below all objects, and sure ones above unsure
    for track in sorted(visible, key=lambda track: (not track.crowd, track.score)):
        part, (x0, y0, x1, y1) = rle.decode_box(track.masks[frame])
        page[y0:y1, x0:x1][part] = _NOT_JUDGED if track.crowd else classes[track.label]
    return page
