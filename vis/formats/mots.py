"""MOTS folders: `instances/VIDEO/000000.png`, 16 bits of class * 1000 + number, and text files.

`labels.txt` in the folder names class 1, 2, ... by line; without it, the classes are KITTI's: car,
pedestrian, and 10 for regions that nobody judged. From ten names on, class 10 is the tenth.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.box_only import USE_COCO, check_masks
from vis.formats.davis import entry
from vis.formats.index_pictures import SIXTEEN_BITS, layers, wide_png
from vis.formats.json_file import read_regular
from vis.formats.layered import LayeredVideo, Layout, paint_frames, read_layered
from vis.formats.mots_text import PER_CLASS, frame_numbers, read_text, text_lines
from vis.formats.numbering import assign_numbers, extra_number
from vis.formats.paths import pictures, subfolders, unique_frame_paths
from vis.formats.reading import Reading
from vis.formats.ytvis_records import AnnotationSet, Category, Extra, VideoEntry
from vis.records import Track
from vis.storage.whole_file import whole_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IGNORE = Category(10, "ignore")
"""KITTI-MOTS: object 10000 marks regions that count neither for nor against a tracker."""
MOST_CLASSES = 64
"""16 bits hold 65535, and class 65 could pass it."""
_KITTI = {1: Category(1, "car"), 2: Category(2, "pedestrian")}
_LABELS = "labels.txt"
_LABEL_FOLDERS = ("instances", "instances_txt")
_PICTURES = ("images", "image_02")


def read_mots(
    root: str | Path, faults: list[DataError] | None = None, *, frames: Path | None = None
) -> AnnotationSet:
    """The truth in a MOTS folder, in a folder of text files, or in one text file.

    Where both are there, the PNG pictures are read. Videos and tracks are counted from 1 in the
    order of their names and identities.

    Args:
        root: the folder or text file.
        faults: takes every fault; None: the first one is raised.
        frames: the folder of the videos' pictures, all of which are frames; None: `images` or
            `image_02`.

    Raises:
        InputError: there is no such file or folder.
        DataError: a picture or line is faulty and `faults` does not take it.
    """
    root = Path(root)
    reading = Reading(str(root), faults)
    folder = _label_folder(root)
    categories = _labels(folder) or dict(_KITTI)
    videos: dict[int, VideoEntry] = {}
    tracks: dict[int, list[Track]] = {}
    extra: dict[int, Extra] = {}
    ids = count(1)
    for video_id, video in enumerate(_videos(frames or mots_pictures(root), folder, reading), 1):
        videos[video_id] = entry(video_id, video)
        tracks[video_id] = []
        for track, keys in _tracks(video, categories, ids=ids, reading=reading):
            tracks[video_id].append(track)
            extra |= {track.id: keys} if keys else {}
    if any(track.crowd for video_tracks in tracks.values() for track in video_tracks):
        categories[IGNORE.id] = IGNORE
    return AnnotationSet(categories=categories, videos=videos, tracks=tracks, track_extra=extra)


def write_mots(root: str | Path, annotation_set: AnnotationSet) -> None:
    """Write the new folder `root`: PNG pictures in `instances`, lines in `instances_txt`.

    Classes are numbered from 1 by their ids. Where objects overlap, the one of the higher score is
    on top, at equal scores the earlier one. Crowds are left out where there are ten classes.

    Raises:
        OutputExistsError: `root` is there and not empty.
        OutputError: it cannot be written.
        DataError: there are too many classes or objects, or one of a box alone; nothing was
            written.
    """
    check_masks(annotation_set, "MOTS", USE_COCO)
    ordered = [annotation_set.categories[key] for key in sorted(annotation_set.categories)]
    ordered = [category for category in ordered if category != IGNORE]
    if len(ordered) > MOST_CLASSES:
        raise DataError(
            f"there are {len(ordered)} categories, at most {MOST_CLASSES} fit into 16 bits",
            remedy="Write YouTube-VIS, or leave out categories that nothing has.",
        )
    classes = {category.id: position for position, category in enumerate(ordered, 1)}
    labels = "".join(f"{' '.join(category.name.split())}\n" for category in ordered)
    paths = unique_frame_paths(annotation_set.videos.values())
    with whole_folder(root) as folder:
        for name in _LABEL_FOLDERS:
            (folder / name).mkdir()
            write_whole(folder / name / _LABELS, labels.encode())
        for video in annotation_set.videos.values():
            pairs = _identities(annotation_set, video.id, classes)
            _write_video(folder, video, pairs, paths[video.id])


def mots_pictures(root: Path) -> Path | None:
    """The folder of the videos' pictures, where it is there."""
    return next((root / name for name in _PICTURES if (root / name).is_dir()), None)


