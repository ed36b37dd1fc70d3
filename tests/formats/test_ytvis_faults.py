import pytest

from vis.errors import DataError
from vis.formats.ytvis import read_annotations, read_results, read_videos

CATEGORY, VIDEO, ANNOTATION = ("categories", 1), ("videos", 0), ("annotations", 0)
FIRST = r"annotations\[0\] \(id 40\): "
MASK, BOX = (*ANNOTATION, "segmentations", 0), (*ANNOTATION, "bboxes", 0)
NAME = (*VIDEO, "file_names", 1)

RECORD_FAULTS = [
    (CATEGORY, None, r"categories\[1\]: this is null, not an object"),
    (CATEGORY, [1], r"categories\[1\]: this is a list of 1, not an object"),
    ((*CATEGORY, "id"), ..., r"categories\[1\]: id is missing"),
    (
        (*CATEGORY, "id"),
        "5",
        r"categories\[1\] \(id text '5'\): id is text '5', not a whole number",
    ),
    ((*CATEGORY, "id"), True, "id is true, not a whole number"),
    ((*CATEGORY, "id"), 5.5, "id is 5.5, not a whole number"),
    ((*CATEGORY, "id"), -5, "id is -5, not 0 or more"),
    ((*CATEGORY, "id"), 2**63, "id is 9223372036854775808, not 0 or more"),
    ((*CATEGORY, "id"), 10**400, "id is a number of more than 20 digits"),
    ((*CATEGORY, "id"), 9, r"categories\[1\] \(id 9\): id 9 belongs to an earlier record"),
    ((*CATEGORY, "name"), ..., r"categories\[1\] \(id 5\): name is missing"),
    ((*CATEGORY, "name"), "", "name is text '', not a name"),
    ((*CATEGORY, "name"), 5, "name is 5, not a name"),
    (VIDEO, "b", r"videos\[0\]: this is text 'b', not an object"),
    ((*VIDEO, "id"), 7, r"videos\[1\] \(id 7\): id 7 belongs to an earlier record"),
    ((*VIDEO, "id"), None, r"videos\[0\] \(id null\): id is null"),
    ((*VIDEO, "name"), None, "name is null, not a name"),
    ((*VIDEO, "width"), ..., r"videos\[0\] \(id 3\): width is missing"),
    ((*VIDEO, "width"), 0, "width is 0, not 1 to 32768"),
    ((*VIDEO, "width"), 40_000, "width is 40000, not 1 to 32768"),
    ((*VIDEO, "height"), "6", "height is text '6', not a whole number"),
    ((*VIDEO, "height"), False, "height is false, not a whole number"),
    ((*VIDEO, "length"), ..., "length is missing"),
    ((*VIDEO, "length"), 0, "length is 0, not 1 or more"),
    ((*VIDEO, "length"), 3, "file_names has 2 entries but the video has 3 frames"),
    ((*VIDEO, "file_names"), ..., "file_names is missing"),
    ((*VIDEO, "file_names"), "b", "file_names is text 'b', not a list"),
    ((*VIDEO, "file_names"), ["b/0.jpg"], "file_names has 1 entries but the video has 2 frames"),
    (NAME, None, r"videos\[0\] \(id 3\): frame 1: a file name is null"),
    (NAME, "", "frame 1: a file name is text ''"),
    (NAME, "../b/1.jpg", r"frame 1: the file name '\.\./b/1\.jpg' leads out of its folder"),
    (NAME, "b/../../1.jpg", r"leads out of its folder by '\.\.'"),
    (NAME, "b/..", "leads out"),
    (NAME, "/etc/passwd", "the file name '/etc/passwd' is an absolute path"),
    (NAME, "C:/b/1.jpg", "starts with a drive letter"),
    (NAME, "c:1.jpg", "starts with a drive letter"),
    (NAME, "..\\..\\1.jpg", r"'\.\./\.\./1\.jpg' leads out"),
    (NAME, "C:\\b\\1.jpg", "starts with a drive letter"),
    (NAME, "\\\\server\\1.jpg", "is an absolute path"),
    (NAME, "b/1.jpg\0.png", "contains NUL"),
    (NAME, "b/" + "x" * 300 + "\0", r"'b/x+\.\.\.' contains NUL"),
    (ANNOTATION, 40, r"annotations\[0\]: this is 40, not an object"),
    ((*ANNOTATION, "id"), 41, r"annotations\[1\] \(id 41\): id 41 belongs to an earlier record"),
    ((*ANNOTATION, "id"), "40", r"\(id text '40'\): id is text '40', not a whole number"),
    ((*ANNOTATION, "video_id"), ..., FIRST + "video_id is missing"),
    ((*ANNOTATION, "video_id"), 4, FIRST + "video_id 4 names no sound record among videos"),
    ((*ANNOTATION, "category_id"), 6, FIRST + "category_id 6 names no .* among categories"),
    ((*ANNOTATION, "category_id"), None, FIRST + "category_id is null"),
    ((*ANNOTATION, "iscrowd"), True, FIRST + "iscrowd is true, not a whole number"),
    ((*ANNOTATION, "iscrowd"), 2, FIRST + "iscrowd is 2, not 0 to 1"),
    ((*ANNOTATION, "width"), 6, FIRST + "width is 6 but that of video 3 is 8"),
    ((*ANNOTATION, "height"), None, FIRST + "height is null, not a whole number"),
    ((*ANNOTATION, "segmentations"), ..., FIRST + "segmentations is missing"),
    ((*ANNOTATION, "segmentations"), None, FIRST + "segmentations is null, not a list"),
    ((*ANNOTATION, "segmentations"), [], FIRST + "segmentations has 0 entries but .* 2 frames"),
    ((*ANNOTATION, "segmentations"), [None] * 3, FIRST + "segmentations has 3 entries but"),
    (MASK, 7, FIRST + "frame 0: a mask is an object with size and counts, not int"),
    (MASK, "eke0", FIRST + "frame 0: a mask is an object .* not str"),
    (MASK, {"counts": "eke0"}, FIRST + "frame 0: the mask has no size"),
    (
        MASK,
        {"size": [8, 6], "counts": [0]},
        FIRST + "frame 0: size is 8 x 6 but .* 6 x 8, the two sides are swapped",
    ),
    (
        MASK,
        {"size": [6, 7], "counts": [0]},
        FIRST + "frame 0: size is 6 x 7 but the picture is 6 x 8",
    ),
    ((*MASK, "counts"), "", FIRST + "frame 0: counts has 0 entries"),
    ((*MASK, "counts"), "7", FIRST + "frame 0: the runs cover 7 pixels but the mask has 48"),
    ((*MASK, "counts"), "[[[", FIRST + "frame 0: counts stops inside a number"),
    ((*MASK, "counts"), "0 1", FIRST + "frame 0: counts has byte 32 at 1"),
    ((*MASK, "counts"), [40, -1, 9], FIRST + r"frame 0: counts\[1\] is -1, outside 0 to 48"),
    ((*MASK, "counts"), [40, 8.5], FIRST + r"frame 0: counts\[1\] is float"),
    (MASK, [], FIRST + "frame 0: there is a box but no mask"),
    (MASK, [1, 1, 5, 1, 5, 5], FIRST + "frame 0: a polygon lies in no list"),
    (MASK, [[1, 1, 5, 1]], FIRST + "frame 0: polygon 0 has 4 numbers"),
    (MASK, [[1, 1, 5, 1, 5]], FIRST + "frame 0: polygon 0 has 5 numbers"),
    (
        MASK,
        [[1, 1, 5, 1, 5, 1e9]],
        FIRST + "frame 0: polygon 0: number 5 is 1e.09, outside -80..80",
    ),
    (MASK, [[1, 1, 5, 1, 5, True]], FIRST + "frame 0: polygon 0 holds bool"),
    ((*ANNOTATION, "bboxes"), 7, FIRST + "bboxes is 7, not a list"),
    ((*ANNOTATION, "bboxes"), [], FIRST + "bboxes has 0 entries but the video has 2 frames"),
    (
        BOX,
        [0, 0, 8],
        FIRST + r"frame 0: the box is a list of 3, not null or \[x, y, width, height\]",
    ),
    (BOX, [0, 0, 8, "6"], FIRST + r"frame 0: the box is a list of 4, not null"),
    (BOX, [0, 0, -8, 6], FIRST + r"frame 0: the box is \[0, 0, -8, 6\]"),
    (BOX, [8, 0, 2, 6], FIRST + "frame 0: the box .* leaves the picture of 8 x 6"),
    (BOX, [-9, 0, 8, 6], FIRST + "frame 0: the box .* leaves the picture of 8 x 6"),
    (BOX, {"x": 0}, FIRST + r"frame 0: the box is an object"),
    (BOX, None, FIRST + "frame 0: there is a mask but no box"),
    (BOX, [0, 0, 0, 0], FIRST + "frame 0: there is a mask but no box"),
    (MASK, None, FIRST + "frame 0: there is a box but no mask"),
    ((*ANNOTATION, "areas"), [1], FIRST + "areas has 1 entries"),
    ((*ANNOTATION, "areas", 0), -1, FIRST + "frame 0: the area is -1, not null or a number"),
    ((*ANNOTATION, "areas", 1), "2", FIRST + "frame 1: the area is text '2'"),
]

