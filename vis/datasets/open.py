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
from vis.datasets.transforms import Crop, Fixed, Flip, ScaleJitter, ShortSide, Sometimes
from vis.datasets.unreadable import ReplaceUnreadable
from vis.errors import DataError, InputError, UsageError, VisError
from vis.formats.box_only import check_masks
from vis.formats.faults import crowds_alone
from vis.formats.opening import open_set
from vis.formats.prefixes import Frames
from vis.formats.statistics import supercategories_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.datasets.classes import Classes
    from vis.datasets.config import Augmentation, DataConfig, Resize, Source
    from vis.datasets.sample import ClipSource
    from vis.datasets.sampling import Sampling
    from vis.datasets.transforms import Transform
    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet


def open_dataset(config: DataConfig, *, masks: bool = True) -> ClipSource:
    """Read all annotations of a data set or mixture; frames are read when a clip is asked for.

    Args:
        config: the data.
        masks: whether masks are learnt, so that objects of boxes alone are refused.

    Raises:
        UsageError: a setting is wrong, or no source has a class.
        InputError: a file or folder is missing.
        DataError: an annotation file is wrong, or has none of the classes.
    """
    if not config.sources:
        raise UsageError("there is no data set", remedy="Give the path of one.")
    opened = [_opened(settings) for settings in config.sources]
    if masks:
        _check_masks(opened)
    names = config.classes or _names_to_learn(config.sources, opened)
    _check_known(names, config.sources, opened)
    _check_objects(names, config.sources, opened)
    sources = [
        _source(settings, data, names, config)
        for settings, data in zip(config.sources, opened, strict=True)
    ]
    whole: ClipSource = sources[0]
    if len(sources) > 1:
        whole = Mixture(sources, [settings.weight for settings in config.sources])
    return ReplaceUnreadable(whole) if config.on_bad_sample == "skip" else whole


def transforms_of(augmentation: Augmentation) -> tuple[Transform, ...]:
    """The changes of a clip, in their order.

    Raises:
        UsageError: a number is out of its range.
    """
    return tuple(_transforms(augmentation))


def _opened(settings: Source) -> DataSet:
    data = open_set(settings.path, Frames(settings.frames, settings.frames_prefix))
    if data.frames is None:
        raise InputError(
            "the folder of the frames was not found",
            where=settings.path,
            remedy="Name it as `frames`.",
        )
    annotations = data.annotations
    if settings.videos:
        annotations = _of_videos(annotations, settings)
    if settings.crowds_are_objects:
        annotations = _without_crowds(annotations)
    return replace(data, annotations=annotations)


def _of_videos(annotations: AnnotationSet, settings: Source) -> AnnotationSet:
    """The videos that are named, in the order of the file."""
    present = {video.name for video in annotations.videos.values()}
    missing = [name for name in settings.videos if name not in present]
    if missing:
        raise UsageError(f"there is no video {missing[0]!r}", where=settings.path)
    return annotations.of(id_ for id_, v in annotations.videos.items() if v.name in settings.videos)


def _without_crowds(annotations: AnnotationSet) -> AnnotationSet:
    """Every crowd as one object."""
    tracks = {
        id_: [replace(track, crowd=False) for track in annotations.tracks[id_]]
        for id_ in annotations.videos
    }
    return replace(annotations, tracks=tracks)


def _with_objects(annotations: AnnotationSet, classes: Classes) -> AnnotationSet:
    """The videos with an object of the classes."""
    return annotations.of(
        id_
        for id_ in annotations.videos
        if any(track.label in classes.indices for track in annotations.tracks[id_])
    )


def _all_names(sources: tuple[Source, ...], opened: list[DataSet]) -> tuple[str, ...]:
    """The classes of all sources, in the order in which they first come."""
    names: dict[str, None] = {}
    for settings, data in zip(sources, opened, strict=True):
        names |= dict.fromkeys(_classes(settings, data, None).names)
    return tuple(names)


