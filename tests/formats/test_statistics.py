"""The numbers of a data set agree with counting pixel by pixel."""

import numpy as np
import pytest

from vis.formats.statistics import box_overlap, statistics_of
from vis.formats.ytvis import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track


def mask(*pixels):
    shown = np.zeros((4, 5), bool)
    for y, x in pixels:
        shown[y, x] = True
    return rle.encode(shown)


@pytest.fixture
def two_videos():
    empty = mask()
    return AnnotationSet(
        categories={3: Category(3, "cat"), 4: Category(4, "dog")},
        videos={
            1: VideoEntry(1, "a", 5, 4, 5, tuple(f"a/{i}.jpg" for i in range(5))),
            2: VideoEntry(2, "b", 5, 4, 1, ("b/0.jpg",)),
        },
        tracks={
            1: [
                Track(1, 3, 1.0, {0: mask((0, 0)), 2: mask((0, 0), (1, 1)), 4: empty}),
                Track(2, 3, 1.0, {1: mask((0, 0), (3, 4)), 2: mask((1, 1), (2, 2))}),
                Track(3, 4, 1.0, {0: mask((0, 0))}, crowd=True),
            ],
            2: [],
        },
    )


def test_objects_masks_and_crowds_are_counted(two_videos):
    found = statistics_of(two_videos)
    assert (found.videos, found.frames, found.objects, found.crowds) == (2, 6, 2, 1)
    assert (found.masks, found.empty_videos, found.lengths) == (4, 1, (1, 3.0, 5))
    assert found.sizes == (((5, 4), 2),)
    cat, dog = found.categories
    assert (cat.videos, cat.objects, cat.crowds, cat.masks) == (1, 2, 0, 4)
    assert cat.share == pytest.approx(2 / 20)
    assert (dog.objects, dog.crowds, dog.masks, dog.share) == (0, 1, 0, 0.0)


def test_what_is_hidden_between_two_sights_is_counted(two_videos):
    hidden = statistics_of(two_videos).occlusion
    assert hidden.hidden == pytest.approx(1 / 5)
    assert hidden.returning == 1
    # of three frames with objects, one has two boxes of 4 pixels that share one
    assert hidden.overlap == pytest.approx(1 / 7 / 3)


def test_an_empty_set_has_zeros():
    found = statistics_of(AnnotationSet({}, {}, {}))
    assert (found.videos, found.lengths, found.occlusion.overlap) == (0, (0, 0, 0), 0.0)


def test_overlap_equals_counting_pixels():
    draw = np.random.default_rng(4)
    for _ in range(100):
        corners = draw.integers(0, 12, (draw.integers(0, 6), 2, 2))
        boxes = [(*c.min(axis=0).tolist(), *(c.max(axis=0) + 1).tolist()) for c in corners]
        covered = np.zeros((14, 14), int)
        for x0, y0, x1, y1 in boxes:
            covered[y0:y1, x0:x1] += 1
        whole = (covered > 0).sum()
        assert box_overlap(boxes) == pytest.approx((covered > 1).sum() / whole if whole else 0)