FILE_FAULTS = [
    (None, "this is null, not YouTube-VIS annotations"),
    (7, "this is 7, not YouTube-VIS annotations"),
    ([], "this is a list of 0, not YouTube-VIS annotations"),
    ({}, "this is an empty object"),
    ({"a": 1, "b": 2}, "this is an object with the keys 'a', 'b', not"),
    ([{"video_id": 3}], "this is YouTube-VIS results, not YouTube-VIS annotations"),
    ([{"image_id": 1, "score": 1}], "this is COCO results of single pictures"),
    ({"images": [], "annotations": [], "categories": []}, "COCO annotations of single pictures"),
    (
        {"videos": [{"id": 1}], "images": [{"video_id": 1}], "annotations": [], "categories": []},
        "this is CocoVID annotations by frame",
    ),
]

LIST_FAULTS = [
    ("annotations", None, "annotations is null: the truth .* not in this file"),
    ("annotations", ..., "annotations is missing: the truth"),
    ("annotations", {}, "annotations is an object, not a list"),
    ("categories", ..., "categories is missing, not a list of categories"),
    ("categories", [], "categories is a list of 0"),
    ("videos", None, "videos is null, not a list of videos"),
    ("videos", [], "videos is a list of 0"),
]


def test_the_files_that_the_faults_are_made_from_are_sound(write, truth, results):
    whole = read_annotations(write(truth))
    assert {video: len(tracks) for video, tracks in whole.tracks.items()} == {3: 1, 7: 1}
    found = read_results(write(results, "results.json"), whole)
    assert {video: len(tracks) for video, tracks in found.items()} == {3: 2, 7: 1}


