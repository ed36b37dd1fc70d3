"""Every known fault of an annotation file or its pictures is found, placed and has a remedy."""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, InputError, VideoError
from vis.formats.checking import check
from vis.formats.published import OVIS
from vis.ops import rle


def no_film(path):
    raise AssertionError(f"{path} is no film")


@pytest.fixture
def folder(tmp_path, truth):
    """A sound data set: `instances.json`, and the pictures in `JPEGImages`."""
    root = tmp_path / "set"
    for video in truth["videos"]:
        for name in video["file_names"]:
            path = root / "JPEGImages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6)).save(path)
    (root / "instances.json").write_text(json.dumps(truth))
    return root


@pytest.fixture
def coco(tmp_path):
    """The same as single pictures: `instances.json`, and the pictures in `images`."""
    root = tmp_path / "coco"
    (root / "images").mkdir(parents=True)
    Image.new("RGB", (8, 6)).save(root / "images" / "1.jpg")
    value = {
        "categories": [{"id": 9, "name": "cat"}, {"id": 5, "name": "dog"}],
        "images": [{"id": 3, "file_name": "1.jpg", "width": 8, "height": 6}],
        "annotations": [
            {
                "id": 40,
                "image_id": 3,
                "category_id": 9,
                "iscrowd": 0,
                "segmentation": [[2, 1, 5, 1, 5, 3, 2, 3]],
                "bbox": [2, 1, 3, 2],
                "area": 6,
            }
        ],
    }
    (root / "instances.json").write_text(json.dumps(value))
    return root


def found_in(root, **settings):
    settings.setdefault("read_video_file", no_film)
    return check(root, **settings)


def only_fault(root, words):
    """Exactly one fault is found; it names the data set and has a remedy."""
    result = found_in(root)
    said = [str(fault) for fault in result.faults]
    assert len(said) == 1, said
    assert re.search(words, said[0]), said
    assert str(root) in said[0] and result.faults[0].remedy
    return result


def test_what_is_sound_has_no_fault(folder, coco):
    for root, kind in ((folder, "ytvis"), (coco, "coco")):
        result = found_in(root, decode=True)
        assert (result.faults, result.warnings[1:]) == ([], [])
        assert result.dataset.kind == kind


ANNOTATION = ("annotations", 0)
MASK, BOX = (*ANNOTATION, "segmentations", 0), (*ANNOTATION, "bboxes", 0)
VIDEO = ("videos", 0)
FAULTS = [
    ((*MASK, "counts"), "0", r"annotations\[0\] \(id 40\): frame 0: .*"),
    ((*MASK, "counts"), "", r"annotations\[0\] \(id 40\): frame 0: .*"),
    (MASK, [[1e9, 0, 4, 4, 0, 4]], r"\(id 40\): frame 0: polygon 0: number 0 is 1e\+09"),
    (MASK, [[1, 1, 4, 4, 0]], r"\(id 40\): frame 0: polygon 0 has 5 numbers"),
    (BOX, [0, 0, -8, 6], r"\(id 40\): frame 0: the box is \[0, 0, -8, 6\]"),
    (BOX, [0, 0, 8], r"\(id 40\): frame 0: the box is a list of 3"),
    (BOX, [90, 0, 8, 6], r"\(id 40\): frame 0: the box .* leaves the picture of 8 x 6"),
    ((*MASK, "size"), [8, 6], r"\(id 40\): frame 0: size is 8 x 6 .* swapped"),
    ((*MASK, "size"), [60, 80], r"\(id 40\): frame 0: size is 60 x 80 but the picture is 6 x 8"),
    (MASK, None, r"\(id 40\): frame 0: there is a box but no mask"),
    (BOX, None, r"\(id 40\): frame 0: there is a mask but no box"),
    ((*ANNOTATION, "segmentations"), [None], r"\(id 40\): segmentations has 1 entries but .* 2"),
    ((*ANNOTATION, "segmentations"), [None] * 3, r"\(id 40\): segmentations has 3 entries"),
    ((*ANNOTATION, "bboxes"), [None] * 3, r"\(id 40\): bboxes has 3 entries"),
    (("annotations", 1, "id"), 40, r"annotations\[1\] \(id 40\): id 40 belongs to an earlier"),
    ((*ANNOTATION, "category_id"), 99, r"\(id 40\): category_id 99 names no sound record"),
    ((*ANNOTATION, "video_id"), 99, r"\(id 40\): video_id 99 names no sound record"),
    ((*ANNOTATION, "video_id"), "3", r"\(id '?40'?\): video_id is text '3'"),
    ((*ANNOTATION, "id"), "40", r"id is text '40', not a whole number"),
    ((*ANNOTATION, "iscrowd"), 7, r"\(id 40\): iscrowd is 7"),
]


