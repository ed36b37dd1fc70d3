"""From settings to a source of clips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vis.datasets.balanced import Balanced, repeat_factors
from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.mixture import Mixture
from vis.datasets.photometric import Photometric
from vis.datasets.pseudo import PseudoClips
from vis.datasets.sampling import Cyclic, Nearby, Strided
from vis.datasets.semantic import ScaledCrop
from vis.datasets.spare import Spared
from vis.datasets.transforms import Crop, Fixed, Flip, ScaleJitter, ShortSide, Sometimes
from vis.errors import InputError, UsageError, VisError
from vis.formats.opening import open_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.datasets.classes import Classes
    from vis.datasets.config import Augmentation, DataConfig, Part, Resize
    from vis.datasets.sample import ClipSource
    from vis.datasets.sampling import Sampling
    from vis.datasets.transforms import Transform
    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet


def open_dataset(config: DataConfig) -> ClipSource:
    """Read all annotations of a data set or mixture; frames are read when a clip is asked for.

    Raises:
        UsageError: a setting is wrong, or no part has a class.
        InputError: a file or folder is missing.
        DataError: an annotation file is wrong, or has none of the classes.
    """
    if not config.parts:
        raise UsageError("there is no data set", remedy="Give the path of one.")
    opened = [_opened(part) for part in config.parts]
    names = config.classes or _all_names(config.parts, opened)
    _check_known(names, config.parts, opened)
    sources = [
        _source(part, data, names, config) for part, data in zip(config.parts, opened, strict=True)
    ]
    whole: ClipSource = sources[0]
    if len(sources) > 1:
        whole = Mixture(sources, [part.weight for part in config.parts])
    return Spared(whole) if config.on_bad_sample == "skip" else whole


def transforms_of(augmentation: Augmentation) -> tuple[Transform, ...]:
    """The changes of a clip, in their order.

    Raises:
        UsageError: a number is out of its range.
    """
    return tuple(_transforms(augmentation))


def _opened(part: Part) -> DataSet:
    data = open_set(part.path, part.frames)
    if data.frames is None:
        raise InputError(
            "the folder of the frames was not found",
            where=part.path,
            remedy="Name it as `frames`.",
        )
    return replace(data, annotations=_chosen(data.annotations, part)) if part.videos else data


def _chosen(annotations: AnnotationSet, part: Part) -> AnnotationSet:
    """The videos that are named, in the order of the file."""
    named = {video.name for video in annotations.videos.values()}
    missing = [name for name in part.videos if name not in named]
    if missing:
        raise UsageError(f"there is no video {missing[0]!r}", where=part.path)
    return annotations.of(id_ for id_, v in annotations.videos.items() if v.name in part.videos)


def _shown(annotations: AnnotationSet, classes: Classes) -> AnnotationSet:
    """The videos with an object of the classes."""
    return annotations.of(
        id_
        for id_ in annotations.videos
        if any(track.label in classes.indices for track in annotations.tracks[id_])
    )


def _all_names(parts: tuple[Part, ...], opened: list[DataSet]) -> tuple[str, ...]:
    """The classes of all parts, in the order in which they first come."""
    names: dict[str, None] = {}
    for part, data in zip(parts, opened, strict=True):
        names |= dict.fromkeys(_classes(part, data, None).names)
    return tuple(names)


def _check_known(names: tuple[str, ...], parts: tuple[Part, ...], opened: list[DataSet]) -> None:
    """Refuse a class that nothing would ever be said of."""
    known = set(_all_names(parts, opened))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"class {unknown[0]!r} is in none of the data sets",
            remedy="Leave it out of data.classes, or add a data set that has it.",
        )


def _classes(part: Part, data: DataSet, names: tuple[str, ...] | None) -> Classes:
    try:
        return classes_of(data.annotations.categories, names, key=part.key, renamed=part.renamed)
    except VisError as error:
        raise error.at(part.path) from None


def _source(part: Part, data: DataSet, names: tuple[str, ...], config: DataConfig) -> ClipSource:
    assert data.frames is not None
    moving = data.kind == "coco" and (config.length > 1 or part.motion.single)
    classes = _classes(part, data, names)
    annotations = data.annotations if part.empty else _shown(data.annotations, classes)
    sampling = Cyclic(1) if moving else _sampling(config)
    clips = VideoClips(
        annotations,
        data.frames,
        classes,
        sampling,
        transforms=transforms_of(config.augmentation),
        keep_unseen=config.keep_unseen,
    )
    factors = None
    if part.balance:
        each = repeat_factors(annotations, classes.indices, part.balance)
        lengths = [sampling.items(video.length) for video in annotations.videos.values()]
        factors = [factor for factor, n in zip(each, lengths, strict=True) for _ in range(n)]
    source: ClipSource = clips
    if moving:
        source = PseudoClips(clips, config.length, part.motion, factors=factors)
    return Balanced(source, factors) if factors else source


def _sampling(config: DataConfig) -> Sampling:
    if config.sampling == "cyclic":
        return Cyclic(config.length)
    if config.sampling == "nearby":
        return Nearby(config.length, config.reach)
    return Strided(config.length, *config.stride)


def _transforms(augmentation: Augmentation) -> Iterator[Transform]:
    yield Flip(augmentation.flip)
    if augmentation.first:
        yield _resize(augmentation.first)
    if augmentation.scaled:
        scaled = augmentation.scaled
        yield ScaledCrop(
            lowest=scaled.lowest,
            highest=scaled.highest,
            short=scaled.short,
            longest=scaled.longest,
            side=scaled.side,
            share=scaled.share,
            tries=scaled.tries,
        )
    if augmentation.colours:
        yield Photometric(augmentation.colours)
    if augmentation.window:
        window = augmentation.window
        cut = (_resize(window.at), Crop(window.lowest, window.highest))
        yield Sometimes(cut, window.probability)
    if augmentation.jitter:
        jitter = augmentation.jitter
        yield ScaleJitter(jitter.lowest, jitter.highest, *jitter.sides, jitter.filling)
    if augmentation.last:
        yield _resize(augmentation.last)
    if augmentation.fixed:
        yield Fixed(*augmentation.fixed)


def _resize(settings: Resize) -> ShortSide:
    return ShortSide(settings.short, settings.longest)