def _names_to_learn(sources: tuple[Source, ...], opened: list[DataSet]) -> tuple[str, ...]:
    """The classes of all sources, without names that only stand above others."""
    names: dict[str, None] = {}
    for settings, data in zip(sources, opened, strict=True):
        classes = _classes(settings, data, None)
        above = {category.id for category in supercategories_alone(data.annotations)}
        own = {
            index
            for id_, index in classes.indices.items()
            if id_ not in above or data.annotations.categories[id_].name in settings.renamed
        }
        names |= {name: None for index, name in enumerate(classes.names) if index in own}
    return tuple(names)


def _check_masks(opened: list[DataSet]) -> None:
    """Refuse boxes as masks: a model of masks would learn that objects fill them."""
    for data in opened:
        # pictures of labels are masks, and to know their objects all would be read
        if data.kind != "semantic":
            remedy = "Draw their masks, or train a model of boxes: detr or deformable_detr."
            check_masks(data.annotations, "this model", remedy, str(data.path))


def _check_known(
    names: tuple[str, ...], sources: tuple[Source, ...], opened: list[DataSet]
) -> None:
    """Refuse a class that nothing would ever be said of."""
    present = set(_all_names(sources, opened))
    unknown = [name for name in names if name not in present]
    if unknown:
        raise UsageError(
            f"class {unknown[0]!r} is in none of the data sets",
            remedy="Leave it out of data.classes, or add a data set that has it.",
        )


def _check_objects(
    names: tuple[str, ...], sources: tuple[Source, ...], opened: list[DataSet]
) -> None:
    """Refuse data in which nothing could be learned: it would train in silence, to no end."""
    any_object = False
    for settings, data in zip(sources, opened, strict=True):
        # to know their objects, every picture of labels would have to be read
        if data.kind == "semantic":
            return
        of_classes = _classes(settings, data, names).indices
        crowds = [
            track.crowd
            for tracks in data.annotations.tracks.values()
            for track in tracks
            if track.label in of_classes
        ]
        if crowds and all(crowds):
            raise crowds_alone(len(crowds), settings.path)
        any_object = any_object or bool(crowds)
    if not any_object:
        raise DataError(
            "there is no object of the classes, so that nothing can be learned",
            where=sources[0].path,
            remedy="Check data.sources and data.classes with vis data check.",
        )


def _classes(settings: Source, data: DataSet, names: tuple[str, ...] | None) -> Classes:
    try:
        return classes_of(
            data.annotations.categories, names, key=settings.key, renamed=settings.renamed
        )
    except VisError as error:
        raise error.at(settings.path) from None


def _source(
    settings: Source, data: DataSet, names: tuple[str, ...], config: DataConfig
) -> ClipSource:
    assert data.frames is not None
    # a picture shown as a clip of several frames needs a motion, a video brings its own
    moving = data.of_pictures and (config.clip_length > 1 or settings.motion.single)
    classes = _classes(settings, data, names)
    annotations = (
        data.annotations if settings.keep_empty else _with_objects(data.annotations, classes)
    )
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
    if settings.repeat_factor_threshold:
        each = repeat_factors(annotations, classes.indices, settings.repeat_factor_threshold)
        factors = [factor for factor, n in zip(each, clips.items, strict=True) for _ in range(n)]
    source: ClipSource = clips
    if moving:
        source = PseudoClips(clips, config.clip_length, settings.motion, factors=factors)
    return Balanced(source, factors) if factors else source


def _sampling(config: DataConfig) -> Sampling:
    if config.sampling == "cyclic":
        return Cyclic(config.clip_length)
    if config.sampling == "nearby":
        return Nearby(config.clip_length, config.max_offset)
    return Strided(config.clip_length, *config.stride)


def _transforms(augmentation: Augmentation) -> Iterator[Transform]:
    # cheap changes of the axes first, colours before anything makes the frames larger
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
        yield ScaleJitter(jitter.lowest, jitter.highest, *jitter.sides, jitter.pad_value)
    if augmentation.last:
        yield _resize(augmentation.last)
    if augmentation.fixed:
        yield Fixed(*augmentation.fixed)


def _resize(settings: Resize) -> ShortSide:
    return ShortSide(settings.short, settings.longest)
