"""The numbers of the YouTube-VIS reference evaluator, on plain and on odd files."""

import json

import pytest

from vis.evaluation.average_precision import evaluate_tracks
from vis.formats.ytvis import read_annotations, read_results

TRACKERS = ("all", "stm_only", "osvos_only", "rvos_only")


@pytest.mark.parametrize("name", ["small", "odd"])
def test_the_numbers_of_the_reference(shared, name):
    folder = shared / "golden" / "ytvis_eval"
    truth = read_annotations(folder / f"{name}_annotations.json")
    results = read_results(folder / f"{name}_results.json", truth)
    expected = json.loads((folder / f"{name}_expected.json").read_text())
    found = evaluate_tracks(truth, results)
    assert list(found.numbers) == list(expected["stats"])
    assert found.numbers == pytest.approx(expected["stats"], abs=1e-9)
    per_category = {int(key): value for key, value in expected["AP_per_category"].items()}
    assert found.per_category == pytest.approx(per_category, abs=1e-9)


@pytest.fixture(scope="module")
def davis(shared):
    """Truth, results, and which tracker each result is of, on real predictions."""
    folder = shared / "data" / "pack_test" / "eval_refs" / "ytvis_ap"
    truth = read_annotations(folder / "gt.json")
    records = json.loads((folder / "results.json").read_text())
    trackers = {place: record["tracker"] for place, record in enumerate(records, 1)}
    expected = json.loads((folder / "expected.json").read_text())["expected"]
    return truth, read_results(folder / "results.json", truth), trackers, expected


@pytest.mark.parametrize("by_category", [True, False])
@pytest.mark.parametrize("tracker", TRACKERS)
def test_real_predictions_with_and_without_categories(davis, tracker, by_category):
    truth, results, trackers, expected = davis
    chosen = {
        video: [track for track in tracks if tracker in ("all", f"{trackers[track.id]}_only")]
        for video, tracks in results.items()
    }
    found = evaluate_tracks(truth, chosen, by_category=by_category)
    # stated with six digits
    numbers = expected[f"{tracker}/useCats={int(by_category)}"]
    assert list(found.numbers.values()) == pytest.approx(numbers, abs=6e-7)
    if by_category:
        each = {int(k): v for k, v in expected[f"{tracker}/AP_per_category"].items()}
        assert found.per_category == pytest.approx(each, abs=6e-7)
