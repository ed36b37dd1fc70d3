"""DAVIS folders: `Annotations/VIDEO/00000.png` beside `JPEGImages/VIDEO/00000.jpg`.

A pixel's number is that of its object, 0 is background, 255 is a region that nobody judged. In
pictures of one bit, as DAVIS 2016 has them, 1 is the one object. There are no categories: every
object is an "object".
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.box_only import USE_COCO, check_masks
from vis.formats.index_pictures import EIGHT_BITS, ONE_BIT, is_one_bit, palette_png
from vis.formats.layered import LayeredVideo, Layout, paint_frames, read_layered
from vis.formats.numbering import assign_numbers, extra_number
from vis.formats.paths import pictures, subfolders, unique_frame_paths
from vis.formats.reading import Reading
from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
from vis.records import Track
from vis.storage.whole_file import whole_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

UNJUDGED = 255
"""The void label of DAVIS 2017: edges and regions that its measures leave out."""
_OBJECT = Category(1, "object")


def read_davis(
    root: str | Path, faults: list[DataError] | None = None, *, frames: Path | None = None
) -> AnnotationSet:
    """The truth of the videos in a DAVIS folder, or in one of folders of PNG pictures alone.

    Videos and tracks are counted from 1 in the order of their names and numbers. A number that is
    not the object's position is kept in `track_extra`. A frame without PNG is not annotated,
    as in test sets of DAVIS, which show the first frame alone, and in YouTube-VOS.

    Args:
        root: the folder.
        faults: takes every fault; None: the first one is raised.
        frames: the folder of the videos' pictures; None: `JPEGImages`.

    Raises:
        InputError: there is no such folder.
        DataError: a picture is faulty, or there is none to a PNG, and `faults` does not take it.
    """
    reading = Reading(str(root), faults)
    layout = davis_layout(root)
    layout = replace(layout, frames=frames or layout.frames)
    layered_videos = [
        read_layered(folder.name, layout, reading) for folder in subfolders(layout.label_folder)
    ]
    videos: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    extra: dict[int, Extra] = {}
    ids = count(1)
    for video_id, video in enumerate((video for video in layered_videos if video), 1):
        videos[video_id] = entry(video_id, video)
        tracks[video_id] = []
        for track, keys in _tracks(video, ids):
            tracks[video_id].append(track)
            extra |= {track.id: keys} if keys else {}
        if video.objects and all(track.crowd for track in tracks[video_id]):
            reading.collect(_binary(), video.name)
    return AnnotationSet(
        categories={_OBJECT.id: _OBJECT}, videos=videos, tracks=tracks, track_extra=extra
    )


def write_davis(root: str | Path, annotation_set: AnnotationSet) -> None:
    """Write the folder `root/Annotations`; `root` is made where it is not there.

    Where objects overlap, the one of the higher score is on top, at equal scores the earlier one.

    Raises:
        OutputExistsError: `root/Annotations` is there and not empty.
        OutputError: it cannot be written.
        DataError: a video has more than 254 objects, or one of a box alone; nothing was written.
    """
    root = Path(root)
    check_masks(annotation_set, "DAVIS", USE_COCO)
    paths = unique_frame_paths(annotation_set.videos.values())
    with whole_folder(root / "Annotations") as folder:
        for video in annotation_set.videos.values():
            video_tracks = annotation_set.tracks.get(video.id, [])
            objects = [track for track in video_tracks if not track.crowd]
            pairs = assign_numbers(objects, annotation_set.track_extra, UNJUDGED - 1)
            crowds = [(UNJUDGED, track) for track in video_tracks if track.crowd]
            name, stems = paths[video.id]
            (folder / name).mkdir()
            frames = zip(stems, paint_frames(video, [*pairs, *crowds]), strict=True)
            for place, (stem, numbers) in enumerate(frames):
                # an empty picture would say that nothing is there
                if place in video.truth_frames:
                    write_whole(folder / name / f"{stem}.png", palette_png(numbers))


def davis_layout(root: str | Path) -> Layout:
    """Where the folders of a DAVIS data set lie; of several resolutions, `480p` is taken.

    Raises:
        InputError: there is no such folder.
        DataError: it holds no folder of PNG pictures.
    """
    root = Path(root)
    label_folder, frames = root, None
    if (root / "Annotations").is_dir():
        label_folder, frames = root / "Annotations", root / "JPEGImages"
    inner = subfolders(label_folder)
    if not any(pictures(folder, {".png"}) for folder in inner):
        sizes = [folder.name for folder in inner if subfolders(folder)]
        # the resolution of the published numbers
        size = "480p" if "480p" in sizes else sizes[0] if len(sizes) == 1 else None
        if size is None:
            is_davis = label_folder != root
            raise DataError(
                "there are no folders of PNG pictures"
                if is_davis
                else "nothing in this folder says what data set it is",
                where=str(label_folder),
                remedy="Give the folder that holds Annotations and JPEGImages."
                if is_davis
                else "Give the annotation file, or the folder of one of the layouts that vis data "
                "check --help names.",
            )
        label_folder, frames = label_folder / size, frames / size if frames else None
    frames_folder = frames if frames and frames.is_dir() else None
    # all or none: one picture of one bit among others is a slip, its objects are lost
    modes = ONE_BIT if is_one_bit(_first_picture(label_folder)) else EIGHT_BITS
    return Layout(
        label_folder=label_folder, frames=frames_folder, modes=modes, empty_if_missing=False
    )


def entry(video_id: int, video: LayeredVideo) -> VideoEntry:
    """A video that was read from PNG pictures, as data sets list it."""
    return VideoEntry(
        id=video_id,
        name=video.name,
        width=video.width,
        height=video.height,
        length=len(video.file_names),
        file_names=video.file_names,
        annotated_frames=video.annotated_frames,
    )


def _first_picture(label_folder: Path) -> Path:
    by_folder = (pictures(folder, {".png"}).values() for folder in subfolders(label_folder))
    return next(chain.from_iterable(by_folder), label_folder)


def _tracks(video: LayeredVideo, ids: Iterator[int]) -> Iterator[tuple[Track, Extra]]:
    for position, (number, masks) in enumerate(video.objects.items(), 1):
        crowd = number == UNJUDGED
        track = Track(next(ids), _OBJECT.id, 1.0, masks, crowd)
        yield track, {} if crowd else extra_number(number, position)


def _binary() -> DataError:
    return DataError(
        f"all marked pixels are {UNJUDGED}, which means not judged",
        remedy="These may be masks of one object (DAVIS 2016): write 1 for its pixels.",
    )
