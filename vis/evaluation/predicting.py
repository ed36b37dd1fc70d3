"""A model over the videos of a data set, on the same road as `vis.track`."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from vis.datasets.classes import classes_of
from vis.errors import DataError, InputError, UsageError, VisError
from vis.evaluation.distributed import DistributedContext
from vis.evaluation.stored_masks import on_their_side
from vis.formats.paths import inside, video_file_of
from vis.formats.ytvis_records import AnnotationSet, Category
from vis.inference.model_classes import names_of
from vis.inference.options import TrackOptions
from vis.inference.tracking import track
from vis.tracking import Config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import VideoEntry
    from vis.models import Model
    from vis.outputs.result import Result
    from vis.records import Track

OPTIONS = TrackOptions(
    threshold=0.001,
    tracker=Config(threshold=0.05, low_threshold=0.02, min_presence=0.02, min_length=1),
    cuts=False,
)
"""Scores far lower than for watching: AP also counts what ranks last. Videos of data sets are
single shots, perhaps of sparse frames, so that every cut would be a wrong one."""
MAX_DETECTIONS = 100
"""Results of a video that count, as in COCO's and YouTube-VIS' evaluation."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a model and a data set have in common."""

    truth: AnnotationSet
    """Of the classes that the model knows; ids are those of the data set."""
    ids: Mapping[int, int]
    """Class index of the model -> category id."""
    unknown: tuple[str, ...]
    """Categories of the data set that the model does not know; their objects are left out."""


def shared_classes(
    annotations: AnnotationSet,
    model: Model[Any],
    *,
    key: str = "name",
    renamed: Mapping[str, str] | None = None,
    where: str = "",
) -> Shared:
    """Match the categories of a data set with the classes of a model, by name.

    Categories that are one class of the model become one: the first of them.

    Args:
        annotations: of the data set.
        model: its `class_names`.
        key: which entry of a category names its class: `name`, or another that the file has.
        renamed: what the data set calls it -> what the model calls it.
        where: the data set, in messages.

    Raises:
        UsageError: `renamed` knows more than the data set.
        DataError: they have no class in common.
    """
    names = list(names_of(model).values())
    table = annotations.categories
    try:
        indices = classes_of(table, names, key=key, renamed=renamed).indices
    except DataError as error:
        raise (error.at(where) if where else error) from None
    ids: dict[int, int] = {}
    for category_id in sorted(indices):
        ids.setdefault(indices[category_id], category_id)
    merged = {category_id: ids[index] for category_id, index in indices.items()}
    truth = replace(
        annotations,
        categories={id_: Category(id_, names[index]) for index, id_ in ids.items()},
        tracks={
            video_id: [replace(t, label=merged[t.label]) for t in tracks if t.label in merged]
            for video_id, tracks in annotations.tracks.items()
        },
    )
    unknown = tuple(table[id_].name for id_ in sorted(table) if id_ not in merged)
    return Shared(truth, ids, unknown)


