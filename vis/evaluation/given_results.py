"""Results in whatever form they are given, as tracks by id of the truth's videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.folders import annotation_file
from vis.formats.numbering import object_numbers
from vis.formats.opening import open_set
from vis.formats.paths import frame_paths
from vis.formats.reading import Reading
from vis.formats.ytvis import read_results
from vis.outputs.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import TypeIs

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

    Results = Mapping[int, Sequence[Track]]
    AnyResults = str | Path | Results | Result | Sequence[Result]


def is_path(source: object) -> TypeIs[str | Path]:
    """Whether something is named, not given."""
    return isinstance(source, str | Path)


def is_numbered(results: AnyResults) -> bool:
    """Whether results are a DAVIS or MOTS folder, or a MOTS text file: objects have numbers."""
    if not is_path(results):
        return False
    path = annotation_file(Path(results))
    return path.is_dir() or path.suffix.lower() == ".txt"


def read_given(
    results: AnyResults, truth: AnnotationSet, faults: list[DataError] | None
) -> Results:
    """The tracks of results, by the truth's ids of videos and categories.

    Raises:
        InputError: a file cannot be read.
        DataError: they are faulty, or not of the truth's videos, and `faults` does not take it.
    """
    if isinstance(results, Result):
        results = [results]
    if is_path(results):
        if is_numbered(results):
            return _of_folder(Path(results), truth, faults)
        return read_results(annotation_file(Path(results)), truth, faults)
    if isinstance(results, Mapping):
        return results
    return dict(_of_video(result, truth) for result in results)


def _of_folder(
    path: Path, truth: AnnotationSet, faults: list[DataError] | None
) -> dict[int, list[Track]]:
    """Videos, frames and classes are matched by name, and each object by its number in its video.

    An object of the truth's number has its id too. What is marked as not judged is no result.
    """
    opened = open_set(path, faults=faults)
    annotations = opened.annotations
    reading = Reading(str(path), faults)
    names = {video.name: video for video in truth.videos.values()}
    tracks: dict[int, list[Track]] = {video_id: [] for video_id in truth.videos}
    new = count(max((track.id for one in truth.tracks.values() for track in one), default=0) + 1)
    for video in annotations.videos.values():
        try:
            entry = _same(names, video.name)
            frames = _frames(video, entry, whole=opened.kind == "davis")
            numbers = _known_numbers(truth, entry.id)
            for track, key in _labelled(annotations, video.id, truth):
                track_id = numbers[key] if key in numbers else next(new)
                masks = {frames[frame]: mask for frame, mask in track.masks.items()}
                tracks[entry.id].append(replace(track, id=track_id, label=key[0], masks=masks))
        except DataError as error:
            reading.collect(error, video.name)
    return tracks


def _same(names: Mapping[str, VideoEntry], name: str) -> VideoEntry:
    if name not in names:
        raise DataError(
            "the truth has no video of this name",
            remedy="Name the folders of the results as the videos of the truth.",
        )
    return names[name]


def _frames(video: VideoEntry, entry: VideoEntry, *, whole: bool) -> list[int]:
    """Place in the truth of each frame of a result; `whole`: no annotated one may be missing."""
    if (video.height, video.width) != (entry.height, entry.width):
        raise DataError(
            f"the pictures are {video.width} x {video.height} "
            f"but the video is {entry.width} x {entry.height}",
            remedy="Write all masks at the size of the video.",
        )
    places = {stem: place for place, stem in enumerate(frame_paths(entry)[1])}
    stems = frame_paths(video)[1]
    there = {stems[place] for place in video.truth_frames}
    judged = [stem for stem, place in places.items() if place in entry.truth_frames]
    missing = [stem for stem in judged if stem not in there] if whole else []
    if missing:
        raise DataError(
            f"{len(missing)} of {len(judged)} frames of the truth are missing: {missing[0]!r}",
            remedy="Write a picture for every frame, an empty one where nothing is.",
        )
    unknown = [stem for stem in stems if stem not in places]
    if unknown:
        raise DataError(
            f"there is a frame {unknown[0]!r} that the truth does not have",
            remedy="Name the pictures as those of the truth.",
        )
    return [places[stem] for stem in stems]


def _labelled(
    annotations: AnnotationSet, video_id: int, truth: AnnotationSet
) -> Iterator[tuple[Track, tuple[int, int]]]:
    """Each object with the truth's category and its number in the video."""
    labels = {category.name: category.id for category in truth.categories.values()}
    objects = [track for track in annotations.tracks[video_id] if not track.crowd]
    numbers = object_numbers(objects, annotations.track_extra)
    for track in objects:
        name = annotations.categories[track.label].name
        if name not in labels:
            raise DataError(
                f"the truth has no category {name!r}",
                remedy="Give results with the categories of the truth.",
            )
        yield track, (labels[name], numbers[track.id])


def _known_numbers(truth: AnnotationSet, video_id: int) -> dict[tuple[int, int], int]:
    """Category and number in the video -> id, of the objects that are to be found."""
    objects = [track for track in truth.tracks.get(video_id, []) if not track.crowd]
    numbers = object_numbers(objects, truth.track_extra)
    return {(track.label, numbers[track.id]): track.id for track in objects}


def _of_video(result: Result, truth: AnnotationSet) -> tuple[int, list[Track]]:
    """Id of the video that was tracked, and its tracks by the truth's categories."""
    names = {result.info.name, Path(result.info.name).name, Path(result.info.name).stem}
    fitting = [id_ for id_, video in truth.videos.items() if video.name in names]
    if not fitting and len(truth.videos) == 1:
        fitting = list(truth.videos)
    if len(fitting) != 1:
        raise DataError(
            f"{len(fitting)} videos of the truth are called as the tracked one",
            where=result.info.name,
            remedy="Give the tracks by id of the video.",
        )
    ids = {category.name: category.id for category in truth.categories.values()}
    tracks = [
        replace(track, label=ids[result.names[track.label]])
        for track in result.tracks
        if result.names[track.label] in ids
    ]
    return fitting[0], tracks