@pytest.mark.parametrize(("place", "new", "words"), FAULTS)
def test_a_fault_of_one_annotation_is_found(folder, truth, changed, place, new, words):
    (folder / "instances.json").write_text(json.dumps(changed(truth, place, new)))
    result = only_fault(folder, words)
    assert len(result.dataset.annotations.videos) == 2


OF_VIDEOS = [
    ((*VIDEO, "length"), 1, r"videos\[0\] \(id 3\): file_names has 2 entries but the video has 1"),
    ((*VIDEO, "length"), 3, r"videos\[0\] \(id 3\): file_names has 2 entries but the video has 3"),
    (("videos", 1, "id"), 3, r"videos\[1\] \(id 3\): id 3 belongs to an earlier record"),
    ((*VIDEO, "id"), "3", r"videos\[0\] \(id text '3'\): id is text '3', not a whole number"),
    ((*VIDEO, "file_names", 0), "../../x.jpg", r"videos\[0\] \(id 3\): frame 0: .* leads out"),
    ((*VIDEO, "file_names", 1), "/x.jpg", r"videos\[0\] \(id 3\): frame 1: .* absolute path"),
    ((*VIDEO, "file_names", 1), "b/\0.jpg", r"videos\[0\] \(id 3\): frame 1: .* NUL"),
    (("categories", 1, "id"), 9, r"categories\[1\] \(id 9\): id 9 belongs to an earlier record"),
]


@pytest.mark.parametrize(("place", "new", "words"), OF_VIDEOS)
def test_a_fault_of_a_video_or_category_also_takes_what_needs_it(
    folder, truth, changed, place, new, words
):
    (folder / "instances.json").write_text(json.dumps(changed(truth, place, new)))
    first, *others = found_in(folder).faults
    assert re.search(words, str(first)) and first.remedy
    # an id that is wrong itself cannot be told from that of an annotation
    assert all("names no sound record" in str(fault) for fault in others)
    assert not others or place[-1] == "id"


WHOLE_FILES = [
    ({"annotations": {}}, "annotations is an object"),
    ({"categories": ...}, "categories is missing"),
    ({"videos": []}, "videos is a list of 0"),
]


@pytest.mark.parametrize(("changes", "words"), WHOLE_FILES)
def test_a_list_that_is_not_there_is_named(folder, truth, changes, words):
    value = {key: entry for key, entry in {**truth, **changes}.items() if entry is not ...}
    (folder / "instances.json").write_text(json.dumps(value))
    assert only_fault(folder, words).dataset is None


@pytest.mark.parametrize("annotations", [None, ...])
def test_that_the_truth_is_not_public_is_no_fault(folder, truth, annotations):
    value = {**truth, "annotations": annotations}
    value = {key: entry for key, entry in value.items() if entry is not ...}
    (folder / "instances.json").write_text(json.dumps(value))
    found = found_in(folder)
    assert not found.faults
    assert found.dataset is not None and not found.dataset.has_truth
    assert any("the truth of the videos is not in this file" in line for line in found.warnings)
    assert not any("have no object" in line for line in found.warnings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"video_id": 3}]', "this is YouTube-VIS results, not YouTube-VIS annotations"),
        ('{"videos": [{"id": 3, "wid', "cut off"),
        ("<!DOCTYPE html>", "an HTML or XML page"),
        ('{"videos": [NaN]}', r"videos\[0\] \(line 1\): NaN is not a JSON number"),
        (
            '{"a": [{"id": 7, "bbox": [1, NaN]}]}',
            r"a\[0\] \(id 7\): bbox\[1\] \(line 1\): NaN is not",
        ),
        (
            '{"a": [{"id": 7, "b": Infinity}]}',
            r"a\[0\] \(id 7\): b \(line 1\): Infinity is not a JSON number",
        ),
        ("", "the file is empty"),
    ],
)
def test_a_file_of_another_kind_is_named(folder, content, words):
    (folder / "instances.json").write_text(content)
    assert only_fault(folder, words).dataset is None


