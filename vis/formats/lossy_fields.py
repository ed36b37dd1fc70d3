"""What one data set says and another, made from it, does not: found by comparing, never assumed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from vis.formats.paths import frame_paths, unique_frame_paths
from vis.formats.statistics import visible_masks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry
    from vis.records import Track

    Pairs = list[tuple[VideoEntry, VideoEntry]]

Item = TypeVar("Item", bound="Hashable")

_MOST_NAMES = 6
"""Names that a line lists."""


def lossy_fields(before: AnnotationSet, after: AnnotationSet) -> list[str]:
    """One line for each kind of thing that `before` says and `after` does not, or otherwise."""
    pairs = _pairs(before, after)
    return [
        *_of_categories(before, after),
        *_of_videos(before, pairs),
        *_of_objects(before, after, pairs),
        *_of_keys(before, after, pairs),
    ]


def _pairs(before: AnnotationSet, after: AnnotationSet) -> Pairs:
    """Each video and what became of it: by its id and files, its files, or the folder written."""
    by_files = {video.file_names: video for video in after.videos.values()}
    by_folder: dict[str, VideoEntry] = {}
    for video in after.videos.values():
        by_folder.setdefault(frame_paths(video)[0], video)
    folders = unique_frame_paths(before.videos.values())
    pairs = []
    for video in before.videos.values():
        counterpart = after.videos.get(video.id)
        if counterpart is None or counterpart.file_names != video.file_names:
            folder, _ = folders[video.id]
            counterpart = by_files.get(video.file_names, by_folder.get(folder))
        if counterpart is not None:
            pairs.append((video, counterpart))
    return pairs


def _of_categories(before: AnnotationSet, after: AnnotationSet) -> Iterator[str]:
    ids = {category.name: category.id for category in after.categories.values()}
    categories = before.categories.values()
    yield from _summary_line(
        "the names of {} categories", [c.name for c in categories if c.name not in ids]
    )
    moved = [c.name for c in categories if ids.get(c.name, c.id) != c.id]
    yield from _summary_line("the ids of {} categories", moved)


def _of_videos(before: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    kept_ids = {video.id for video, _ in pairs}
    missing = [video.name for video in before.videos.values() if video.id not in kept_ids]
    yield from _summary_line("{} videos", missing)
    aspects: tuple[tuple[str, Callable[[VideoEntry], object]], ...] = (
        ("the ids of {} videos", lambda video: video.id),
        ("the names of {} videos", lambda video: video.name),
        ("the file names of {} videos", lambda video: video.file_names),
        ("the sizes of {} videos", lambda video: (video.width, video.height)),
        ("the lengths of {} videos", lambda video: video.length),
        ("which frames of {} videos are annotated", lambda video: video.annotated_frames),
    )
    for template, aspect in aspects:
        yield from _summary_line(template, [a.name for a, b in pairs if aspect(a) != aspect(b)])


def _of_objects(before: AnnotationSet, after: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    fewer = [
        video.name
        for video, other in pairs
        for _ in range(_in_no_frame(before, video) - _in_no_frame(after, other))
    ]
    yield from _summary_line("{} objects that no frame shows", fewer, "in")
    aspects: tuple[tuple[str, Callable[[AnnotationSet, Track], Hashable]], ...] = (
        ("the ids of {} objects", lambda _, track: track.id),
        (
            "the categories of {} objects",
            lambda annotations, track: annotations.categories[track.label].name,
        ),
        (
            "the identities of {} objects, which several frames show,",
            lambda _, track: len(visible_masks(track)) > 1 or None,
        ),
        ("that {} objects are crowds", lambda _, track: track.crowd or None),
        (
            "some masks of {} objects, as where others lie over them,",
            lambda _, track: frozenset(visible_masks(track).items()),
        ),
        (
            "masks without a pixel, of {} objects",
            lambda _, track: len(track.masks) - len(visible_masks(track)) or None,
        ),
    )
    for template, aspect in aspects:
        names = []
        for video, other in pairs:
            earlier = [aspect(before, track) for track in _in_frames(before, video)]
            later = [aspect(after, track) for track in _in_frames(after, other)]
            names += [video.name] * len(_fewer(earlier, later))
        yield from _summary_line(template, names, "in")


def _in_frames(annotation_set: AnnotationSet, video: VideoEntry) -> list[Track]:
    return [track for track in annotation_set.tracks.get(video.id, []) if track.masks]


def _in_no_frame(annotation_set: AnnotationSet, video: VideoEntry) -> int:
    return sum(not track.masks for track in annotation_set.tracks.get(video.id, []))


def _of_keys(before: AnnotationSet, after: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    """Keys that we do not know, and stated boxes and areas that differ from the masks."""
    yield from _keys("of the file", [before.extra], [after.extra])
    earlier = [category.extra for category in before.categories.values()]
    later = [category.extra for category in after.categories.values()]
    yield from _keys("of categories", earlier, later)
    yield from _keys("of videos", [a.extra for a, _ in pairs], [b.extra for _, b in pairs])
    yield from _keys("of objects", _track_extras(before), _track_extras(after))


def _track_extras(annotation_set: AnnotationSet) -> list[Extra]:
    return [annotation_set.track_extra[key] for key in sorted(annotation_set.track_extra)]


def _keys(where: str, earlier: Iterable[Extra], later: Iterable[Extra]) -> Iterator[str]:
    missing = _fewer(_items(earlier), _items(later))
    yield from _summary_line(f"{{}} entries {where}", [key for key, _ in missing], "with the keys")


def _items(extra: Iterable[Extra]) -> list[tuple[str, str]]:
    return [(key, repr(value)) for keys in extra for key, value in keys.items()]


def _fewer(earlier: Iterable[Item], later: Iterable[Item]) -> list[Item]:
    """What there is fewer of, as often as it is missing; None counts for nothing."""
    counts = Counter(earlier)
    counts.subtract(Counter(later))
    return [item for item, count in counts.items() if item is not None for _ in range(count)]


def _summary_line(template: str, names: list[str], join: str = "") -> Iterator[str]:
    if names:
        unique = list(dict.fromkeys(names))
        more = f" and {len(unique) - _MOST_NAMES} more" if len(unique) > _MOST_NAMES else ""
        names_listed = ", ".join(unique[:_MOST_NAMES]) + more
        yield f"{template.format(len(names))}{f' {join}' if join else ':'} {names_listed}"
