"""What a server is sent: every problem is found before, and the archive is what it reads."""

import json
import zipfile

import pytest

from vis.errors import DataError, OutputExistsError
from vis.formats.submission import MOST, read_submission, write_submission


@pytest.fixture
def split(write, truth):
    """The file of a split whose truth is not public."""
    return write(truth | {"annotations": None}, "valid.json")


def test_sound_results_have_no_problem_and_become_one_file_at_the_top(
    write, split, results, tmp_path
):
    found = read_submission(write(results, "results.json"), split)
    assert found.problems == []
    write_submission(tmp_path / "results.zip", found)
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
        assert json.loads(archive.read("results.json")) == results


def test_the_same_results_give_the_same_bytes(write, split, results, tmp_path):
    found = read_submission(write(results, "results.json"), split)
    write_submission(tmp_path / "a.zip", found)
    write_submission(tmp_path / "b.zip", found)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(OutputExistsError):
        write_submission(tmp_path / "a.zip", found)
    write_submission(tmp_path / "a.zip", found, overwrite=True)


@pytest.mark.parametrize(
    ("place", "new", "said"),
    [
        ((0, "video_id"), 99, "video_id 99 names no"),
        ((0, "category_id"), 1, "category_id 1 names no"),
        ((0, "score"), float("nan"), "score is nan"),
        ((0, "score"), 1.5, r"score is 1\.5"),
        ((0, "segmentations"), [None], "has 1 entries but the video has 2 frames"),
        ((0, "segmentations", 0), {"size": [8, 6], "counts": [48]}, "size is 8 x 6"),
        ((0, "segmentations", 0, "counts"), "7", "the runs cover 7 pixels"),
    ],
)
def test_a_problem_names_file_and_record_and_the_rest_is_kept(
    write, split, results, changed, place, new, said
):
    path = write(changed(results, place, new), "results.json")
    found = read_submission(path, split)
    assert len(found.problems) == 1
    assert str(found.problems[0]).startswith(f"{path}: results[0]: ")
    assert found.problems[0].remedy
    with pytest.raises(DataError, match=said):
        raise found.problems[0]
    assert found.results == 2


def test_a_video_without_a_result_is_a_problem(write, split, results):
    found = read_submission(write(results[::2], "results.json"), split)
    assert [fault.what for fault in found.problems] == ["it has no result"]
    assert "video 7 (a)" in found.problems[0].where


def test_of_too_many_results_the_best_are_kept_in_their_order(write, split, results):
    surplus = [results[1] | {"score": n / 200} for n in range(MOST + 3)]
    found = read_submission(write(results + surplus, "results.json"), split)
    assert "it has 104 results, at most 100" in found.problems[0].what
    kept = found.tracks[7]
    assert len(kept) == MOST
    assert [track.id for track in kept] == sorted(track.id for track in kept)
    assert min(track.score for track in kept) == 4 / 200


@pytest.mark.parametrize("content", ["[]", ""])
def test_nothing_at_all_is_not_sent(split, tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    found = read_submission(path, split)
    with pytest.raises(DataError, match="no sound result"):
        write_submission(tmp_path / "results.zip", found)
    assert not (tmp_path / "results.zip").exists()
