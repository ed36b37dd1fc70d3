import pytest

from vis.errors import DataError
from vis.formats.reading import kinds_of
from vis.formats.ytvis import read_annotations, read_results
from vis.ops import rle

TURNED = {"size": [8, 6], "counts": [48]}
RESULT_FAULTS = [
    ((1,), None, r"results\[1\]: this is null, not an object"),
    ((1, "video_id"), ..., r"results\[1\]: video_id is missing"),
    ((1, "video_id"), "7", r"results\[1\]: video_id is text '7'"),
    ((1, "category_id"), 5.5, r"results\[1\]: category_id is 5\.5"),
    ((1, "score"), ..., r"results\[1\]: score is missing"),
    ((1, "score"), None, r"results\[1\]: score is null, not a number from 0 to 1"),
    ((1, "score"), True, "score is true"),
    ((1, "score"), "0.5", "score is text '0.5'"),
    ((1, "score"), 1.5, r"score is 1\.5, not a number from 0 to 1"),
    ((1, "score"), -0.1, "score is -0.1"),
    ((1, "segmentations"), ..., r"results\[1\]: segmentations is missing"),
    ((1, "segmentations"), TURNED, "segmentations is an object, not a list"),
    ((0, "segmentations", 0, "counts"), "7", r"results\[0\]: frame 0: the runs cover 7 pixels"),
    (
        (2, "segmentations", 1, "counts"),
        [0] * 900,
        r"results\[2\]: frame 1: counts has 900 entries",
    ),
    (
        (2, "segmentations", 1, "size"),
        None,
        r"results\[2\]: frame 1: size is not two whole numbers",
    ),
    ((2, "segmentations", 1), 5, r"results\[2\]: frame 1: a mask is an object"),
    ((2, "segmentations"), [None] * 3, r"results\[2\]: segmentations has 3 entries but"),
]
WITH_TRUTH = [
    ((1, "video_id"), 4, r"results\[1\]: video_id 4 names no .* among the videos of the truth"),
    ((1, "category_id"), 1, r"results\[1\]: category_id 1 names no .* categories of the truth"),
    ((1, "segmentations"), [None, None], "has 2 entries but the video has 1 frames"),
    ((1, "segmentations"), [], "has 0 entries but the video has 1 frames"),
    ((1, "segmentations", 0), TURNED, r"results\[1\]: frame 0: size is 8 x 6 .* swapped"),
]
WITHOUT_TRUTH = [
    ((0, "segmentations", 0), [[1, 1, 5, 1, 5, 5]], r"results\[0\]: frame 0: polygons do not say"),
    ((2, "segmentations", 1), TURNED, r"results\[2\]: the masks are 8 x 6 but .* are 6 x 8"),
    ((2, "segmentations", 0), TURNED, r"results\[2\]: frame 1: size is 6 x 8 but .* 8 x 6"),
]


@pytest.mark.parametrize(
    ("known", "place", "new", "said"),
    [(True, *fault) for fault in RESULT_FAULTS + WITH_TRUTH]
    + [(False, *fault) for fault in RESULT_FAULTS + WITHOUT_TRUTH],
)
def test_a_faulty_result_is_named_with_file_and_place(
    write, truth, results, changed, known, place, new, said
):
    path = write(changed(results, place, new), "results.json")
    whole = read_annotations(write(truth)) if known else None
    with pytest.raises(DataError, match=said) as caught:
        read_results(path, whole)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy
    faults = []
    found = read_results(path, whole, faults)
    assert [str(fault) for fault in faults] == [str(caught.value)]
    assert sum(map(len, found.values())) == 2


def test_polygons_in_results_take_their_size_from_the_truth(write, truth, results, changed):
    path = write(changed(results, (0, "segmentations", 0), [[0, 0, 8, 0, 8, 6, 0, 6]]))
    found = read_results(path, read_annotations(write(truth, "gt.json")))
    assert rle.area(found[3][0].masks[0]) == 48


def test_a_faulty_result_does_not_shift_the_ids_of_the_others(write, results, changed):
    faults = []
    found = read_results(write(changed(results, (0, "score"), 2)), None, faults)
    assert [track.id for tracks in found.values() for track in tracks] == [2, 3]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"videos": []}, "this is YouTube-VIS annotations, not YouTube-VIS results"),
        ({"images": []}, "this is COCO annotations of single pictures, not YouTube-VIS results"),
        ([{"image_id": 4, "category_id": 1}], "COCO results of single pictures"),
        (None, "this is null, not YouTube-VIS results"),
    ],
)
def test_another_kind_of_file_is_no_results_file(write, value, said):
    with pytest.raises(DataError, match=said):
        read_results(write(value))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_not_finite_is_a_fault_of_its_record(write, results, changed, number):
    path = write(changed(results, (1, "score"), number), "results.json")
    with pytest.raises(DataError, match=rf"results\[1\]: score is {number}"):
        read_results(path)
    faults = []
    assert sum(map(len, read_results(path, None, faults).values())) == 2


def test_a_file_without_content_is_a_fault_that_can_be_taken(tmp_path):
    path = tmp_path / "results.json"
    path.touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_results(path)
    faults = []
    assert read_results(path, None, faults) == {}
    assert [str(fault) for fault in faults] == [
        f"{path}: the file is empty. Make or fetch it again."
    ]
    path.write_text("[{")
    with pytest.raises(DataError, match="cut off"):
        read_results(path, None, faults)


def test_faults_of_one_kind_are_counted_together():
    said = ["score is 1.5", "score is -2e9", "there is no 'cat'", "score is nan", "there is no 'a'"]
    assert kinds_of(DataError(what) for what in said) == {
        "score is N": 2,
        "there is no '...'": 2,
        "score is nan": 1,
    }
