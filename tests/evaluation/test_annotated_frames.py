"""What frames show that nobody annotated counts neither for nor against a result."""

from dataclasses import replace

import pytest

from tests.evaluation.conftest import a_set, boxes, still
from vis.errors import DataError
from vis.evaluation.evaluate import METRICS, evaluate

KNOWN = (0, 2, 4)


def in_part(truth, frames):
    videos = {id_: replace(v, annotated_frames=frames) for id_, v in truth.videos.items()}
    return replace(truth, videos=videos)


def numbers(truth, results, **more):
    found = evaluate(truth, results, metrics=METRICS, threshold=0.0, **more).numbers
    return {name: value for name, value in found.items() if name != "jf"}, found["jf"]["J&F"]


def test_results_in_unknown_frames_change_no_number():
    truth = in_part(a_set({1: [still(1, 1, 4, 4, frames=KNOWN)]}), KNOWN)
    exact = {1: [still(5, 1, 4, 4, 0.9, frames=KNOWN)]}
    wild = boxes(5, 1, {0: (4, 4), 1: (20, 0), 2: (4, 4), 3: (0, 0), 4: (4, 4)}, 0.9)
    elsewhere = still(6, 1, 12, 12, 0.95, frames=(1, 3))
    plain, regions = numbers(truth, exact)
    best = [plain["AP"], plain["identity"]["HOTA"], plain["miou"]["mIoU"], regions]
    assert best == pytest.approx([1] * 4)
    assert numbers(truth, {1: [wild, elsewhere]}) == (plain, regions)
    # where all frames are annotated, the same results are wrong there
    assert numbers(in_part(truth, None), {1: [wild, elsewhere]})[0]["AP"] < 1


def test_the_first_and_last_annotated_frame_are_not_judged_of_followed_objects():
    truth = in_part(a_set({1: [still(1, 1, 4, 4)]}), KNOWN)
    followed = {1: [boxes(1, 1, {0: (0, 0), 2: (4, 4), 4: (0, 0)})]}
    found = evaluate(truth, followed, metrics=["jf"], protocol="semi-supervised")
    assert found["jf"]["J&F"] == 1


def test_a_video_without_an_annotated_frame_is_left_out_and_results_are_still_checked(tmp_path):
    truth = a_set({1: [still(1, 1, 4, 4)], 2: []})
    videos = {**truth.videos, 2: replace(truth.videos[2], annotated_frames=())}
    truth = replace(truth, videos=videos)
    results = {1: [still(5, 1, 4, 4, 0.9)], 2: [still(6, 1, 4, 4, 0.99)]}
    found = evaluate(truth, results)
    assert found["AP"] == pytest.approx(1)
    assert found.report(tmp_path).is_file()
    with pytest.raises(DataError, match="frame 9"):
        evaluate(truth, {1: [still(5, 1, 4, 4, frames=(9,))]})
