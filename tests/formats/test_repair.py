"""A mended copy is sound, says what was done, and keeps every byte of what was sound."""

import copy
import json
import re

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, OutputExistsError, UsageError
from vis.formats.coco import read_coco
from vis.formats.prefixes import Frames
from vis.formats.repair import repair
from vis.formats.ytvis import read_annotations
from vis.ops import rle


@pytest.fixture
def mended(tmp_path):
    """`mended(value)`: the changes and the copy of a file with that value."""

    def run(value):
        (tmp_path / "in.json").write_text(json.dumps(value))
        changes = repair(tmp_path / "in.json", tmp_path / "out.json")
        return changes, json.loads((tmp_path / "out.json").read_text())

    return run


def test_what_is_sound_is_copied_as_it_is(mended, truth):
    assert mended(truth) == ([], truth)


MASK = ("annotations", 0, "segmentations", 0)
BOX = ("annotations", 0, "bboxes", 0)
REMADE = "bboxes and areas are those of its masks now"
REPAIRED = [
    (BOX, [0, 0, -8, 6], f"{REMADE}: frame 0: the box is"),
    (BOX, [90, 0, 8, 6], f"{REMADE}: frame 0: the box .* leaves the picture"),
    (BOX, [float("nan"), 0, 8, 6], f"{REMADE}: frame 0: the box is"),
    (BOX, None, f"{REMADE}: frame 0: there is a mask but no box"),
    (("annotations", 0, "bboxes", 1), [1, 1, 2, 2], f"{REMADE}: frame 1: there is a box but"),
    (("annotations", 0, "bboxes"), [None] * 3, f"{REMADE}: bboxes has 3 entries"),
    (("annotations", 0, "areas", 0), -4, f"{REMADE}: frame 0: the area is"),
    (("annotations", 0, "width"), 9, f"{REMADE}: width is 9"),
    (("annotations", 1, "id"), 40, r"annotations\[1\] \(id 40\) has the id 41: its own was taken"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "new", "words"), REPAIRED)
def test_what_the_masks_say_is_made_anew(mended, truth, changed, tmp_path, place, new, words):
    changes, value = mended(changed(truth, place, new))
    assert len(changes) == 1

    assert re.search(words, changes[0]), changes
    sound = read_annotations(tmp_path / "out.json")
    (tmp_path / "sound.json").write_text(json.dumps(truth))
    meant = read_annotations(tmp_path / "sound.json")
    for video_id, tracks in meant.tracks.items():
        assert [t.masks for t in tracks] == [t.masks for t in sound.tracks[video_id]]
    assert value["videos"] == truth["videos"]


LEFT_OUT = [
    ((*MASK, "counts"), "0", r"annotations\[0\] \(id 40\) is left out: frame 0", (2, 2, 1)),
    ((*MASK, "size"), [8, 6], "is left out: frame 0: size is 8 x 6", (2, 2, 1)),
    (("annotations", 0, "category_id"), 99, "is left out: category_id 99", (2, 2, 1)),
    (("annotations", 0, "video_id"), "three", "is left out: video_id is text", (2, 2, 1)),
    (("annotations", 0), 7, r"annotations\[0\] is left out: this is", (2, 2, 1)),
    (("annotations", 1, "segmentations"), [None], "is left out: no frame shows it", (2, 2, 1)),
    (("videos", 0, "length"), 3, r"videos\[0\] \(id 3\) is left out: file_names has 2", (1, 2, 1)),
    (("categories", 1, "name"), "", r"categories\[1\] \(id 5\) is left out: name is", (2, 1, 1)),
]


@pytest.mark.parametrize(("place", "new", "words", "counts"), LEFT_OUT)
def test_what_cannot_be_known_is_left_out(
    mended, truth, changed, tmp_path, place, new, words, counts
):
    changes, _ = mended(changed(truth, place, new))
    assert re.search(words, changes[0]), changes
    found = read_annotations(tmp_path / "out.json")
    assert counts == (
        len(found.videos),
        len(found.categories),
        sum(map(len, found.tracks.values())),
    )


def test_two_that_differ_under_one_id_are_not_guessed(mended, truth, changed, tmp_path):
    with pytest.raises(DataError, match=r"in\.json: videos\[1\] \(id 3\): .*nobody knows"):
        mended(changed(truth, ("videos", 1, "id"), 3))
    assert not (tmp_path / "out.json").exists()
    twice = copy.deepcopy(truth)
    twice["videos"].append(truth["videos"][0])
    changes, value = mended(twice)
    assert value == truth and changes == [
        "videos[2] (id 3) is left out: an earlier record is the same."
    ]


