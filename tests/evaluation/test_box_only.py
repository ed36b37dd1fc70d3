"""Where the truth is boxes alone, a result is as good as its box."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.conftest import HEIGHT, WIDTH, a_set, still
from vis.evaluation.box_only import NOTE
from vis.evaluation.evaluate import evaluate
from vis.ops import rle
from vis.records import Track


def ring(track_id, x, y, frames):
    """The outline alone of what `still` fills."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + 8, x : x + 8] = True
    mask[y + 1 : y + 7, x + 1 : x + 7] = False
    return Track(track_id, 1, 0.9, dict.fromkeys(frames, rle.encode(mask)))


def test_masks_of_results_count_by_their_boxes():
    truth = a_set({1: [still(1, 1, 4, 4)]})
    results = {1: [ring(5, 4, 4, range(5))]}
    assert evaluate(truth, results)["AP"] == 0
    boxes = {1: [replace(truth.tracks[1][0], box_only=True)]}
    found = evaluate(replace(truth, tracks=boxes), results, metrics=["ap", "identity"])
    assert [found["AP"], found["identity"]["HOTA"]] == pytest.approx([1, 1])
    assert found.notes == (NOTE,)


def test_pictures_have_the_numbers_of_boxes_alone(tmp_path):
    size = {"width": WIDTH, "height": HEIGHT}
    value = {
        "images": [{"id": 1, "file_name": "1.jpg", **size}],
        "categories": [{"id": 1, "name": "fire"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 4, 8, 8]}],
    }
    (tmp_path / "set.json").write_text(json.dumps(value))
    found = evaluate(tmp_path / "set.json", {1: [ring(5, 4, 4, [0])]})
    assert found.boxes_alone and list(found.pictures) == ["bbox"]
    assert found["AP"] == pytest.approx(1)
