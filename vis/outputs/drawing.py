"""Result and annotation files drawn onto their videos: the last stretch of the road of use."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm import tqdm

from vis.errors import DataError, InputError, UsageError, VisWarning
from vis.formats.coco_tracks import coco_tracks_of
from vis.formats.json_file import read_json
from vis.formats.reading import Reading
from vis.formats.ytvis import AnnotationSet, VideoEntry, read_videos, tracks_of
from vis.formats.ytvis_kinds import is_pictures
from vis.ops.tracks_at import tracks_at
from vis.video import DEFAULT, DrawStyle, VideoWriter, draw, open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from vis.records import Track, VideoInfo


@dataclass(frozen=True, slots=True)
class Drawing:
    """One annotated video that was written."""

    path: Path
    frames: int
    objects: int
    """Tracks that were drawn."""


def draw_results(
    video: str | os.PathLike[str],
    results: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    truth: str | os.PathLike[str] | None = None,
    entry: str | None = None,
    threshold: float = 0.0,
    style: DrawStyle = DEFAULT,
    quality: Literal["fast", "normal", "high"] = "normal",
    audio: bool = True,
    frame_rate: Fraction | float = 25,
    overwrite: bool = False,
    progress: bool = False,
) -> list[Drawing]:
    """Draw a result or annotation file onto its video, or onto each of its videos.

    Args:
        video: a video file, a folder of frames, or the folder that holds the folders of several
            videos of the file (the frames are then those that the file lists).
        results: annotations or results, see `vis.formats.ytvis`, or a COCO file by frame.
        output: the video to write, see `VideoWriter`; a folder where several are drawn.
        truth: annotations that give a results file its class names and videos.
        entry: name or id of the one video of the file that is meant.
        threshold: tracks of a lower score are left out.
        style: how objects are drawn.
        quality: of the encoder.
        audio: whether the source's sound is copied.
        frame_rate: frames per second of a folder of frames.
        overwrite: replace what is there.
        progress: show a progress bar where standard error is a terminal.

    Returns:
        What was written, one for each video.

    Raises:
        InputError, VideoError: the video cannot be read.
        DataError: the file is faulty, or its masks do not fit the video.
        UsageError: it is not clear which of the file's videos is meant.
        OutputError: the video cannot be written.
    """
    videos = None if truth is None else read_videos(Path(truth))
    annotations = _annotations(str(results), videos)
    names = {category.id: category.name for category in annotations.categories.values()}
    drawings = []
    for job in _jobs(Path(video), annotations, Path(output), entry, str(results)):
        tracks = [track for track in job.tracks if track.score >= threshold]
        with open_video(job.source, frame_rate=frame_rate) as reader:
            _check_sizes(tracks, reader.info, str(results))
            sound = str(job.source) if audio and reader.info.audio_streams else None
            frames = tqdm(reader, job.name, reader.info.frames, disable=None if progress else True)
            with VideoWriter(
                job.output, info=reader.info, audio_from=sound, quality=quality, overwrite=overwrite
            ) as writer:
                written = 0
                for frame in frames:
                    writer.write(draw(frame, tracks_at(frame, tracks), names=names, style=style))
                    written += 1
            _check_lengths(job, frame.index + 1)
        drawings.append(Drawing(writer.path, written, len(tracks)))
    return drawings


def _annotations(results: str, videos: AnnotationSet | None) -> AnnotationSet:
    value, reading = read_json(results), Reading(results)
    if is_pictures(value):
        return coco_tracks_of(value, reading)
    return tracks_of(value, videos, reading)


@dataclass(frozen=True, slots=True)
class _Job:
    """One video to draw, with its tracks."""

    name: str
    source: Path | list[Path]
    length: int | None
    """Number of frames that the file states for it."""
    tracks: Sequence[Track]
    output: Path


def _jobs(
    video: Path, annotations: AnnotationSet, output: Path, entry: str | None, results: str
) -> Iterator[_Job]:
    """What is to be drawn: one video, or each whose frames lie in the folder `video`."""
    if not annotations.videos:
        yield _nameless(video, annotations, output, entry, results)
        return
    entries = [one for one in annotations.videos.values() if entry in (None, one.name, str(one.id))]
    if len(entries) > 1:
        entries = [one for one in entries if one.name in (video.stem, video.name)] or entries
    if not entries or (len(entries) > 1 and not video.is_dir()):
        raise _unclear([one.name for one in annotations.videos.values()], entry, results)
    for one in entries:
        target = output / f"{one.name}.mp4" if len(entries) > 1 else output
        source = _frames_of(one, video) if video.is_dir() else video
        yield _Job(one.name, source, one.length, annotations.tracks.get(one.id, []), target)


def _nameless(
    video: Path, annotations: AnnotationSet, output: Path, entry: str | None, results: str
) -> _Job:
    """A results file without a truth: its videos are numbers."""
    ids = [i for i in annotations.tracks if entry in (None, str(i))]
    if len(ids) != 1 and (annotations.tracks or entry is not None):
        raise _unclear([str(i) for i in annotations.tracks], entry, results)
    tracks = annotations.tracks[ids[0]] if ids else []
    return _Job(video.name, video, None, tracks, output)


def _unclear(names: Sequence[str], entry: str | None, results: str) -> UsageError:
    what = f"no video {entry!r} in it" if entry is not None else f"{len(names)} videos in it"
    some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    remedy = f"Name the one that is meant by entry (--entry): {some}"
    return UsageError(what, where=results, remedy=remedy)


def _frames_of(entry: VideoEntry, folder: Path) -> list[Path]:
    """The files of a video's frames, in the folder of all videos or in its own."""
    names = entry.file_names
    # names of the file are relative to the folder of all videos, or to that of one
    whole = folder / names[0]
    paths = [folder / (name if whole.is_file() else Path(name).name) for name in names]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"a frame of {entry.name} is missing: {path}",
                where=str(folder),
                remedy="Give the folder of its frames, or the folder above it",
            )
    return paths


def _check_sizes(tracks: Sequence[Track], info: VideoInfo, results: str) -> None:
    """Refuse masks of another shape than the video's; another scale is fine.

    One mask a track is enough: reading the file has made sure that all are of one size.
    """
    for track in tracks:
        index, mask = next(iter(track.masks.items()), (0, None))
        # compared crosswise: masks at half size are fine, other proportions are another video's
        skew = 0 if mask is None else abs(mask.width * info.height - mask.height * info.width)
        if mask is not None and skew > 2 * max(info.width, info.height):
            video = f"{info.width} x {info.height}"
            raise DataError(
                f"the mask is {mask.width} x {mask.height}, the video {video}",
                where=f"{results}: track {track.id}, frame {index}",
                remedy="Check that the file belongs to this video",
            )


def _check_lengths(job: _Job, frames: int) -> None:
    stated = job.length
    if stated is None:
        stated = 1 + max((max(track.masks) for track in job.tracks if track.masks), default=-1)
        if stated <= frames:
            return
    if stated != frames:
        text = f"{job.name}: the file tells of {stated} frames, the video has {frames}"
        warnings.warn(text, VisWarning, stacklevel=3)
