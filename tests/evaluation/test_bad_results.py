"""What an evaluation must not swallow: each is an error that names file and record."""

import json
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE
from vis.errors import DataError, InputError
from vis.evaluation.average_precision import evaluate_tracks
from vis.formats.ytvis import read_annotations, read_results, write_annotations
from vis.ops import rle

FRAMES = 3


@pytest.fixture
def truth(make, tmp_path):
    tracks = {video: [make.still(video, 1, 4, 4, frames=range(FRAMES))] for video in (1, 2)}
    write_annotations(tmp_path / "truth.json", make.set(tracks, frames=FRAMES))
    return read_annotations(tmp_path / "truth.json")


@pytest.fixture
def good(make):
    code = rle.to_coco(make.box_mask(4, 4))
    return {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [code] * FRAMES}


def mask(**changes):
    return {"segmentations": [{"size": [24, 32], "counts": "1"} | changes] + [None] * (FRAMES - 1)}


BAD = {
    "unknown video": ({"video_id": 3}, "video_id 3 names no sound record"),
    "unknown category": ({"category_id": 7}, "category_id 7 names no sound record"),
    "too short": ({"segmentations": [None]}, "has 1 entries but the video has 3 frames"),
    "too long": ({"segmentations": [None] * 4}, "has 4 entries but the video has 3 frames"),
    "no frames": ({"segmentations": []}, "has 0 entries but the video has 3 frames"),
    "score NaN": ({"score": float("nan")}, "score is nan"),
    "score infinite": ({"score": float("inf")}, "score is inf"),
    "score of text": ({"score": "0.5"}, "score is text"),
    "transposed": (mask(size=[32, 24], counts=[768]), "frame 0: size is 32 x 24 .* swapped"),
    "other size": (mask(size=[48, 64], counts=[3072]), "size is 48 x 64 but the picture is 24 x"),
    "short code": (mask(counts="1"), "the runs cover 1 pixels but the mask has 768"),
    "long code": (mask(counts=[1000]), r"counts\[0\] is 1000, outside 0 to 768"),
    "thousands of runs": (mask(counts="1" * 4000), "counts has 4000 entries"),
    "half a number": (mask(counts="o"), "counts stops inside a number"),
    "foreign characters": (mask(counts="\u20ac"), "counts has byte"),
    "empty code": (mask(counts=""), "counts has 0 entries"),
    "negative run": (mask(counts=[-1, 769]), r"counts\[0\] is -1"),
    "polygon of nothing": ({"segmentations": [[], None, None]}, "frame 0"),
}


@pytest.mark.parametrize(("changes", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_is_refused_with_its_place(truth, good, tmp_path, changes, said):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([good, good | changes]))
    with pytest.raises(DataError, match=said) as caught:
        read_results(path, truth)
    assert caught.value.where.startswith(f"{path}: results[1]")
    assert caught.value.remedy
    # lenient: the good one is still evaluated
    faults = []
    found = evaluate_tracks(truth, read_results(path, truth, faults))
    assert found.numbers["AP50"] == pytest.approx(51 / 101)
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), ("[{", "cut"), ("{}", "this is an empty object"), ("nonsense", "JSON")],
)
def test_a_file_that_is_none_is_refused(truth, tmp_path, text, said):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read_results(path, truth)
    assert caught.value.where == str(path)


def test_a_missing_file_is_said(truth, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_results(tmp_path / "nothing.json", truth)


def test_what_hangs_or_kills_the_reference_does_nothing_to_us(truth, good, tmp_path):
    """In a process of its own: a fault here would be an abort, not an exception."""
    code = mask(counts="0" * 2000)["segmentations"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps([good | {"segmentations": code}, good]))
    script = (
        "import sys; from vis.formats.ytvis import *;"
        "from vis.evaluation.average_precision import evaluate_tracks;"
        "truth = read_annotations(sys.argv[1]); faults = [];"
        "print(evaluate_tracks(truth, read_results(sys.argv[2], truth, faults)).numbers['AP'],"
        " len(faults))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "truth.json"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    ap, faults = done.stdout.split()
    assert (float(ap), faults) == (pytest.approx(51 / 101), "1")