COCO_FAULTS = [
    (("segmentation",), {"size": [6, 8], "counts": [3]}, r"\(id 40\): .*"),
    (("segmentation",), [[float(10**9), 0, 4, 4, 0, 4]], r"\(id 40\): polygon 0: number 0"),
    (("segmentation",), {"size": [8, 6], "counts": [48]}, r"\(id 40\): size is 8 x 6 .* swapped"),
    (("bbox",), [1, 1], r"\(id 40\): the box is a list of 2"),
    (("bbox",), [-9, 1, 2, 2], r"\(id 40\): the box .* leaves the picture"),
    (("bbox",), [2, 1, 0, 0], r"\(id 40\): there is a mask but no box"),
    (("category_id",), 99, r"\(id 40\): category_id 99"),
    (("image_id",), 99, r"\(id 40\): image_id 99"),
    (("id",), "40", r"id is text '40'"),
]


@pytest.mark.parametrize(("place", "new", "words"), COCO_FAULTS)
def test_a_fault_of_one_coco_annotation_is_found(coco, changed, place, new, words):
    value = json.loads((coco / "instances.json").read_text())
    value = changed(value, (*ANNOTATION, *place), new)
    (coco / "instances.json").write_text(json.dumps(value))
    only_fault(coco, words)


def test_crowds_are_counted_apart_and_gaps_between_categories_are_no_fault(folder, truth, changed):
    value = changed(truth, (*ANNOTATION, "iscrowd"), 1)
    (folder / "instances.json").write_text(json.dumps(value))
    result = found_in(folder)
    assert not result.faults
    assert [track.crowd for track in result.dataset.annotations.tracks[3]] == [True]
    assert [track.label for track in result.dataset.annotations.tracks[7]] == [5]


def test_what_follows_from_a_fault_is_none_of_its_own(coco):
    value = json.loads((coco / "instances.json").read_text())
    del value["images"][0]["height"]
    (coco / "instances.json").write_text(json.dumps(value))
    result = only_fault(coco, r"images\[0\] \(id 3\): height is missing")
    assert result.warnings == []


def test_names_with_backslashes_are_those_of_the_files_that_are_there(folder, truth):
    truth["videos"][0]["file_names"][1] = "b\\1.jpg"
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert result.dataset.annotations.videos[3].file_names[1] == "b/1.jpg"


def test_whole_numbers_of_a_column_of_floats_are_read(folder, truth):
    for record in (*truth["videos"], *truth["annotations"], *truth["categories"]):
        record["id"] = float(record["id"])
    truth["videos"][0]["width"] = 8.0
    truth["annotations"][0]["video_id"] = 3.0
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert [type(id_) for id_ in result.dataset.annotations.videos] == [int, int]
    truth["videos"][0]["width"] = 8.5
    (folder / "instances.json").write_text(json.dumps(truth))
    only_fault(folder, "width is 8.5, not a whole number")


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([2, 1, 30, 2.4], "1 boxes leave their picture, .* annotation 40: the masks decide"),
        ([-2, 1, 7, 2], "1 boxes leave their picture, .* annotation 40: the masks decide"),
        ([1, 0, 1.5, 1.5], "1 boxes do not fit their masks, .* annotation 40: the masks decide"),
    ],
)
def test_a_box_past_the_edge_or_unlike_its_mask_is_a_note(coco, changed, box, words):
    value = json.loads((coco / "instances.json").read_text())
    value = changed(value, (*ANNOTATION, "bbox"), box)
    (coco / "instances.json").write_text(json.dumps(value))
    result = found_in(coco)
    assert not result.faults
    assert any(re.search(words, warning) for warning in result.warnings), result.warnings


def test_a_box_of_two_corners_is_a_fault(coco, changed):
    value = json.loads((coco / "instances.json").read_text())
    value = changed(value, (*ANNOTATION, "segmentation"), [[4, 3, 7, 3, 7, 6, 4, 6]])
    value = changed(value, (*ANNOTATION, "bbox"), [4, 3, 7, 6])
    (coco / "instances.json").write_text(json.dumps(value))
    only_fault(coco, "boxes of 1 annotations are two corners, the first is that of annotation 40")


def test_a_picture_with_several_records_is_a_note(coco):
    value = json.loads((coco / "instances.json").read_text())
    value["images"].append({**value["images"][0], "id": 4})
    (coco / "instances.json").write_text(json.dumps(value))
    result = found_in(coco)
    assert not result.faults
    assert "1 pictures have several records, the first is 1.jpg" in result.warnings


