"""COCO files: every form of mask, nothing lost on the way there and back, every fault named."""

import json
import re
import warnings

import numpy as np
import pytest
from pycocotools import mask as native

from vis.errors import DataError, OutputExistsError
from vis.formats.coco import read_coco, write_coco
from vis.ops import rle

SQUARE = np.pad(np.ones((2, 3), bool), ((1, 3), (2, 3)))


def reference(form, height, width):
    """The mask as COCO's own code makes it of any form."""
    if isinstance(form, list):
        form = native.merge(native.frPyObjects(form, height, width))
    elif isinstance(form["counts"], list):
        form = native.frPyObjects(form, height, width)
    with warnings.catch_warnings():
        # its array type is older than numpy 2
        warnings.simplefilter("ignore", DeprecationWarning)
        return native.decode([form])[:, :, 0]


@pytest.fixture
def pictures():
    return {
        "info": {"year": 2026},
        "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}],
        "images": [
            {"id": 9, "file_name": "a/1.jpg", "width": 8, "height": 6, "license": 3},
            {"id": 4, "file_name": "2.jpg", "width": 8, "height": 6},
        ],
        "annotations": [
            {
                "id": 70,
                "image_id": 9,
                "category_id": 18,
                "iscrowd": 1,
                "segmentation": {"size": [6, 8], "counts": [13, 2, 4, 2, 4, 2, 21]},
                "bbox": [2, 1, 3, 2],
                "area": 6,
            },
            {
                "id": 71,
                "image_id": 9,
                "category_id": 18,
                "segmentation": [[2, 1, 5, 1, 5, 3, 2, 3]],
                "bbox": [2.0, 1.0, 3.1, 2.0],
                "area": 6.2,
                "note": "kept",
            },
            {
                "id": 72,
                "image_id": 4,
                "category_id": 18,
                "segmentation": rle.to_coco(rle.encode(SQUARE)),
            },
        ],
    }


def test_polygons_and_both_run_lengths_become_the_same_mask(write, pictures):
    read = read_coco(write(pictures))
    tracks = [track for found in read.tracks.values() for track in found]
    assert [(track.id, track.label, track.crowd) for track in tracks] == [
        (70, 18, True),
        (71, 18, False),
        (72, 18, False),
    ]
    for track in tracks:
        np.testing.assert_array_equal(rle.decode(track.masks[0]), SQUARE)


def test_a_picture_is_a_video_of_one_frame_and_unknown_keys_are_kept(write, pictures):
    read = read_coco(write(pictures))
    first, second = read.videos[9], read.videos[4]
    assert (first.name, first.file_names, first.length) == ("a/1.jpg", ("a/1.jpg",), 1)
    assert (first.extra, second.extra) == ({"license": 3}, {})
    assert read.extra == {"info": {"year": 2026}}
    assert read.categories[18].extra == {"supercategory": "animal"}
    assert read.track_extra == {71: {"bbox": [2.0, 1.0, 3.1, 2.0], "area": 6.2, "note": "kept"}}


def test_written_and_read_again_it_is_equal(write, pictures, tmp_path):
    read = read_coco(write(pictures))
    write_coco(tmp_path / "again.json", read)
    assert read_coco(tmp_path / "again.json") == read
    with pytest.raises(OutputExistsError):
        write_coco(tmp_path / "again.json", read)


def test_the_reference_sees_the_same_masks_in_what_we_write(write, pictures, tmp_path):
    write_coco(tmp_path / "again.json", read_coco(write(pictures)))
    for annotation in json.loads((tmp_path / "again.json").read_text())["annotations"]:
        np.testing.assert_array_equal(reference(annotation["segmentation"], 6, 8), SQUARE)


FAULTS = [
    (("images", 1, "id"), 9, r"images\[1\] \(id 9\): id 9 belongs to an earlier"),
    (("images", 1, "id"), "4", r"images\[1\] .*id is text '4', not a whole number"),
    (("images", 1, "file_name"), "../2.jpg", r"images\[1\] \(id 4\): .* leads out"),
    (("images", 1, "file_name"), "/2.jpg", r"images\[1\] .* absolute"),
    (("images", 1, "file_name"), ..., r"images\[1\] .* file name is null"),
    (("images", 1, "width"), 0, r"images\[1\] .* width is 0"),
    (("images", 1, "height"), 10**6, r"images\[1\] .* height is 1000000"),
    (("annotations", 1, "id"), 70, r"annotations\[1\] \(id 70\): id 70 belongs"),
    (("annotations", 1, "image_id"), 5, r"annotations\[1\] .* image_id 5 names no sound"),
    (("annotations", 1, "category_id"), 5, r"annotations\[1\] .* category_id 5 names no"),
    (("annotations", 1, "iscrowd"), 2, r"annotations\[1\] .* iscrowd is 2"),
    (("annotations", 2, "segmentation"), ..., r"annotations\[2\] .* segmentation is missing"),
    (("annotations", 2, "segmentation"), None, r"annotations\[2\] .* segmentation is null"),
    (("annotations", 2, "segmentation"), [], r"annotations\[2\] .* segmentation is a list of 0"),
    (("annotations", 1, "segmentation"), [[1, 1, 2, 2]], r"annotations\[1\] .* polygon 0 has 4"),
    (("annotations", 1, "segmentation", 0, 3), 1e9, r"annotations\[1\] .* polygon 0: number 3"),
    (("annotations", 0, "segmentation", "counts"), [13, 2], r"annotations\[0\] \(id 70\): .*"),
    (("annotations", 0, "segmentation", "size"), [8, 6], r"annotations\[0\] .* swapped"),
    (("annotations", 1, "bbox"), [2, 1, 3], r"annotations\[1\] .* box is a list of 3"),
    (("annotations", 1, "bbox"), [2, 1, -3, 2], r"annotations\[1\] .* box is \[2, 1, -3, 2\]"),
    (("annotations", 1, "bbox"), [20, 1, 30, 2], r"annotations\[1\] .* leaves the picture"),
    (("annotations", 1, "area"), -1, r"annotations\[1\] .* area is -1"),
]


@pytest.mark.parametrize(("place", "new", "words"), FAULTS)
def test_a_faulty_record_is_named_and_collected(write, pictures, changed, place, new, words):
    path = write(changed(pictures, place, new))
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: {words}") as raised:
        read_coco(path)
    assert raised.value.remedy
    faults = []
    read_coco(path, faults)
    assert str(faults[0]) == str(raised.value)


@pytest.mark.parametrize("key", ["images", "categories", "annotations"])
def test_a_missing_list_is_refused(write, pictures, key):
    del pictures[key]
    with pytest.raises(DataError):
        read_coco(write(pictures))


def test_truth_of_videos_is_refused_by_its_name(write, truth):
    with pytest.raises(DataError, match="this is YouTube-VIS annotations, not COCO"):
        read_coco(write(truth))


@pytest.mark.parametrize("name", ["pack_test/coco_tiny", "pack_train/coco_person"])
def test_real_masks_are_those_of_the_reference(shared, name):
    path = shared / "data" / name / "instances.json"
    read = read_coco(path)
    stated = {entry["id"]: entry for entry in json.loads(path.read_text())["annotations"]}
    for video in read.videos.values():
        for track in read.tracks[video.id]:
            form = stated[track.id]["segmentation"]
            wanted = reference(form, video.height, video.width)
            np.testing.assert_array_equal(rle.decode(track.masks[0]), wanted)
