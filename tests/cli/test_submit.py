"""`vis submit`: what it prints, what it writes, and its exit codes."""

import json
import zipfile

import pytest

from vis.cli import main
from vis.errors import EXIT_DAMAGED, EXIT_OK, DataError, OutputExistsError

MASK = {"size": [4, 5], "counts": "6>"}


@pytest.fixture
def split(tmp_path):
    video = {"id": 1, "width": 5, "height": 4, "length": 2, "file_names": ["a/0.jpg", "a/1.jpg"]}
    other = video | {"id": 2, "file_names": ["b/0.jpg", "b/1.jpg"]}
    value = {"videos": [video, other], "categories": [{"id": 3, "name": "cat"}]}
    (tmp_path / "valid.json").write_text(json.dumps(value))
    return str(tmp_path / "valid.json")


@pytest.fixture
def submit(split, tmp_path):
    def run(records, *more):
        (tmp_path / "results.json").write_text(json.dumps(records))
        arguments = [str(tmp_path / "results.json"), "--videos", split]
        return main(["submit", *arguments, "-o", str(tmp_path / "results.zip"), *more])

    return run


def record(video_id, **others):
    entry = {"video_id": video_id, "category_id": 3, "score": 0.5, "segmentations": [MASK, None]}
    return entry | others


def test_sound_results_are_written_once(submit, tmp_path, capsys):
    assert submit([record(1), record(2)]) == EXIT_OK
    assert capsys.readouterr().out.endswith("results.zip: 2 videos, 0 problems, 2 results\n")
    assert zipfile.is_zipfile(tmp_path / "results.zip")
    assert submit([record(1), record(2)]) == OutputExistsError.exit_code
    assert submit([record(1), record(2)], "--overwrite") == EXIT_OK


def test_every_problem_is_listed_with_record_and_remedy(submit, tmp_path, capsys):
    records = [record(1), record(9), record(1, category_id=8), record(1, score=float("nan"))]
    assert submit(records) == DataError.exit_code
    said = capsys.readouterr()
    for line in ("results[1]: video_id 9", "results[2]: category_id 8", "results[3]: score is nan"):
        assert line in said.out
    assert "video 2 (b): it has no result" in said.out
    assert "1 x Track it, unless nothing is in it.\n" in said.out
    assert "there are 4 problems. Nothing was written." in said.err
    assert not (tmp_path / "results.zip").exists()


def test_lenient_leaves_the_faulty_records_out(submit, tmp_path, capsys):
    assert submit([record(1), record(9)], "--lenient") == EXIT_DAMAGED
    assert "2 videos, 2 problems, 1 results" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert json.loads(archive.read("results.json")) == [record(1)]
