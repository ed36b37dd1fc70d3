"""Parts of a data set: each video is in one, shares hold for every category, the draw repeats."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from vis.errors import UsageError
from vis.formats.splitting import split
from vis.formats.ytvis import AnnotationSet, Category, VideoEntry
from vis.records import Track


@pytest.fixture
def many():
    """200 videos; category 1 in most, 2 in a few, 3 in ten of them."""
    draw = np.random.default_rng(0)
    videos, tracks, said = {}, {}, {}
    for key in range(1, 201):
        videos[key] = VideoEntry(key, f"v{key}", 4, 3, 1, (f"v{key}/0.jpg",))
        labels = [1] * (draw.random() < 0.8) + [2] * (draw.random() < 0.2) + [3] * (key % 20 == 0)
        tracks[key] = [Track(key * 10 + label, label, 1.0, {}) for label in labels]
        said |= {track.id: {"note": track.id} for track in tracks[key]}
    categories = {key: Category(key, f"c{key}") for key in (1, 2, 3)}
    return AnnotationSet(categories, videos, tracks, said, {"info": "kept"})


SHARES = {"train": 0.7, "val": 0.2, "test": 0.1}


def labels(part):
    return Counter(track.label for found in part.tracks.values() for track in found)


def test_each_video_is_in_one_part_with_all_that_is_its_own(many):
    parts = split(many, SHARES)
    keys = [key for part in parts.values() for key in part.videos]
    assert sorted(keys) == sorted(many.videos)
    for part in parts.values():
        assert part.tracks == {key: many.tracks[key] for key in part.videos}
        ids = {track.id for found in part.tracks.values() for track in found}
        assert part.track_extra == {key: {"note": key} for key in sorted(ids)}
        assert (part.categories, part.extra) == (many.categories, many.extra)


def test_shares_hold_for_the_videos_and_for_each_category(many):
    whole = labels(many)
    for name, part in split(many, SHARES).items():
        assert abs(len(part.videos) - SHARES[name] * 200) <= 2
        for label, count in whole.items():
            assert abs(labels(part)[label] - SHARES[name] * count) <= 2
    assert labels(split(many, SHARES)["test"])[3] == 1


def test_the_draw_repeats_whatever_the_order_and_changes_with_the_seed(many):
    turned = replace(many, videos=dict(reversed(many.videos.items())))
    chosen = [set(split(found, SHARES)["val"].videos) for found in (many, many, turned)]
    assert chosen[0] == chosen[1] == chosen[2]
    assert set(split(many, SHARES, seed=1)["val"].videos) != chosen[0]


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 1, "b": 0}])
def test_shares_that_do_not_divide_the_whole_are_refused(many, shares):
    with pytest.raises(UsageError, match="not all above 0 and 1 together"):
        split(many, shares)