def test_pictures_too(mended, tmp_path):
    square = [[2, 1, 5, 1, 5, 3, 2, 3]]
    nothing = rle.to_coco(rle.encode(np.zeros((6, 8), bool)))
    one = {"image_id": 3, "category_id": 9, "segmentation": square, "extra": 1}
    value = {
        "categories": [{"id": 9, "name": "cat"}],
        "images": [{"id": 3, "file_name": "1.jpg", "width": 8, "height": 6}],
        "annotations": [
            one | {"id": 1, "bbox": [-9, 1, 2, 2], "area": 6},
            one | {"id": 2, "segmentation": []},
            one | {"id": 3, "segmentation": nothing},
        ],
    }
    changes, found = mended(value)
    assert [change.partition(": ")[0] for change in changes] == [
        "annotations[0] (id 1)",
        "annotations[1] (id 2) is left out",
        "annotations[2] (id 3) is left out",
    ]
    assert found["annotations"] == [one | {"id": 1, "bbox": [2.0, 1.0, 3.0, 2.0], "area": 6}]
    assert len(read_coco(tmp_path / "out.json").tracks[3]) == 1


def test_nothing_is_overwritten_and_no_folder_is_mended(mended, truth, tmp_path):
    mended(truth)
    with pytest.raises(OutputExistsError):
        mended(truth)
    (tmp_path / "davis").mkdir()
    with pytest.raises(UsageError, match="only JSON files"):
        repair(tmp_path / "davis", tmp_path / "new.json")


def test_backslashes_become_slashes(mended, truth):
    names = truth["videos"][0]["file_names"]
    windows = [name.replace("/", "\\") for name in names]
    changes, value = mended(
        {**truth, "videos": [{**truth["videos"][0], "file_names": windows}, *truth["videos"][1:]]}
    )
    assert changes == ["videos[0] (id 3): its file names have forward slashes now."]
    assert value == truth


OUTLINE = [2, 1, 5, 1, 5, 3, 2, 3]
POINTS = [[2, 1], [5, 1], [5, 3], [2, 3]]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (OUTLINE, "a polygon lies in no list of polygons"),
        (POINTS, "a list of points lies in no list of polygons"),
        ([POINTS], "polygon 0 is a list of points"),
        ([OUTLINE, [4, 4]], "polygon 1 has 2 numbers"),
        ([[1, 1, 2, 2], OUTLINE], "polygon 0 has 4 numbers"),
    ],
)
def test_only_what_is_wrong_of_polygons_goes(mended, truth, changed, frame, words):
    value = changed(truth, MASK, frame)
    del value["annotations"][0]["bboxes"], value["annotations"][0]["areas"]
    changes, copied = mended(value)
    assert len(changes) == 1 and words in changes[0], changes
    assert copied == changed(value, MASK, [OUTLINE])


def test_an_object_without_a_sound_polygon_is_left_out(mended, truth, changed):
    changes, _ = mended(changed(truth, MASK, [[4, 4]]))
    assert re.search("is left out: frame 0: polygon 0 has 2 numbers", changes[0])


def test_numbers_that_tables_made_text_are_numbers_again(mended, tmp_path):
    picture = {"id": "1", "file_name": "a.jpg", "width": "8", "height": "6.0"}
    annotation = {
        "id": "1", "image_id": 1.0, "category_id": "1", "iscrowd": False, "area": "4",
        "bbox": ["1", "1", "2.0", "2"], "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]],
    }  # fmt: skip
    category = {"id": "1", "name": "7"}
    value = {"images": [picture], "categories": [category], "annotations": [annotation]}
    changes, value = mended(value)
    assert changes[0] == "images[0] (id text '1'): written as numbers now: id, width, height."
    assert (value["images"][0]["width"], value["images"][0]["height"]) == (8, 6.0)
    assert value["categories"] == [{"id": 1, "name": "7"}]
    assert value["annotations"][0]["bbox"] == [1, 1, 2.0, 2]
    assert len(read_coco(tmp_path / "out.json").tracks[1]) == 1


PICTURE = {"id": 3, "file_name": "1.jpg", "width": 8, "height": 6}
OBJECT = {"id": 1, "image_id": 3, "category_id": 9, "segmentation": [[2, 1, 5, 1, 5, 3, 2, 3]]}