@pytest.mark.parametrize(("place", "new", "said"), RECORD_FAULTS)
def test_a_faulty_record_is_named_with_file_and_place(write, truth, changed, place, new, said):
    path = write(changed(truth, place, new))
    with pytest.raises(DataError, match=said) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("place", "new", "said"), RECORD_FAULTS)
def test_faults_are_collected_and_the_rest_is_read(write, truth, changed, place, new, said):
    path = write(changed(truth, place, new))
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    faults = []
    whole = read_annotations(path, faults)
    assert str(faults[0]) == str(caught.value)
    assert all(isinstance(fault, DataError) for fault in faults)
    kept = len(whole.videos) + len(whole.categories) + sum(map(len, whole.tracks.values()))
    # what names a faulty video or category is left out without a fault of its own
    assert kept + len(faults) == 6 or (place[0] != "annotations" and kept + len(faults) == 5)


def test_all_faults_of_a_file_are_collected_in_order(write, truth):
    value = truth
    value["videos"].append({"id": 8})
    value["annotations"][0]["segmentations"][0]["counts"] = "7"
    value["annotations"].append({**value["annotations"][1], "id": 50, "category_id": 1})
    value["annotations"].append({**value["annotations"][1], "id": 51})
    faults = []
    whole = read_annotations(write(value), faults)
    assert [fault.where.split(": ", 1)[1] for fault in faults] == [
        "videos[2] (id 8)",
        "annotations[0] (id 40): frame 0",
        "annotations[2] (id 50)",
    ]
    assert [track.id for track in whole.tracks[7]] == [41, 51]


@pytest.mark.parametrize(("value", "said"), FILE_FAULTS)
@pytest.mark.parametrize("read", [read_annotations, lambda path: read_annotations(path, [])])
def test_another_kind_of_file_is_called_by_its_name(write, read, value, said):
    path = write(value)
    with pytest.raises(DataError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy


@pytest.mark.parametrize(("key", "new", "said"), LIST_FAULTS)
def test_a_file_without_its_lists_says_which(write, truth, changed, key, new, said):
    path = write(changed(truth, [key], new))
    with pytest.raises(DataError, match=said) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy


def test_videos_alone_are_checked_as_strictly(write, truth, changed):
    with pytest.raises(DataError, match=r"videos\[0\] \(id 3\): length is 0"):
        read_videos(write(changed(truth, ("videos", 0, "length"), 0)))
    with pytest.raises(DataError, match="COCO annotations"):
        read_videos(write({"images": []}))
