"""A data set is known by what lies there, and its pictures are found where they are published."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, InputError
from vis.formats.checking import check
from vis.formats.opening import open_set


@pytest.fixture
def put(tmp_path, truth):
    """`put(file, folder)` writes the truth at `file` and its pictures below `folder`."""

    def place(file, folder):
        for video in truth["videos"]:
            for name in video["file_names"]:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 6)).save(path)
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(truth))
        return path

    return place


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("instances.json", "JPEGImages"),
        ("train.json", "train/JPEGImages"),
        ("instances_train_sub.json", "train/JPEGImages"),
        ("annotations_train.json", "train"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances_default.json", "images"),
        ("annotations/person_keypoints_val2017.json", "val2017"),
        ("annotations/mine.json", "."),
        ("mine.json", "."),
        ("mine.json", "images"),
        ("labels.json", "data"),
    ],
)
def test_pictures_are_found_where_they_are_published(put, tmp_path, file, folder):
    found = open_set(put(file, folder))
    assert (found.kind, found.frames) == ("ytvis", tmp_path / folder)


def test_a_folder_with_one_file_is_that_file_with_several_none(put, tmp_path):
    path = put("mine.json", "JPEGImages")
    assert open_set(tmp_path).path == path
    shutil.copy(path, tmp_path / "other.json")
    with pytest.raises(DataError, match=r"2 annotation files: mine.json, other.json"):
        open_set(tmp_path)
    shutil.copy(path, tmp_path / "instances.json")
    assert open_set(tmp_path).path == tmp_path / "instances.json"


@pytest.mark.parametrize("annotations", [None, ...])
def test_a_split_without_truth_is_opened_where_none_is_needed(put, tmp_path, annotations):
    path = put("valid.json", "valid/JPEGImages")
    whole = open_set(path)
    assert whole.has_truth
    value = {**json.loads(path.read_text()), "annotations": annotations}
    path.write_text(json.dumps({key: e for key, e in value.items() if e is not ...}))
    bare = open_set(path, needs_truth=False)
    assert not bare.has_truth
    assert bare.frames == whole.frames == tmp_path / "valid" / "JPEGImages"
    assert bare.annotations.videos == whole.annotations.videos
    assert not any(bare.annotations.tracks.values())
    with pytest.raises(DataError, match=r"the truth is not in this file\. .* vis predict"):
        open_set(path)


def test_without_pictures_there_is_no_folder(put, tmp_path):
    path = put("mine.json", "JPEGImages")
    shutil.rmtree(tmp_path / "JPEGImages")
    assert open_set(path).frames is None
    with pytest.raises(InputError, match="no such folder"):
        open_set(path, tmp_path / "nowhere")


def test_folders_of_png_are_told_apart(tmp_path):
    davis, mots = tmp_path / "davis", tmp_path / "mots"
    for folder, pixels in (
        (davis / "Annotations" / "v", np.ones((3, 4), np.uint8)),
        (mots / "instances" / "v", np.full((3, 4), 1001, np.uint16)),
    ):
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "00000.png")
    (davis / "JPEGImages" / "v").mkdir(parents=True)
    Image.new("RGB", (4, 3)).save(davis / "JPEGImages" / "v" / "00000.jpg")
    found = open_set(davis)
    assert (found.kind, found.frames) == ("davis", davis / "JPEGImages")
    found = open_set(mots)
    assert (found.kind, found.frames) == ("mots", None)


def test_one_text_file_is_mots(tmp_path):
    (tmp_path / "0001.txt").write_text("0 1001 1 3 4 0<\n")
    assert open_set(tmp_path / "0001.txt").kind == "mots"
    assert open_set(tmp_path).kind == "mots"


def test_a_stray_text_file_makes_no_mots_set(put, tmp_path):
    path = put("annotations/instances_default.json", "images/default")
    (tmp_path / "readme.txt").write_text("Exported by a tool\n0 0.5 0.5 0.2 0.1\n")
    found = open_set(tmp_path)
    assert (found.kind, found.path, found.frames) == ("ytvis", path, tmp_path / "images/default")


def test_a_davis_folder_may_hold_a_text_file(tmp_path):
    (tmp_path / "Annotations" / "v").mkdir(parents=True)
    Image.fromarray(np.ones((3, 4), np.uint8)).save(tmp_path / "Annotations" / "v" / "00000.png")
    (tmp_path / "SOURCES.txt").write_text("where all this is from\n")
    assert open_set(tmp_path).kind == "davis"


def test_mots_text_without_an_object_is_known_by_its_pictures(tmp_path):
    (tmp_path / "0001.txt").touch()
    (tmp_path / "images" / "0001").mkdir(parents=True)
    Image.new("RGB", (4, 3)).save(tmp_path / "images" / "0001" / "000000.png")
    assert open_set(tmp_path).kind == "mots"


def test_pictures_beside_annotations_are_no_davis_set(put, tmp_path):
    path = put("train/_annotations.coco.json", "train")
    put("valid/annotations/instances_default.json", "valid/images")
    Image.new("RGB", (4, 3)).save(tmp_path / "train" / "x.png")
    with pytest.raises(DataError, match=r"train/_annotations.coco.json, valid/annotations/inst"):
        open_set(tmp_path)
    assert open_set(tmp_path / "train").path == path


def test_hidden_files_are_no_annotations(put, tmp_path):
    path = put("mine.json", "JPEGImages")
    (tmp_path / "._mine.json").write_bytes(b"\0\5\26\7")
    assert open_set(tmp_path).path == path


def test_pictures_without_truth_are_opened_where_none_is_needed(tmp_path):
    value = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 6}],
        "categories": [{"id": 1, "name": "x"}],
    }
    path = tmp_path / "image_info_test.json"
    for more in ({}, {"annotations": None}):
        path.write_text(json.dumps({**value, **more}))
        with pytest.raises(DataError, match="the truth is not in this file"):
            open_set(path)
        bare = open_set(path, needs_truth=False)
        assert (bare.kind, bare.has_truth, bare.annotations.tracks) == ("coco", False, {1: []})
    found = check(path, tmp_path, read_video_file=None)
    assert any("the truth of the videos is not in this file" in note for note in found.warnings)