def test_crowds_alone_and_no_object_at_all_are_faults(folder, truth):
    for annotation in truth["annotations"]:
        annotation["iscrowd"] = 1
    (folder / "instances.json").write_text(json.dumps(truth))
    only_fault(folder, r"all its objects \(2\) are crowds .*crowds_are_objects: true")
    (folder / "instances.json").write_text(json.dumps(truth | {"annotations": []}))
    only_fault(folder, "there is no object in it")


def picture(folder):
    return folder / "JPEGImages" / "b" / "1.jpg"


PICTURES = [
    (lambda path: path.unlink(), r"video 3 .*1 of 2 pictures are missing, the first is b/1.jpg"),
    (lambda path: path.write_bytes(b""), r"video 3 .*frame 1: b/1.jpg: .* cannot be read"),
    (lambda path: path.write_text("<html>"), r"frame 1: b/1.jpg: the picture cannot be read"),
    (
        lambda path: Image.new("RGB", (9, 6)).save(path),
        r"frame 1: b/1.jpg: the picture is 9 x 6, its record says 8 x 6",
    ),
    (
        lambda path: Image.new("RGB", (6, 8)).save(path),
        r"the picture is 6 x 8, its record says 8 x 6, the two sides are swapped",
    ),
    (lambda path: (path.unlink(), os.mkfifo(path)), r"1 of 2 pictures are missing"),
    (lambda path: Image.new("RGB", (8, 6)).save(path, "PPM"), r"frame 1: .* cannot be read"),
]


@pytest.mark.parametrize(("damage", "words"), PICTURES)
def test_a_fault_of_a_picture_is_found(folder, damage, words):
    damage(picture(folder))
    only_fault(folder, words)