def coco(picture, **stated):
    categories = [{"id": 9, "name": "cat"}]
    return {"categories": categories, "images": [picture], "annotations": [OBJECT | stated]}


@pytest.mark.parametrize("stated", [{}, {"width": None, "height": None}, {"width": 0, "height": 0}])
@pytest.mark.parametrize("turned", [False, True])
def test_a_missing_size_is_that_of_the_picture_as_people_see_it(mended, tmp_path, stated, turned):
    picture, exif = Image.new("RGB", (6, 8) if turned else (8, 6)), Image.Exif()
    exif[0x0112] = 6 if turned else 1
    picture.save(tmp_path / "1.jpg", exif=exif)
    changes, copy = mended(coco({"id": 3, "file_name": "1.jpg"} | stated))
    assert copy["images"] == [PICTURE]
    assert changes == ["images[0] (id 3): its size is that of its picture now: 8 x 6."]


def test_a_video_without_a_size_gets_that_of_its_first_picture(mended, truth, tmp_path):
    whole = truth["videos"][0]
    (tmp_path / whole["file_names"][0]).parent.mkdir(parents=True, exist_ok=True)
    size = (whole["width"], whole["height"])
    Image.new("RGB", size).save(tmp_path / whole["file_names"][0])
    for side in ("width", "height"):
        cut = copy.deepcopy(truth)
        del cut["videos"][0][side]
        assert mended(cut)[1] == truth
        (tmp_path / "out.json").unlink()


def test_boxes_that_are_two_corners_are_made_anew(mended):
    changes, found = mended(coco(PICTURE, bbox=[2, 1, 5, 3]))
    assert found["annotations"][0]["bbox"] == [2, 1, 3, 2]
    assert len(changes) == 1 and "two corners" in changes[0]


def test_a_copy_without_a_picture_is_not_written(mended, tmp_path):
    with pytest.raises(DataError, match=r"no sound record is left: images\[0\].* absolute path"):
        mended(coco(PICTURE | {"file_name": "/data/1.jpg"}))
    assert not (tmp_path / "out.json").exists()


def test_numbers_that_no_json_has_go(mended, tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "1.jpg")
    stated = PICTURE | {"width": float("nan"), "date_captured": float("nan")}
    changes, found = mended(coco(stated, score=float("inf")))
    assert found["images"] == [PICTURE | {"date_captured": None}]
    assert found["annotations"][0]["score"] is None
    assert len(changes) == 2 and "NaN" in changes[1]


@pytest.mark.parametrize("stated", [..., None, "ann_1", -1, 1])
def test_an_annotation_gets_an_id_where_it_has_none(mended, stated):
    value = coco(PICTURE)
    second = {key: value for key, value in (OBJECT | {"id": stated}).items() if value is not ...}
    value["annotations"].append(second)
    changes, found = mended(value)
    assert [one["id"] for one in found["annotations"]] == [1, 2] and len(changes) == 1


def test_the_name_of_a_category_becomes_its_id(mended):
    changes, found = mended(coco(PICTURE, category_id="cat"))
    assert found["annotations"] == [OBJECT] and "that of 'cat'" in changes[0]


@pytest.mark.parametrize("depth", [1, 2])
def test_lists_too_many_around_polygons_go(mended, depth):
    polygons = OBJECT["segmentation"]
    for _ in range(depth):
        polygons = [polygons]
    changes, found = mended(coco(PICTURE, segmentation=polygons))
    assert found["annotations"] == ([OBJECT] if depth == 1 else []) and len(changes) == 1


def test_prefixes_are_a_change(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(coco(PICTURE | {"file_name": "C:\\x\\1.jpg"})))
    changes = repair(tmp_path / "in.json", tmp_path / "out.json", Frames(prefixes={"C:/x": ""}))
    assert json.loads((tmp_path / "out.json").read_text()) == coco(PICTURE)
    assert changes == ["file names begin as --frames-prefix says."]


def test_files_of_tools_are_named_and_stay_as_they_are(tmp_path):
    path = tmp_path / "via.json"
    path.write_text(json.dumps({"a": {"filename": "a.jpg", "regions": [], "file_attributes": {}}}))
    with pytest.raises(DataError, match=r"this is a file of via, .* vis data convert --to coco"):
        repair(path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
