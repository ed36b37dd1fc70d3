"""Results as folders of pictures: matched by names and numbers, never by place."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vis.cli import main
from vis.errors import DataError, UsageError
from vis.evaluation.evaluate import evaluate
from vis.formats.davis import write_davis
from vis.formats.mots import write_mots
from vis.formats.opening import open_set
from vis.formats.ytvis import write_results
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track

HEIGHT, WIDTH, FRAMES = 20, 30, 6


def box(track_id, label, x, frames=range(FRAMES), crowd=False):
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[4:14, x : x + 6] = True
    return Track(track_id, label, 1.0, dict.fromkeys(frames, rle.encode(mask)), crowd)


def a_set(tracks, labels=("object",)):
    videos = {
        key: VideoEntry(
            key, name, WIDTH, HEIGHT, FRAMES, tuple(f"{name}/{n:05d}.jpg" for n in range(FRAMES))
        )
        for key, name in ((1, "cat"), (2, "dog"))
    }
    categories = {n: Category(n, name) for n, name in enumerate(labels, 1)}
    return AnnotationSet(categories=categories, videos=videos, tracks=tracks)


@pytest.fixture
def truth(tmp_path):
    write_davis(tmp_path / "gt", a_set({1: [box(1, 1, 0), box(2, 1, 10)], 2: [box(3, 1, 20)]}))
    return tmp_path / "gt" / "Annotations"


def written(folder, tracks):
    write_davis(folder, a_set(tracks))
    return folder / "Annotations"


def test_a_folder_is_paired_by_numbers_unless_it_is_said_otherwise(truth, tmp_path):
    """Both objects are found, each under the other's number."""
    swapped = written(tmp_path / "a", {1: [box(1, 1, 10), box(2, 1, 0)], 2: [box(3, 1, 20)]})
    by_number = evaluate(truth, swapped, metrics=("jf",)).numbers["jf"]
    assert by_number["protocol"] == "semi-supervised"
    assert by_number["J_mean"] == pytest.approx(1 / 3)
    cat, other, dog = by_number["objects"]
    assert (cat["video"], cat["number"], other["number"]) == ("cat", 1, 2)
    assert cat["J"] == [None, 0, 0, 0, 0, None]
    assert dog["J"] == [None, 1, 1, 1, 1, None]
    by_fit = evaluate(truth, swapped, metrics=("jf",), protocol="unsupervised").numbers["jf"]
    assert by_fit["J_mean"] == 1
    assert by_fit["objects"][0]["result"] == 2


def test_videos_and_frames_are_matched_by_name(truth, tmp_path):
    """One video is missing, so that the other's place is not the truth's."""
    results = written(tmp_path / "a", {1: [], 2: [box(1, 1, 20)]})
    for picture in (results / "cat").iterdir():
        picture.unlink()
    (results / "cat").rmdir()
    found = evaluate(truth, results, metrics=("jf",))
    assert [len(found.results[key]) for key in (1, 2)] == [0, 1]
    assert found.numbers["jf"]["objects"][2]["J_mean"] == 1
    (results / "dog" / "00002.png").unlink()
    with pytest.raises(DataError, match=r"dog: 1 of 6 frames of the truth are missing: '00002'"):
        evaluate(truth, results)
    (results / "dog").rename(results / "cow")
    with pytest.raises(DataError, match=r"cow: the truth has no video of this name"):
        evaluate(truth, results)
    assert sum(evaluate(truth, results, lenient=True).skipped.values()) == 1


def test_a_mots_folder_of_results_has_the_numbers_of_the_same_tracks(tmp_path):
    labels = ("car", "person")
    true = a_set({1: [box(7, 1, 0), box(8, 2, 12)], 2: [box(9, 1, 5)]}, labels)
    given = {1: [box(1, 2, 13), box(2, 1, 1, range(3))], 2: [box(3, 1, 5), box(4, 2, 20)]}
    write_mots(tmp_path / "truth", true)
    write_mots(tmp_path / "results", a_set(given, labels))
    expected = evaluate(true, given, metrics=("identity", "miou"))
    found = evaluate(tmp_path / "truth", tmp_path / "results", metrics=("identity", "miou"))
    for metric in ("identity", "miou"):
        assert found.others[metric] == expected.others[metric]
    assert found["AP"] == expected["AP"]


def test_regions_that_nobody_judged_are_no_results(truth, tmp_path):
    results = written(tmp_path / "a", {1: [box(1, 1, 0), box(2, 1, 10, crowd=True)], 2: []})
    assert [track.id for track in evaluate(truth, results).results[1]] == [1]


def test_pictures_of_one_bit_are_one_object(truth, tmp_path):
    results = written(tmp_path / "a", {1: [box(1, 1, 0)], 2: [box(1, 1, 20)]})
    for path in results.rglob("*.png"):
        with Image.open(path) as image:
            numbers = np.array(image)
        Image.fromarray(numbers > 0).save(path)
    assert evaluate(truth, results, metrics=("jf",))["jf"]["J_mean"] == pytest.approx(2 / 3)


def test_numbers_are_asked_only_of_results_that_have_them(truth, tmp_path):
    tracks = open_set(truth).annotations.tracks
    write_results(tmp_path / "r.json", tracks, {1: FRAMES, 2: FRAMES})
    with pytest.raises(UsageError, match="no numbers of objects"):
        evaluate(truth, tmp_path / "r.json", metrics=("jf",), protocol="semi-supervised")
    assert evaluate(truth, tracks, metrics=("jf",), protocol="semi-supervised")["jf"]["J&F"] == 1


def test_the_command_reads_folders_and_says_names_without_places(truth, tmp_path, capsys):
    out = tmp_path / "n.json"
    arguments = ["evaluate", "--truth", truth, "--results", truth, "--metrics", "jf,identity,miou"]
    asked = ["--any-category", "--json", out, "--report", tmp_path / "out"]
    assert main([*map(str, [*arguments, *asked])]) == 0
    said = capsys.readouterr().out
    assert "truth    Annotations: 2 videos" in said
    assert str(truth) not in said + (tmp_path / "out" / "report.html").read_text()
    numbers = json.loads(out.read_text())
    assert numbers["AP"] == pytest.approx(1)
    assert numbers["AP_per_category"] == {}
    assert numbers["identity"]["per_category"]["1"]["HOTA"] == pytest.approx(1)
    assert numbers["miou"]["IoU_per_category"] == {"background": 1, "1": 1}


def test_without_categories_a_wrong_name_costs_nothing(tmp_path):
    true = a_set({1: [box(1, 1, 0)], 2: [box(2, 2, 5)]}, ("a", "b"))
    wrong = {key: [replace(t, label=3 - t.label) for t in true.tracks[key]] for key in (1, 2)}
    assert evaluate(true, wrong)["AP"] == 0
    assert evaluate(true, wrong, by_category=False)["AP"] == pytest.approx(1)
