"""Small made-up sets of videos, and a moving box that truth and results are made of."""

from dataclasses import replace

import numpy as np
import pytest

from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track

HEIGHT, WIDTH, FRAMES = 24, 32, 5


def box_mask(x, y, width=8, height=8):
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[max(y, 0) : y + height, max(x, 0) : x + width] = True
    return rle.encode(mask)


def boxes(track_id, label, places, score=1.0, crowd=False, size=(8, 8)):
    """A track that shows a box at each `{frame: (x, y)}`."""
    masks = {frame: box_mask(x, y, *size) for frame, (x, y) in places.items()}
    return Track(id=track_id, label=label, score=score, masks=masks, crowd=crowd)


def still(track_id, label, x, y, score=1.0, frames=range(FRAMES), **more):
    """A track that stays where it is."""
    return boxes(track_id, label, dict.fromkeys(frames, (x, y)), score, **more)


def a_set(tracks, labels=(1, 2), frames=FRAMES):
    """A truth of `{video id: tracks}`."""
    videos = {
        key: VideoEntry(key, f"v{key}", WIDTH, HEIGHT, frames, tuple(f"{i}" for i in range(frames)))
        for key in tracks
    }
    categories = {label: Category(label, f"class {label}") for label in labels}
    return AnnotationSet(categories=categories, videos=videos, tracks=tracks)


def a_random_set(seed, videos=4, labels=(1, 2, 3), distinct=False):
    """Truth, and results near it with wrong labels, misses, duplicates and inventions."""
    rng = np.random.default_rng(seed)
    truth, results, ids = {}, {}, iter(range(1, 1000))
    for video in range(1, videos + 1):
        truth[video], results[video] = [], []
        for _ in range(rng.integers(0, 5)):
            places = {
                frame: tuple(rng.integers(0, 20, 2).tolist())
                for frame in range(FRAMES)
                if rng.random() < 0.8
            }
            label = int(rng.choice(labels))
            track = boxes(next(ids), label, places, crowd=rng.random() < 0.15)
            truth[video].append(track)
            results[video] += [near(rng, next(ids), track, labels) for _ in range(rng.integers(3))]
        if rng.random() < 0.5:
            results[video].append(still(next(ids), int(rng.choice(labels)), 20, 12, rng.random()))
    if distinct:
        results = {
            video: [replace(track, score=float(rng.random())) for track in tracks]
            for video, tracks in results.items()
        }
    return a_set(truth, labels), results


def near(rng, track_id, track, labels):
    label = track.label if rng.random() < 0.8 else int(rng.choice(labels))
    masks = {}
    for frame in track.masks:
        if rng.random() < 0.9:
            x, y = rng.integers(0, 20, 2) if rng.random() < 0.1 else rng.integers(-1, 2, 2)
            whole = rle.decode(track.masks[frame])
            masks[frame] = rle.encode(np.roll(whole, (int(x), int(y)), (0, 1)))
    # few scores, so that some are equal
    return Track(track_id, label, float(rng.integers(1, 12)) / 12, masks)


@pytest.fixture
def make():
    """The makers above under one name."""

    class Make:
        box_mask, boxes, still, set, random_set = map(
            staticmethod, (box_mask, boxes, still, a_set, a_random_set)
        )

    return Make