def select_videos(annotations: AnnotationSet, videos: Sequence[str] | int | None) -> AnnotationSet:
    """The named videos, or as many as are asked for, spread evenly over the data set.

    Raises:
        UsageError: there is no video of a name, or none would be left.
    """
    table = annotations.videos
    if videos is None:
        return annotations
    if isinstance(videos, int):
        count = min(videos, len(table))
        video_ids = (
            [list(table)[n * len(table) // count] for n in range(count)] if count > 0 else []
        )
    else:
        video_ids = [id_ for id_, video in table.items() if {video.name, str(id_)} & set(videos)]
        named_videos = {name for id_ in video_ids for name in (table[id_].name, str(id_))}
        if missing := [name for name in videos if name not in named_videos]:
            raise UsageError(f"there is no video {missing[0]!r}", remedy="Give names or ids.")
    if not video_ids:
        raise UsageError("no video is left", remedy="Choose one at least.")
    return annotations.of(video_ids)


def predict(
    model: Model[Any],
    data: DataSet,
    shared: Shared,
    *,
    distributed: DistributedContext | None = None,
    options: TrackOptions = OPTIONS,
    device: str = "auto",
    batch: int = 1,
    progress: bool = False,
) -> dict[int, list[Track]]:
    """What a model detects in the videos of `shared.truth`, by id of the video.

    Args:
        model: as for `vis.track`.
        data: where the frames are: folders of pictures, or video files of their names.
        shared: the videos, and the classes.
        distributed: the processes that share the videos; all get all results.
        progress: show a bar of videos where standard error is a terminal.
        options: how they are tracked.
        device: as for `vis.track`.
        batch: as for `vis.track`.

    Raises:
        InputError: the frames were not found.
        DataError: a video does not fit its record.
    """
    frames_of(data)
    distributed = distributed or DistributedContext()
    tracks: dict[int, list[Track]] = {}
    hidden = None if progress and distributed.is_first else True
    for video in tqdm(distributed.share(shared.truth.videos.values()), "videos", disable=hidden):
        tracks[video.id] = predict_video(
            model, data, video, shared, options=options, device=device, batch=batch
        )
    return _numbered(distributed.gather(tracks, shared.truth), shared.truth)


def predict_video(
    model: Model[Any],
    data: DataSet,
    video: VideoEntry,
    shared: Shared,
    *,
    options: TrackOptions = OPTIONS,
    device: str = "auto",
    batch: int = 1,
) -> list[Track]:
    """What a model detects in one video, with the category ids of the data set.

    Args:
        model: as for `vis.track`.
        data: where the frames are.
        video: one of `data`.
        shared: the classes.
        options: how it is tracked.
        device: as for `vis.track`.
        batch: as for `vis.track`.

    Raises:
        InputError: the frames were not found.
        DataError: the video does not fit its record.
    """
    try:
        # a picture is a clip of one frame
        alone = {"window": 1, "stride": 1} if video.length == 1 else {}
        one = options.updated(alone)
        source = _source(frames_of(data), video)
        with track(source, model, options=one, device=device, batch=batch) as tracking:
            result = tracking.collect()
        return _tracks(result, video, shared.ids, source if isinstance(source, list) else [])
    except VisError as error:
        raise error.at(f"{data.path}: video {video.id} ({video.name})") from error


def frames_of(data: DataSet) -> Path:
    """The folder of the frames.

    Raises:
        InputError: it was not found.
    """
    if data.frames is None:
        raise InputError(
            "its pictures were not found",
            where=str(data.path),
            remedy="Give the folder that the file names are relative to as frames (--frames).",
        )
    return data.frames


def _source(frames: Path, video: VideoEntry) -> Path | list[Path]:
    """A video file of the name of the record, or the pictures that it lists."""
    return video_file_of(frames, video) or [inside(frames, name) for name in video.file_names]


def _tracks(
    result: Result, video: VideoEntry, ids: Mapping[int, int], pictures: list[Path]
) -> list[Track]:
    """The best of a video's results, by the ids of the data set.

    A model sees pictures upright. Where the record speaks of those that are stored, which EXIF data
    turn, the masks are turned to it.
    """
    stated = (video.width, video.height, video.length)
    actual = (result.info.width, result.info.height, result.length)
    stored = None
    if actual == (video.height, video.width, video.length) != stated:
        stored = on_their_side(result.tracks, pictures)
    if actual != stated and stored is None:
        shapes = ["{} x {}, {} frames".format(*shape) for shape in (actual, stated)]
        raise DataError(
            f"the video is {shapes[0]}, its record says {shapes[1]}",
            remedy="Correct the record, or fetch the video again.",
        )
    of_classes = [
        replace(one, label=ids[one.label], score=float(result.identities[one.id].mean))
        for one in (stored or result.tracks)
        if one.label in ids
    ]
    best = heapq.nlargest(MAX_DETECTIONS, of_classes, key=lambda one: one.score)
    # by id, as a file of them would give them back
    return sorted(best, key=lambda one: one.id)


def _numbered(tracks: Mapping[int, list[Track]], truth: AnnotationSet) -> dict[int, list[Track]]:
    """In the order of the data set, with the ids that a file of them would give."""
    ids = count(1)
    return {
        video_id: [replace(one, id=next(ids)) for one in tracks[video_id]]
        for video_id in truth.videos
    }
