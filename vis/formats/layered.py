"""Videos as folders of PNG pictures, one a frame, whose pixels are numbers of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError
from vis.formats.index_pictures import Numbers, layers, paint, read_numbers
from vis.formats.paths import inside, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vis.formats.reading import Reading
    from vis.formats.ytvis_records import VideoEntry
    from vis.records import RLE, Track


@dataclass(frozen=True, slots=True)
class LayeredVideo:
    """One video, read."""

    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    """Of its pictures, relative to the folder of the pictures."""
    objects: Mapping[int, Mapping[int, RLE]]
    """Number -> frame -> mask."""
    annotated_frames: tuple[int, ...] | None = None
    """As those of `VideoEntry`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pictures of a data set lie and what their pixels mean."""

    label_folder: Path
    """Folder of the folders of PNG pictures."""
    frames: Path | None
    """Folder of the folders of the videos' own pictures, where it is there."""
    modes: tuple[str, ...]
    """Pixel formats of the PNG pictures."""
    empty_if_missing: bool
    """Whether a frame without PNG shows no object, or nobody said what it shows."""


def read_layered(name: str, layout: Layout, reading: Reading) -> LayeredVideo | None:
    """The video `name`, or None where no PNG picture of it is sound; "" is the folder itself.

    Raises:
        InputError: a folder cannot be listed.
        DataError: a PNG picture is faulty, or has no picture to it, and `reading` does not
            collect it.
    """
    label_files = pictures(layout.label_folder / name, {".png"})
    frame_names = _frame_names(name, layout, label_files)
    for stem in [stem for stem in label_files if stem not in frame_names]:
        reading.collect(_unpaired_error(stem), name)
    size: tuple[int, ...] = ()
    masks_by_frame: dict[str, dict[int, RLE]] = {}
    for stem in frame_names:
        masks_by_frame[stem] = {}
        if stem not in label_files:
            continue
        try:
            numbers = _numbers(label_files[stem], layout, size=size)
        except DataError as error:
            reading.collect(error, f"{name}/{stem}.png")
            del masks_by_frame[stem]
            continue
        size = numbers.shape
        masks_by_frame[stem] = layers(numbers)
    if not size:
        return None
    objects: dict[int, dict[int, RLE]] = {}
    for frame, masks in enumerate(masks_by_frame.values()):
        for number, mask in masks.items():
            objects.setdefault(number, {})[frame] = mask
    return LayeredVideo(
        name=name or layout.label_folder.parent.name,
        height=size[0],
        width=size[1],
        file_names=tuple(frame_names[stem] for stem in masks_by_frame),
        objects=dict(sorted(objects.items())),
        annotated_frames=None
        if layout.empty_if_missing
        else tuple(place for place, stem in enumerate(masks_by_frame) if stem in label_files),
    )


def paint_frames(
    video: VideoEntry, numbered_tracks: Sequence[tuple[int, Track]]
) -> Iterator[Numbers]:
    """The pixels' numbers, frame by frame; of two objects on one pixel the surer is on top.

    At equal scores the earlier one is; a crowd lies below all.
    """
    # `sorted` is stable: of equal scores the later one is painted first, the earlier one over it
    latest_first = numbered_tracks[::-1]
    bottom_up = sorted(latest_first, key=lambda pair: (not pair[1].crowd, pair[1].score))
    for frame in range(video.length):
        masks = [
            (number, track.masks[frame]) for number, track in bottom_up if frame in track.masks
        ]
        yield paint(masks, video.height, video.width)


def _frame_names(name: str, layout: Layout, label_files: Mapping[str, Path]) -> dict[str, str]:
    """File name of each frame by its name without ending, in order."""
    folder = f"{name}/" if name else ""
    if layout.frames is None or not (layout.frames / name).is_dir():
        return {stem: f"{folder}{stem}.jpg" for stem in label_files}
    frame_files = pictures(layout.frames / name)
    return {stem: f"{folder}{path.name}" for stem, path in frame_files.items()}


def _numbers(path: Path, layout: Layout, *, size: tuple[int, ...]) -> Numbers:
    """The numbers of one frame."""
    inside(layout.label_folder, path.relative_to(layout.label_folder).as_posix())
    try:
        numbers = read_numbers(path, layout.modes)
    except InputError as error:
        # listed, yet not there: a link to nowhere
        raise DataError(error.what, remedy=error.remedy) from None
    if size and numbers.shape != size:
        raise DataError(
            f"the picture is {_size(numbers.shape)}, those before it {_size(size)}",
            remedy="Make all pictures of a video the same size.",
        )
    return numbers


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _unpaired_error(stem: str) -> DataError:
    return DataError(
        f"frame {stem} has no picture to its annotation",
        remedy="Add the picture, or take the annotation away.",
    )