def turned_by_exif(path, size, orientation):
    """A picture of `size` as stored, bright in its first row, with an orientation tag."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)


def test_a_picture_that_exif_data_turn_is_sound_by_either_record(folder):
    turned_by_exif(picture(folder), (6, 8), 6)
    assert not found_in(folder, decode=True).faults
    turned_by_exif(picture(folder), (8, 6), 6)
    assert not found_in(folder, decode=True).faults
    turned_by_exif(picture(folder), (6, 8), 3)
    only_fault(folder, "the two sides are swapped")


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    path = picture(folder)
    path.rename(tmp_path / "elsewhere.jpg")
    path.symlink_to(tmp_path / "elsewhere.jpg")
    only_fault(folder, r"frame 1: b/1.jpg: .* leads out of its folder through a link")


def test_a_cut_picture_is_found_when_all_is_decoded(folder):
    path = picture(folder)
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    assert not found_in(folder).faults
    (fault,) = found_in(folder, decode=True).faults
    assert re.search(r"frame 1: b/1.jpg: the picture cannot be read \(OSError", str(fault))


def test_pictures_that_are_nowhere_are_one_fault_unless_their_folder_is_given(folder, tmp_path):
    (folder / "JPEGImages").rename(tmp_path / "far")
    only_fault(folder, "its pictures were not found")
    assert not found_in(folder, frames=tmp_path / "far").faults
    with pytest.raises(InputError):
        found_in(folder, frames=tmp_path / "nowhere")
    with pytest.raises(InputError):
        found_in(tmp_path / "nowhere")


def test_pictures_that_are_urls_are_named_so(coco, changed):
    value = json.loads((coco / "instances.json").read_text())
    value = changed(value, ("images", 0, "file_name"), "s3://bucket/1.jpg")
    (coco / "instances.json").write_text(json.dumps(value))
    only_fault(coco, "its pictures are URLs, not files, the first is s3://bucket/1.jpg.* Fetch")


def test_a_film_stands_in_for_the_folder_of_its_name(folder):
    frames = folder / "JPEGImages"
    for path in (frames / "b").iterdir():
        path.unlink()
    (frames / "b").rmdir()
    (frames / "b.mp4").touch()
    assert not found_in(folder, read_video_file=lambda path: (8, 6, 2)).faults
    (fault,) = found_in(folder, read_video_file=lambda path: (8, 6, 5)).faults
    assert re.search(r"video 3 .*has 5 frames of 8 x 6, its record says 2 of 8 x 6", str(fault))

    def broken(path):
        raise VideoError("no frame can be decoded", remedy="Fetch it again.")

    (fault,) = found_in(folder, read_video_file=broken).faults
    assert re.search(r"video 3 .*no frame can be decoded", str(fault))


def test_two_categories_of_one_name_are_a_fault(folder, truth, changed):
    value = changed(truth, ("categories", 1, "name"), "cat")
    (folder / "instances.json").write_text(json.dumps(value))
    only_fault(folder, "category 5: its name 'cat' is that of category 9 too")


def test_what_is_legal_but_odd_is_a_note(folder, truth):
    nothing = rle.to_coco(rle.encode(np.zeros((6, 8), bool)))
    truth["annotations"][0] |= {"segmentations": [nothing, None], "bboxes": [None, None]}
    truth["annotations"][0]["areas"] = [0, None]
    truth["categories"].append({"id": 1, "name": "owl"})
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert result.warnings == [
        "annotation 40 of video 3 is seen in no frame",
        "1 categories have no object: owl",
    ]


def test_a_category_that_only_stands_above_others_is_a_note_of_its_own(folder, truth):
    truth["categories"][0]["supercategory"] = "pets"
    truth["categories"].append({"id": 0, "name": "pets", "supercategory": "none"})
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert result.warnings == [
        "category 0 (pets) is the supercategory of others and has no object: training leaves it out"
    ]


def test_categories_that_are_nearly_published_ones_are_a_note(folder, truth):
    truth["categories"] = [{"id": id_, "name": name.lower()} for id_, name in enumerate(OVIS, 1)]
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert any("nearly those of OVIS, but the file spells" in note for note in result.warnings)


def test_many_faults_are_all_listed(folder, truth):
    truth["annotations"][0]["category_id"] = 1
    truth["annotations"][1]["segmentations"] = []
    truth["videos"].append({"id": 8})
    picture(folder).unlink()
    (folder / "instances.json").write_text(json.dumps(truth))
    assert len(found_in(folder).faults) == 4
    assert all(isinstance(fault, DataError) for fault in found_in(folder).faults)


@pytest.mark.parametrize(
    ("name", "kind", "numbers"),
    [
        ("pack_dev/davis_dev", "ytvis", (9, 277, 13)),
        ("pack_test/vis_tiny", "ytvis", (5, 67, 16)),
        ("pack_test/coco_tiny", "coco", (40, 40, 337)),
        ("pack_train/coco_person", "coco", (707, 707, 707)),
    ],
)
def test_real_sets_are_sound_and_hold_what_their_sources_say(shared, name, kind, numbers):
    result = found_in(shared / "data" / name)
    assert not result.faults
    assert result.dataset.kind == kind
    held = result.dataset.annotations
    frames = sum(video.length for video in held.videos.values())
    assert (len(held.videos), frames, sum(map(len, held.tracks.values()))) == numbers


def test_what_means_nothing_visible_is_read(folder, truth):
    first = truth["annotations"][0]
    first |= {"iscrowd": None, "bboxes": None, "areas": None}
    first["segmentations"][1] = []
    second = truth["annotations"][1]
    second["bboxes"] = [[] if mask is None else [0, 0, 8, 6] for mask in second["segmentations"]]
    (folder / "instances.json").write_text(json.dumps(truth))
    result = found_in(folder)
    assert not result.faults
    assert list(result.dataset.annotations.tracks[3][0].masks) == [0]


def test_a_set_whose_objects_no_frame_shows_is_a_fault(folder, truth):
    for record in truth["annotations"]:
        record["segmentations"] = [None for _ in record["segmentations"]]
        record |= {"bboxes": None, "areas": None}
    (folder / "instances.json").write_text(json.dumps(truth))
    only_fault(folder, "no frame shows any of its objects")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("A.JPG", "a.jpg"),
        ("a%20b.jpg", "a b.jpg"),
        ("r\u00e4.jpg", "ra\u0308.jpg"),
        ("a.png", "a.jpg"),
    ],
)
def test_a_file_that_is_called_a_little_otherwise_is_named(coco, name, file):
    value = json.loads((coco / "instances.json").read_text())
    for picture in coco.rglob("*.jpg"):
        picture.unlink()
    (coco / file).write_bytes(b"")
    value["images"] = [value["images"][0] | {"file_name": name}]
    value["annotations"] = [
        one for one in value["annotations"] if one["image_id"] == value["images"][0]["id"]
    ]
    (coco / "instances.json").write_text(json.dumps(value))
    only_fault(coco, f"not found, the first is {name}; there is {file}")


def test_a_folder_of_anything_is_not_called_davis(tmp_path):
    (tmp_path / "sub").mkdir()
    only_fault(tmp_path, "nothing in this folder says what data set it is")
