"""Made sets of videos and clips of predictions with tiny masks, for `benchmark_scale.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import RLE, ClipPredictions, Track

Results = dict[int, list[Track]]

HEIGHT, WIDTH, PLACES = 48, 64, 58
"""Of the pictures; a mask of 6 x 6 pixels wanders by a pixel a frame."""
CLIP, STRIDE, CELLS = 5, 4, (40, 60)
"""Frames of a clip, of which the next repeats one, and the cells of its masks."""
SLOTS = 200
"""Places of a clip's masks that do not touch; as many as the tracker follows at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one measurement is made of."""

    videos: int = 1
    frames: int = 20
    objects: int = 10
    """Of each video, at once; there are twice as many results."""
    classes: int = 80
    lasting: bool = True
    """Whether the tracker meets the same objects in each clip, or always new ones."""


LVVIS = Size(videos=4828, frames=21, objects=5, classes=1196)
"""Videos and classes of LV-VIS, and about its objects a video and masks an object."""


def made_set(size: Size) -> tuple[AnnotationSet, Results]:
    """Truth and results: one near each object, and one anywhere of any class."""
    draw, pool = np.random.default_rng(0), _pool()
    truth, results = dict[int, list[Track]](), dict[int, list[Track]]()
    for video in range(1, size.videos + 1):
        truth[video], results[video] = [], []
        for row in range(size.objects):
            label, other = (draw.integers(size.classes, size=2) + 1).tolist()
            start, elsewhere = draw.integers(PLACES, size=2).tolist()
            first = (video - 1) * size.objects + row + 1
            scores = draw.random(2).tolist()
            truth[video].append(_track(first, label, 1.0, pool, start, size.frames))
            near = _track(2 * first, label, scores[0], pool, start + 1, size.frames)
            results[video] += [
                near,
                _track(2 * first + 1, other, scores[1], pool, elsewhere, size.frames),
            ]
    names = [f"{frame}.jpg" for frame in range(size.frames)]
    videos = {
        key: VideoEntry(
            key, f"{key}", WIDTH, HEIGHT, size.frames, tuple(f"{key}/{name}" for name in names)
        )
        for key in truth
    }
    categories = {key: Category(key, f"class {key}") for key in range(1, size.classes + 1)}
    return AnnotationSet(categories=categories, videos=videos, tracks=truth), results


def _pool() -> list[RLE]:
    masks = np.zeros((PLACES, HEIGHT, WIDTH), np.bool_)
    for place, mask in enumerate(masks):
        mask[20:26, place : place + 6] = True
    return [rle.encode(mask) for mask in masks]


def _track(key: int, label: int, score: float, pool: list[RLE], start: int, frames: int) -> Track:
    masks = {frame: pool[(start + frame) % PLACES] for frame in range(frames)}
    return Track(key, label, score, masks)


def made_clips(size: Size) -> list[ClipPredictions]:
    """Clips to be met in turn: one, or as many as make all objects new while any is remembered."""
    draw = np.random.default_rng(0)
    slots = draw.permutation(SLOTS)
    clips = []
    for first in range(0, size.objects if size.lasting else SLOTS, size.objects):
        masks = torch.zeros(size.objects, CLIP, *CELLS)
        for mask, slot in zip(masks, slots[first:].tolist(), strict=False):
            y, x = 4 * (slot // 20), 3 * (slot % 20)
            mask[:, y : y + 3, x : x + 2] = 1
        labels = torch.arange(first, first + size.objects) % size.classes
        clips.append(
            ClipPredictions(
                scores=torch.full((size.objects,), 0.9),
                labels=labels,
                class_scores=0.9 * torch.nn.functional.one_hot(labels, size.classes),
                boxes=torch.rand(size.objects, CLIP, 4),
                masks=masks,
                presence=torch.ones(size.objects, CLIP),
            )
        )
    return clips
