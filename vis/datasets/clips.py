"""Clips of an annotated set of videos; a picture is a video of one frame."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from vis.datasets.files import read_frames
from vis.datasets.raw_clip import InstanceAnnotation, RawClip, raw_clip, targets_of
from vis.datasets.sample import Sample
from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from vis.datasets.classes import Classes
    from vis.datasets.sampling import Sampling
    from vis.datasets.transforms import Transform
    from vis.formats.ytvis_records import AnnotationSet, VideoEntry


class VideoClips:
    """A `ClipSource`; crowd regions and objects of other categories are background.

    Of a video that is annotated in part, clips hold the annotated frames alone, as if these were
    the video: of the others nothing is known, so that nothing could be learned.

    Args:
        annotations: videos with their truth.
        folder: of the frames.
        classes: which category is which class.
        sampling: which frames make a clip.
        transforms: in order; each is drawn once for all frames of a clip.
        keep_unseen: keep the rows of objects that no frame of the clip shows, as VisTR does.

    Raises:
        DataError: there is no video, or no frame is annotated.
    """

    def __init__(
        self,
        annotations: AnnotationSet,
        folder: Path,
        classes: Classes,
        sampling: Sampling,
        *,
        transforms: Sequence[Transform] = (),
        keep_unseen: bool = False,
    ) -> None:
        self.annotations, self.folder, self.classes = annotations, folder, classes
        self.sampling, self.transforms = sampling, tuple(transforms)
        self.keep_unseen = keep_unseen
        self._videos = list(annotations.videos.values())
        self.items = [_items(sampling, video) for video in self._videos]
        """Of each video."""
        self._ends = list(accumulate(self.items))
        if not self._videos or not self._ends[-1]:
            what = "annotated frame" if self._videos else "video"
            raise DataError(f"there is no {what} in the data set", where=str(folder))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""
        return self.classes.names

    def __len__(self) -> int:
        return self._ends[-1]

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of item `index`, by the sampling's rule.

        Raises:
            VisError: a file is missing or wrong; names it.
        """
        video, frames, clip = self.raw(index, random)
        name = f"{video.name}, frames {' '.join(map(str, frames))}"
        return self.finished(clip, name, random)

    def raw(
        self, index: int, random: np.random.Generator
    ) -> tuple[VideoEntry, tuple[int, ...], RawClip]:
        """The video of item `index`, the frames that were drawn, and the clip as its files say.

        Raises:
            VisError: a file is missing or wrong; names it.
        """
        video, item = self._find(index)
        places = video.truth_frames
        frames = tuple(places[k] for k in self.sampling.frames(item, len(places), random))
        clip = raw_clip(read_frames(self.folder, video, frames), self._things(video, frames))
        return video, frames, clip

    def finished(self, clip: RawClip, name: str, random: np.random.Generator) -> Sample:
        """A raw clip after all transforms, with its targets."""
        for transform in self.transforms:
            clip = transform(clip, random)
        targets = targets_of(clip, keep_unseen=self.keep_unseen)
        return Sample(clip.frames, replace(targets, labelled=self.classes.labelled), name)

    def where(self, index: int) -> str:
        """What item `index` is, for messages; touches no file."""
        video, item = self._find(index)
        name = video.file_names[video.truth_frames[item]]
        return f"video {video.id} ({video.name}), {self.folder / name}"

    def _find(self, index: int) -> tuple[VideoEntry, int]:
        """The video of an item, and the item's number within it."""
        place = bisect_right(self._ends, index)
        return self._videos[place], index - (self._ends[place - 1] if place else 0)

    def _things(self, video: VideoEntry, frames: tuple[int, ...]) -> list[InstanceAnnotation]:
        return [
            InstanceAnnotation(
                self.classes.indices[track.label],
                {t: track.masks[frame] for t, frame in enumerate(frames) if frame in track.masks},
            )
            for track in self.annotations.tracks[video.id]
            # a crowd region is one mask of many objects: as a target it would teach to join them
            if not track.crowd and track.label in self.classes.indices
        ]


def _items(sampling: Sampling, video: VideoEntry) -> int:
    count = len(video.truth_frames)
    return sampling.items(count) if count else 0
