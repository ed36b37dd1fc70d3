"""Everything that is wrong with a data set: its records, its pictures, and what both say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PIL import Image

from vis.errors import DataError, InputError, VisError
from vis.formats.box_only import box_only_tracks
from vis.formats.faults import crowds_alone, pictures_missing
from vis.formats.opening import DataSet, open_set
from vis.formats.paths import inside, video_file_of
from vis.formats.published import differences
from vis.formats.stated_boxes import box_warnings, corner_faults
from vis.formats.statistics import supercategories_alone, visible_masks
from vis.ops.pictures import FAULTS, FORMATS, upright_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vis.formats.prefixes import AnyFrames
    from vis.formats.ytvis_records import AnnotationSet, VideoEntry

    VideoFileReader = Callable[[Path], tuple[int, int, int]]
    """(width, height, number of frames) of a video file; raises a VisError."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found."""

    dataset: DataSet | None
    """The sound part; None where nothing could be read."""
    faults: list[DataError] = field(default_factory=list)
    """What must be corrected before the data set can be used whole."""
    warnings: list[str] = field(default_factory=list)
    """What is legal, and yet may be a slip."""


def check(
    path: str | Path,
    frames: AnyFrames = None,
    *,
    read_video_file: VideoFileReader,
    decode: bool = False,
) -> Check:
    """Read everything and find what is wrong.

    Args:
        path: a data set, as for `open_set`.
        frames: the folder of its pictures, where it is not found by itself.
        read_video_file: tells the size and length of a video file that stands in for pictures.
        decode: decode every picture whole, not its header alone.

    Raises:
        InputError: there is no such file or folder.
    """
    faults: list[DataError] = []
    try:
        dataset = open_set(path, frames, faults, needs_truth=False)
    except DataError as error:
        return Check(None, [*faults, error])
    if dataset.kind == "semantic":
        dataset = _sound(dataset, faults)
    # what is missing because a record is faulty is no fault, and no note, of its own
    complete = not faults
    faults += _same_names(dataset)
    corners = list(corner_faults(dataset.annotations, str(dataset.path)))
    faults += corners
    if not faults and dataset.has_truth:
        faults += _nothing_to_learn(dataset)
    if dataset.frames is None and (complete or dataset.annotations.videos):
        remedy = "Give the folder that the file names are relative to with --frames."
        faults.append(pictures_missing(dataset, remedy))
    elif dataset.frames is not None:
        for video in dataset.annotations.videos.values():
            faults += _video(dataset.frames, video, read_video_file=read_video_file, decode=decode)
    warnings = [*dataset.notes, *_warnings(dataset, complete)]
    if not corners:
        warnings += box_warnings(dataset.annotations)
    return Check(dataset, faults, warnings)


def _sound(dataset: DataSet, faults: list[DataError]) -> DataSet:
    """Without the pictures whose labels, which are read here, are faulty."""
    tracks = {}
    for id_ in dataset.annotations.videos:
        try:
            tracks[id_] = dataset.annotations.tracks[id_]
        except DataError as error:
            faults.append(error)
        except InputError as error:
            faults.append(DataError(error.what, where=error.where, remedy=error.remedy))
    videos = {id_: dataset.annotations.videos[id_] for id_ in tracks}
    return replace(dataset, annotations=replace(dataset.annotations, videos=videos, tracks=tracks))


def _same_names(dataset: DataSet) -> Iterator[DataError]:
    names: dict[str, int] = {}
    for category in dataset.annotations.categories.values():
        earlier = names.setdefault(category.name, category.id)
        if earlier != category.id:
            yield DataError(
                f"its name {category.name!r} is that of category {earlier} too",
                where=f"{dataset.path}: category {category.id}",
                remedy="Rename one, or make them one.",
            )


def _nothing_to_learn(dataset: DataSet) -> Iterator[DataError]:
    crowds = [track.crowd for tracks in dataset.annotations.tracks.values() for track in tracks]
    if crowds and all(crowds):
        yield crowds_alone(len(crowds), str(dataset.path))
    visible = any(any(map(visible_masks, tracks)) for tracks in dataset.annotations.tracks.values())
    if not visible:
        yield DataError(
            "no frame shows any of its objects" if crowds else "there is no object in it",
            where=str(dataset.path),
            remedy="Annotate some, or give the file of another split; what a model detects in "
            "this one, vis predict writes.",
        )


