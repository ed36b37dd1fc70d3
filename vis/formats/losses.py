"""What one data set says and another, made from it, does not: found by comparing, never assumed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from vis.formats.census import seen_masks
from vis.formats.places import frame_places

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from vis.formats.ytvis_records import AnnotationSet, Extra, VideoEntry
    from vis.records import Track

    Pairs = list[tuple[VideoEntry, VideoEntry]]

Thing = TypeVar("Thing", bound="Hashable")

_SHOWN = 6
"""Names that a line lists."""


def losses(before: AnnotationSet, after: AnnotationSet) -> list[str]:
    """One line for each kind of thing that `before` says and `after` does not, or otherwise."""
    pairs = _pairs(before, after)
    return [
        *_of_categories(before, after),
        *_of_videos(before, pairs),
        *_of_objects(before, after, pairs),
        *_of_keys(before, after, pairs),
    ]


def _pairs(before: AnnotationSet, after: AnnotationSet) -> Pairs:
    """Each video and what became of it: by its folder, which may be its id, else by its id."""
    named: dict[str, VideoEntry] = {}
    for video in after.videos.values():
        named.setdefault(frame_places(video)[0], video)
    found = []
    for video in before.videos.values():
        same = after.videos.get(video.id)
        if same is None or same.file_names != video.file_names:
            same = named.get(frame_places(video)[0])
        if same is not None:
            found.append((video, same))
    return found


def _of_categories(before: AnnotationSet, after: AnnotationSet) -> Iterator[str]:
    ids = {category.name: category.id for category in after.categories.values()}
    old = before.categories.values()
    yield from _line("the names of {} categories", [c.name for c in old if c.name not in ids])
    moved = [c.name for c in old if ids.get(c.name, c.id) != c.id]
    yield from _line("the ids of {} categories", moved)


def _of_videos(before: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    written = {video.id for video, _ in pairs}
    gone = [video.name for video in before.videos.values() if video.id not in written]
    yield from _line("{} videos", gone)
    views: tuple[tuple[str, Callable[[VideoEntry], object]], ...] = (
        ("the ids of {} videos", lambda video: video.id),
        ("the names of {} videos", lambda video: video.name),
        ("the file names of {} videos", lambda video: video.file_names),
        ("the sizes of {} videos", lambda video: (video.width, video.height)),
        ("the lengths of {} videos", lambda video: video.length),
    )
    for words, view in views:
        yield from _line(words, [a.name for a, b in pairs if view(a) != view(b)])


def _of_objects(before: AnnotationSet, after: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    views: tuple[tuple[str, Callable[[AnnotationSet, Track], Hashable]], ...] = (
        ("the ids of {} objects", lambda _, track: track.id),
        ("the categories of {} objects", lambda found, track: found.categories[track.label].name),
        ("that {} objects are crowds", lambda _, track: track.crowd or None),
        (
            "the masks of {} objects, where others lie over them,",
            lambda _, track: frozenset(seen_masks(track).items()),
        ),
        (
            "masks without a pixel, of {} objects",
            lambda _, track: len(track.masks) - len(seen_masks(track)) or None,
        ),
    )
    for words, view in views:
        names = []
        for video, other in pairs:
            was = [view(before, track) for track in before.tracks.get(video.id, [])]
            now = [view(after, track) for track in after.tracks.get(other.id, [])]
            names += [video.name] * len(_fewer(was, now))
        yield from _line(words, names, "in")


def _of_keys(before: AnnotationSet, after: AnnotationSet, pairs: Pairs) -> Iterator[str]:
    """Keys that we do not know, and stated boxes and areas that differ from the masks."""
    yield from _keys("of the file", [before.extra], [after.extra])
    was = [category.extra for category in before.categories.values()]
    now = [category.extra for category in after.categories.values()]
    yield from _keys("of categories", was, now)
    yield from _keys("of videos", [a.extra for a, _ in pairs], [b.extra for _, b in pairs])
    yield from _keys("of objects", _said(before), _said(after))


def _said(found: AnnotationSet) -> list[Extra]:
    return [found.track_extra[key] for key in sorted(found.track_extra)]


def _keys(where: str, was: Iterable[Extra], now: Iterable[Extra]) -> Iterator[str]:
    lost = _fewer(_items(was), _items(now))
    yield from _line(f"{{}} entries {where}", [key for key, _ in lost], "with the keys")


def _items(extra: Iterable[Extra]) -> list[tuple[str, str]]:
    return [(key, repr(value)) for keys in extra for key, value in keys.items()]


def _fewer(was: Iterable[Thing], now: Iterable[Thing]) -> list[Thing]:
    """What there is fewer of, as often as it is missing; None counts for nothing."""
    counts = Counter(was)
    counts.subtract(Counter(now))
    return [one for one, count in counts.items() if one is not None for _ in range(count)]


def _line(words: str, names: list[str], joint: str = "") -> Iterator[str]:
    if names:
        known = list(dict.fromkeys(names))
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        listed = ", ".join(known[:_SHOWN]) + more
        yield f"{words.format(len(names))}{f' {joint}' if joint else ':'} {listed}"
