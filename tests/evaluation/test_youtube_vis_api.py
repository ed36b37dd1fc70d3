"""Scripts for the YouTube-VIS API run on a changed import."""

import json

import numpy as np
import pytest
from pycocotools import mask as native

from vis.errors import DataError, UsageError
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.youtube_vis_api import YTVOS, YTVOSeval
from vis.formats.ytvis import write_annotations, write_results
from vis.ops import rle


@pytest.fixture
def golden(shared):
    return shared / "golden" / "ytvis_eval"


def test_the_demo_script_prints_the_reference_s_lines_and_numbers(golden, capsys):
    annType = ["segm", "bbox", "keypoints"][0]
    ytvosGt = YTVOS(str(golden / "odd_annotations.json"))
    ytvosDt = ytvosGt.loadRes(str(golden / "odd_results.json"))
    vidIds = sorted(ytvosGt.getVidIds())
    ytvosEval = YTVOSeval(ytvosGt, ytvosDt, annType)
    ytvosEval.params.vidIds = vidIds
    ytvosEval.evaluate()
    ytvosEval.accumulate()
    ytvosEval.summarize()

    expected = json.loads((golden / "odd_expected.json").read_text())
    assert ytvosEval.stats.tolist() == pytest.approx(list(expected["stats"].values()), abs=1e-9)
    precision = ytvosEval.eval["precision"]
    assert precision.shape == (10, 101, 6, 4, 3)
    for place, label in enumerate(ytvosEval.params.catIds):
        known = precision[:, :, place, 0, -1]
        assert known.mean() == pytest.approx(expected["AP_per_category"][str(label)], abs=1e-9)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "loading annotations into memory..."
    assert "Evaluate annotation type *segm*" in lines
    small = " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.440"
    assert lines[-12:][3] == small
    assert lines[-1] == (
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000"
    )
    assert {match["video_id"] for match in ytvosEval.evalVids if match} <= set(vidIds)


def test_settings_choose_videos_categories_and_results(golden):
    truth = YTVOS(golden / "small_annotations.json")
    results = truth.loadRes(golden / "small_results.json")
    whole = evaluate(truth, results)
    one = evaluate(truth, results, catIds=[3])
    assert one[0] == pytest.approx(0.5061103253182461, abs=1e-9)
    assert evaluate(truth, results, vidIds=[4, 5, 6])[0] != whole[0]
    proposals = evaluate(truth, results, useCats=0)
    assert proposals[8] > whole[8]
    assert evaluate(truth, results, maxDets=[1, 1, 1])[6] == pytest.approx(whole[6])


def evaluate(truth, results, **settings):
    evaluation = YTVOSeval(truth, results)
    for name, value in settings.items():
        setattr(evaluation.params, name, value)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_our_own_face(make, seed, tmp_path):
    truth, results = make.random_set(seed)
    write_annotations(tmp_path / "truth.json", truth)
    lengths = {video.id: video.length for video in truth.videos.values()}
    write_results(tmp_path / "results.json", results, lengths)
    ytvos = YTVOS(tmp_path / "truth.json")
    stats = evaluate(ytvos, ytvos.loadRes(tmp_path / "results.json"))
    assert stats.tolist() == list(evaluate_tracks(truth, results).numbers.values())


@pytest.fixture
def small(golden):
    return YTVOS(golden / "small_annotations.json")


def test_the_index(small, capsys):
    assert small.getCatIds() == [1, 2, 3, 4]
    names = [category["name"] for category in small.loadCats([1, 2])]
    assert small.getCatIds(catNms=names) == [1, 2]
    assert small.getCatIds(catNms=names[1]) == [2]
    assert small.getCatIds(catIds=3) == [3]
    assert sorted(small.getVidIds()) == list(range(1, 13))
    assert sorted(small.getVidIds(catIds=2)) == [3, 8, 11]
    assert small.getVidIds(vidIds=[3, 4], catIds=[2]) == [3]
    assert small.loadVids(4)[0]["length"] == 6
    assert small.getAnnIds(vidIds=4) == [6, 7, 8, 9, 10]
    assert small.getAnnIds(vidIds=[4, 5], catIds=[1]) == [10, 12]
    assert small.getAnnIds(iscrowd=True) == [16, 19]
    assert len(small.getAnnIds()) == 25
    assert small.getAnnIds(vidIds=99) == []
    tiny = small.getAnnIds(areaRng=[0, 2000])
    assert all(ann["avg_area"] < 2000 for ann in small.loadAnns(tiny))
    assert 4 in tiny
    small.dataset["info"] = {"year": 2026}
    small.createIndex()
    small.info()
    assert capsys.readouterr().out == "creating index...\nindex created!\nyear: 2026\n"


def test_masks_of_every_coding(small):
    ann = small.loadAnns(13)[0]
    for frame, stated in enumerate(ann["segmentations"]):
        mask, code = small.annToMask(ann, frame), small.annToRLE(ann, frame)
        assert mask.shape == (360, 200)
        assert mask.dtype == np.uint8
        assert (rle.decode(rle.parse_rle(code)) == mask).all()
        assert mask.any() == (stated is not None)


def test_results_from_a_list_with_numpy_s_numbers_and_bytes(small):
    code = native.encode(np.asfortranarray(small.annToMask(small.anns[1], 0)))
    record = {
        "video_id": np.int64(1),
        "category_id": 3,
        "score": np.float32(0.5),
        "segmentations": [code] + [None] * 10,
    }
    results = small.loadRes([record])
    found = results.loadAnns(results.getAnnIds(vidIds=[1]))[0]
    assert found["id"] == 1
    assert found["areas"] == [5554] + [None] * 10
    assert found["avg_area"] == 5554
    assert found["bboxes"][1] is None
    assert "id" not in record
    assert evaluate(small, results)[0] == 0


def test_no_result_at_all_is_allowed(small):
    assert evaluate(small, small.loadRes([]))[0] == 0


def test_files_of_test_videos_list_videos_alone(golden, tmp_path):
    value = json.loads((golden / "small_annotations.json").read_text())
    del value["annotations"]
    (tmp_path / "valid.json").write_text(json.dumps(value))
    ytvos = YTVOS(tmp_path / "valid.json")
    assert len(ytvos.getVidIds()) == 12
    assert ytvos.getAnnIds() == []


def test_an_empty_one_is_filled_by_hand(golden):
    ytvos = YTVOS()
    assert (ytvos.anns, ytvos.getVidIds()) == ({}, [])
    ytvos.dataset = json.loads((golden / "small_annotations.json").read_text())
    ytvos.createIndex()
    assert len(ytvos.anns) == 25


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"score": float("nan")}, r"given: results\[0\]: score is nan"),
        ({"video_id": 99}, "video_id 99 names no sound record"),
        ({"category_id": 9}, "category_id 9 names no sound record"),
        ({"segmentations": [None]}, "has 1 entries but the video has 11 frames"),
        (
            {"segmentations": [{"size": [240, 240], "counts": "1"}] + [None] * 10},
            "frame 0: the runs cover 1 pixels but the mask has 57600",
        ),
    ],
)
def test_what_crashed_or_misled_the_reference_is_refused(small, changes, said):
    record = {"video_id": 1, "category_id": 3, "score": 1.0, "segmentations": [None] * 11}
    with pytest.raises(DataError, match=said):
        small.loadRes([record | changes])


def test_boxes_are_refused(small):
    with pytest.raises(UsageError, match="iouType is 'bbox'"):
        YTVOSeval(small, small, "bbox")
    with pytest.raises(UsageError, match="no truth or no result"):
        YTVOSeval(small).evaluate()