def _video(
    frames: Path, video: VideoEntry, *, read_video_file: VideoFileReader, decode: bool
) -> Iterator[DataError]:
    where = f"{frames}: video {video.id} ({video.name})"
    try:
        video_file = video_file_of(frames, video)
        if video_file is not None:
            _check_video_file(video, read_video_file(video_file))
            return
    except VisError as error:
        yield DataError(error.what, where=where, remedy=error.remedy)
        return
    missing = []
    for index, name in enumerate(video.file_names):
        try:
            path = inside(frames, name)
            if path.is_file():
                _check_picture(path, video, decode)
            else:
                missing.append(name)
        except DataError as error:
            frame_where = f"{where}: frame {index}: {name}"
            yield DataError(error.what, where=frame_where, remedy=error.remedy)
    if missing:
        yield DataError(
            f"{len(missing)} of {video.length} pictures are missing, the first is {missing[0]}",
            where=where,
            remedy="Fetch them again, or take the records out.",
        )


def _check_video_file(video: VideoEntry, actual: tuple[int, int, int]) -> None:
    width, height, length = actual
    if (width, height, length) != (video.width, video.height, video.length):
        raise DataError(
            f"the video file has {length} frames of {width} x {height}, its record says "
            f"{video.length} of {video.width} x {video.height}",
            remedy="Correct the record, or fetch the file again.",
        )


def _check_picture(path: Path, video: VideoEntry, decode: bool) -> None:
    recorded = (video.width, video.height)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            size = recorded if recorded == upright_size(picture) else picture.size
            # a header costs little; damage behind it shows in decoding alone
            if size == recorded and decode:
                picture.load()
    except FAULTS as error:
        raise DataError(
            f"the picture cannot be read ({type(error).__name__}: {error})",
            remedy="Fetch it again.",
        ) from None
    if size != recorded:
        turned = ", the two sides are swapped" if size == (video.height, video.width) else ""
        raise DataError(
            f"the picture is {size[0]} x {size[1]}, its record says "
            f"{video.width} x {video.height}{turned}",
            remedy="Correct width and height in the record, or fetch the picture again.",
        )


def _warnings(dataset: DataSet, complete: bool) -> Iterator[str]:
    annotation_set = dataset.annotations
    if not dataset.has_truth:
        yield "the truth of the videos is not in this file: vis predict and vis submit take it"
    in_part = [v for v in annotation_set.videos.values() if v.annotated_frames is not None]
    if in_part:
        counts = [sum(len(v.truth_frames) for v in in_part), sum(v.length for v in in_part)]
        yield (
            f"{len(in_part)} videos are annotated in part, {counts[0]} of {counts[1]} frames, the "
            f"first is {in_part[0].name}: what the other frames show is unknown"
        )
    boxes = box_only_tracks(annotation_set)
    if boxes:
        yield (
            f"{len(boxes)} objects have a box alone, the first is annotation {boxes[0].id}: models "
            "of boxes (detr, deformable_detr) learn from them, models of masks do not"
        )
    yield from _unseen(annotation_set)
    used = {track.label for tracks in annotation_set.tracks.values() for track in tracks}
    above = supercategories_alone(annotation_set)
    unused = [
        category.name
        for key, category in annotation_set.categories.items()
        if key not in used and category not in above
    ]
    if complete:
        yield from (
            f"category {category.id} ({category.name}) is the supercategory of others and has no "
            "object: training leaves it out"
            for category in above
        )
    yield from differences(annotation_set.categories)
    names = Counter(v.file_names[0] for v in annotation_set.videos.values() if v.length == 1)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        yield f"{len(twice)} pictures have several records, the first is {twice[0]}"
    if unused and complete and dataset.has_truth:
        yield f"{len(unused)} categories have no object: {', '.join(unused[:8])[:120]}"


def _unseen(annotation_set: AnnotationSet) -> Iterator[str]:
    for video_id, tracks in annotation_set.tracks.items():
        for track in tracks:
            visible = visible_masks(track)
            if not visible:
                yield f"annotation {track.id} of video {video_id} is seen in no frame"
            elif len(visible) < len(track.masks):
                empty = sorted(set(track.masks) - set(visible))
                yield (
                    f"annotation {track.id} of video {video_id} has masks without a pixel "
                    f"in {len(empty)} frames, the first is {empty[0]}"
                )