def _label_folder(root: Path) -> Path:
    inner = (root / name for name in _LABEL_FOLDERS)
    return next((folder for folder in inner if folder.is_dir()), root)


def _videos(frames: Path | None, folder: Path, reading: Reading) -> Iterator[LayeredVideo]:
    if folder.is_file():
        texts = [folder]
    elif any(True for _ in _png_names(folder)):
        layout = Layout(folder, frames, SIXTEEN_BITS, empty_if_missing=True)
        read = (read_layered(name, layout, reading) for name in _png_names(folder))
        yield from (video for video in read if video)
        return
    else:
        texts = [path for path in pictures(folder, {".txt"}).values() if path.name != _LABELS]
    if not texts:
        raise DataError(
            "there are neither folders of PNG pictures nor text files",
            where=str(folder),
            remedy="Give the folder that holds instances or instances_txt.",
        )
    for path in texts:
        video = read_text(path, frames, reading)
        if video:
            yield video


def _png_names(folder: Path) -> Iterator[str]:
    """Names of the folders that hold PNG pictures; "" is the folder itself."""
    if pictures(folder, {".png"}):
        yield ""
    yield from (path.name for path in subfolders(folder) if pictures(path, {".png"}))


def _labels(folder: Path) -> dict[int, Category]:
    path = folder / _LABELS
    if not path.is_file():
        return {}
    try:
        text = read_regular(path, 2**20, "a text file").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            "this is not UTF-8", where=str(path), remedy="Save it again as UTF-8."
        ) from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return {position: Category(position, name) for position, name in enumerate(names, 1)}


def _tracks(
    video: LayeredVideo, categories: Mapping[int, Category], *, ids: count[int], reading: Reading
) -> Iterator[tuple[Track, Extra]]:
    positions: Counter[int] = Counter()
    for identity, masks in video.objects.items():
        label, number = divmod(identity, PER_CLASS)
        crowd = label == IGNORE.id and label not in categories
        if not crowd and label not in categories:
            what = f"object {identity} is of class {label}, which has no name"
            remedy = f"Correct it, or name the classes in {_LABELS}, one a line."
            reading.collect(DataError(what, remedy=remedy), video.name)
            continue
        positions[label] += 1
        yield Track(next(ids), label, 1.0, masks, crowd), extra_number(number, positions[label])


def _identities(
    annotation_set: AnnotationSet, video_id: int, classes: Mapping[int, int]
) -> list[tuple[int, Track]]:
    video_tracks = annotation_set.tracks.get(video_id, [])
    pairs: dict[int, tuple[int, Track]] = {}
    # objects are numbered within their class, so that each class has its 999 numbers
    for label in {*classes.values(), IGNORE.id}:
        of_class = [track for track in video_tracks if _class(track, classes) == label]
        for number, track in assign_numbers(of_class, annotation_set.track_extra, PER_CLASS - 1):
            pairs[track.id] = (label * PER_CLASS + number, track)
    return [pairs[track.id] for track in video_tracks if track.id in pairs]


def _class(track: Track, classes: Mapping[int, int]) -> int | None:
    """The class of a track; None of a crowd where class 10 has another meaning."""
    if not track.crowd:
        return classes[track.label]
    return None if IGNORE.id in classes.values() else IGNORE.id


def _write_video(
    folder: Path,
    video: VideoEntry,
    pairs: list[tuple[int, Track]],
    path: tuple[str, list[str]],
) -> None:
    name, stems = path
    (folder / "instances" / name).mkdir()
    lines: list[str] = []
    for number, stem, pixels in zip(
        frame_numbers(stems), stems, paint_frames(video, pairs), strict=True
    ):
        write_whole(folder / "instances" / name / f"{stem}.png", wide_png(pixels))
        lines.extend(text_lines(number, layers(pixels)))
    write_whole(folder / "instances_txt" / f"{name}.txt", "".join(lines).encode("ascii"))
