import json
import re
from dataclasses import replace

import pytest

from vis.errors import DataError, UsageError
from vis.evaluation.coco import evaluate_pictures, results_of_tracks
from vis.formats.coco import read_coco
from vis.formats.coco_results import PictureResult, read_coco_results


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "data" / "pack_test" / "eval_refs" / "coco_fake100"


@pytest.fixture(scope="module")
def pictures(folder):
    return read_coco(folder / "instances_val2014_100.json")


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_numbers_that_coco_published(folder, pictures, kind):
    results = read_coco_results(folder / f"instances_val2014_fake{kind}100_results.json", pictures)
    text = (folder / "val2014_fake_eval_res.txt").read_text()
    section = text.split(f"type={kind}")[1].split("type=")[0]
    expected = [float(number) for number in re.findall(r"\] = (-?[\d.]+)", section)]
    assert len(expected) == 12
    found = evaluate_pictures(pictures, results, kind)
    assert [round(value, 3) for value in found.values()] == expected


def one_frame(make):
    return make.set({1: [make.still(4, 1, 4, 4, frames=[0])], 2: []}, frames=1)


def test_pictures_are_videos_of_one_frame(make):
    truth = one_frame(make)
    perfect = {1: [make.still(0, 1, 4, 4, 0.5, frames=[0])]}
    for kind in ("bbox", "segm"):
        assert evaluate_pictures(truth, results_of_tracks(perfect), kind)["AP"] == pytest.approx(1)
        assert evaluate_pictures(truth, [], kind)["AP"] == 0
    wrong = {2: perfect[1]}
    assert evaluate_pictures(truth, results_of_tracks(wrong), "segm")["AP"] == 0


def test_stated_boxes_and_areas_count(make):
    truth = one_frame(make)
    stated = replace(truth, track_extra={4: {"bbox": [20, 4, 8, 8], "area": 2000}})
    result = [PictureResult(1, 1, 0.5, box=(20, 4, 8, 8))]
    assert evaluate_pictures(truth, result, "bbox")["AP"] == 0
    numbers = evaluate_pictures(stated, result, "bbox")
    assert (numbers["APm"], numbers["APs"]) == (pytest.approx(1), -1)


def test_what_results_lack_is_said(make):
    with pytest.raises(UsageError, match="result 1 has no mask"):
        evaluate_pictures(one_frame(make), [PictureResult(1, 1, 0.5, box=(0, 0, 4, 4))], "segm")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": 9}, r"results\[0\]: image_id 9 names no sound record"),
        ({"category_id": 9}, "category_id 9 names no sound record"),
        ({"score": float("nan")}, r"results\[0\]: score is nan"),
        ({"bbox": None}, "neither bbox nor segmentation"),
        ({"bbox": [1, 2, 3]}, "the box is a list of 3, not"),
        ({"bbox": [1, 2, -3, 4]}, r"the box is \[1, 2, -3, 4\], not"),
        ({"segmentation": {"size": [24, 32], "counts": "1"}}, "the runs cover 1 pixels"),
        ({"segmentation": {"size": [32, 24], "counts": "1"}}, "swapped"),
    ],
)
def test_a_faulty_record_is_named(make, tmp_path, change, said):
    record = {"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [0, 0, 4, 4]}
    path = tmp_path / "results.json"
    path.write_text(json.dumps([record | change, record]))
    with pytest.raises(DataError, match=said) as caught:
        read_coco_results(path, one_frame(make))
    assert caught.value.where.startswith(str(path))
    assert caught.value.remedy


def test_all_faults_are_collected(make, tmp_path):
    record = {"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [0, 0, 4, 4]}
    (tmp_path / "r.json").write_text(json.dumps([record | {"score": 2}, record, 5]))
    faults = []
    found = read_coco_results(tmp_path / "r.json", one_frame(make), faults)
    assert (len(found), len(faults)) == (1, 2)


@pytest.mark.parametrize(
    ("value", "what"), [({}, "an object"), ([{"video_id": 1}], "YouTube-VIS results")]
)
def test_another_kind_of_file_is_refused(make, tmp_path, value, what):
    (tmp_path / "r.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=f"this is {what}, not COCO results"):
        read_coco_results(tmp_path / "r.json", one_frame(make))
