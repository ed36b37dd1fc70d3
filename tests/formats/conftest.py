"""Two small sound files, and how to damage them: every fault is one change to one of them."""

import copy
import json

import numpy as np
import pytest

from vis.ops import rle


def spot(seed, height=6, width=8):
    return rle.to_coco(rle.encode(np.random.default_rng(seed).random((height, width)) < 0.4))


def sound_truth():
    return {
        "categories": [{"id": 9, "name": "cat"}, {"id": 5, "name": "dog"}],
        "videos": [
            {"id": 3, "width": 8, "height": 6, "length": 2, "file_names": ["b/0.jpg", "b/1.jpg"]},
            {"id": 7, "width": 8, "height": 6, "length": 1, "file_names": ["a/0.jpg"]},
        ],
        "annotations": [
            {
                "id": 40,
                "video_id": 3,
                "category_id": 9,
                "iscrowd": 0,
                "width": 8,
                "height": 6,
                "segmentations": [spot(1), None],
                "bboxes": [[0, 0, 8, 6], None],
                "areas": [20, None],
            },
            {"id": 41, "video_id": 7, "category_id": 5, "segmentations": [spot(2)]},
        ],
    }


def sound_results():
    return [
        {"video_id": 3, "category_id": 9, "score": 0.5, "segmentations": [spot(3), None]},
        {"video_id": 7, "category_id": 5, "score": 1, "segmentations": [spot(4)]},
        {"video_id": 3, "category_id": 9, "score": 0.25, "segmentations": [None, spot(5)]},
    ]


def change(value, path, new):
    value = copy.deepcopy(value)
    *outer, last = path
    inner = value
    for key in outer:
        inner = inner[key]
    if new is ...:
        del inner[last]
    else:
        inner[last] = new
    return value


@pytest.fixture
def write(tmp_path):
    def put(value, name="truth.json"):
        path = tmp_path / name
        path.write_text(json.dumps(value))
        return path

    return put


@pytest.fixture
def truth():
    return sound_truth()


@pytest.fixture
def results():
    return sound_results()


@pytest.fixture
def changed():
    """`value` with the entry at `path` replaced, or deleted where the new one is `...`."""
    return change
