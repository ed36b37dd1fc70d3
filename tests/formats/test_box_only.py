"""Objects of boxes alone: filled boxes inside, boxes in files, refused where masks are needed."""

import json

import numpy as np
import pytest

from vis import models
from vis.errors import DataError
from vis.formats.box_only import box_mask
from vis.formats.checking import check
from vis.formats.coco import read_coco, write_coco
from vis.formats.converting import convert
from vis.formats.repair import repair
from vis.ops import rle

BOX = [2.4, 1.0, 3.2, 2.0]


@pytest.fixture
def path(tmp_path):
    value = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 6}],
        "categories": [{"id": 1, "name": "fire"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "segmentation": []},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 8, 6], "iscrowd": 1},
        ],
    }
    (tmp_path / "set.json").write_text(json.dumps(value))
    return tmp_path / "set.json"


def test_a_box_is_read_as_its_filled_box_and_written_as_a_box(path, tmp_path):
    read = read_coco(path)
    first, crowd = read.tracks[1]
    expected = np.zeros((6, 8), np.bool_)
    expected[1:3, 2:6] = True
    np.testing.assert_array_equal(rle.decode(first.masks[0]), expected)
    assert first.box_only and crowd.box_only and crowd.crowd
    write_coco(tmp_path / "again.json", read)
    again = json.loads((tmp_path / "again.json").read_text())["annotations"][0]
    assert (again["bbox"], again["segmentation"]) == (BOX, [])
    assert read_coco(tmp_path / "again.json") == read


@pytest.mark.parametrize(
    ("box", "edges"),
    [([7.9, 5.9, 0.1, 0.1], (7, 5, 8, 6)), ([-3, 2, 4, 1], (0, 2, 1, 3)), (BOX, (2, 1, 6, 3))],
)
def test_a_filled_box_lies_in_the_picture_and_has_a_pixel(box, edges):
    assert rle.box(box_mask(box, 6, 8)) == edges


@pytest.mark.parametrize(
    "box", [[1, 1, 0, 2], [1, 1, 2], "x", [8, 0, 2, 2], [1, 1, 2, float("nan")]]
)
def test_boxes_that_say_nothing_are_refused(box):
    with pytest.raises(DataError, match="the box"):
        box_mask(box, 6, 8)


def test_a_check_says_who_learns_from_them_and_formats_of_masks_refuse_them(path, tmp_path):
    notes = check(path, tmp_path, read_video_file=None).warnings
    assert any("2 objects have a box alone, the first is annotation 1" in note for note in notes)
    for kind in ("ytvis", "davis", "mots"):
        with pytest.raises(DataError, match=r"needs masks.*COCO"):
            convert(path, tmp_path / kind, to=kind)


def test_a_mended_copy_keeps_the_box(path, tmp_path):
    value = json.loads(path.read_text())
    value["annotations"][0]["area"] = -1
    path.write_text(json.dumps(value))
    repair(path, tmp_path / "mended.json")
    mended = json.loads((tmp_path / "mended.json").read_text())["annotations"]
    assert [one["bbox"] for one in mended] == [BOX, [0, 0, 8, 6]]


def test_models_of_boxes_are_those_without_a_mask_branch():
    boxes = {name for name in models.names() if not models.learns_masks(name, {})}
    assert boxes == {"detr", "deformable_detr"}
    assert models.learns_masks("detr", {"masks": True})
