"""A split without truth becomes one results file with its ids, whatever stops the way there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.inference.knowing import HEIGHT, NAMES, WIDTH, Knowing, pictures
from vis.errors import DataError, InputError, OutputExistsError, UsageError
from vis.evaluation import prediction_file
from vis.evaluation.evaluate import predict_set
from vis.evaluation.prediction_file import predict_file
from vis.formats.submission import read_submission
from vis.formats.ytvis import write_results

SCRIPT = Path(__file__).parent / "predicting_killed.py"
HERE = {"PYTHONPATH": str(Path(__file__).parents[2])}
"""Where the script finds the tests that it imports."""
LENGTHS = {7: 14, 3: 9, 40: 12, 12: 8}
IDS = {"cat": 5, "dog": 11, "person": 9}
SETTINGS = {"size": HEIGHT, "device": "cpu"}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    for video_id, length in LENGTHS.items():
        pictures(folder / f"v{video_id}", length)
    return folder


@pytest.fixture
def write_split(frames):
    """`write_split(**changes)` writes the split anew and gives its path."""

    def write(**changes):
        videos = [
            {
                "id": video_id,
                "width": WIDTH,
                "height": HEIGHT,
                "length": length,
                "file_names": [f"v{video_id}/{n:05d}.png" for n in range(length)],
            }
            for video_id, length in LENGTHS.items()
        ]
        categories = [{"id": IDS[name], "name": name} for name in NAMES]
        value = {"videos": videos, "categories": categories, "annotations": None, **changes}
        path = frames / "valid.json"
        path.write_text(json.dumps({k: v for k, v in value.items() if v is not ...}))
        return path

    return write


@pytest.fixture
def split(write_split):
    return write_split()


@pytest.fixture
def unbroken(split, tmp_path):
    """The bytes of a run that nothing stopped."""
    predict_file(Knowing(6), split, tmp_path / "unbroken.json", **SETTINGS)
    return (tmp_path / "unbroken.json").read_bytes()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("annotations", [None, ..., []])
def test_one_file_has_the_results_of_all_videos_by_the_ids_of_the_split(
    write_split, tmp_path, annotations
):
    split, out = write_split(annotations=annotations), tmp_path / "results.json"
    summary = predict_file(Knowing(6), split, out, **SETTINGS)
    assert (summary.videos, summary.resumed, summary.unknown) == (4, 0, ())
    records = json.loads(out.read_bytes())
    assert list(dict.fromkeys(record["video_id"] for record in records)) == list(LENGTHS)
    assert {record["category_id"] for record in records} == set(IDS.values())
    assert all(len(r["segmentations"]) == LENGTHS[r["video_id"]] for r in records)
    submission = read_submission(out, split)
    assert not submission.problems and submission.results == len(records)
    assert names_in(tmp_path) == [".results.json.done.json", "results.json"]


def test_it_is_the_file_that_evaluation_saves(write_split, unbroken, tmp_path):
    split = write_split(annotations=[])
    _, tracks, _ = predict_set(Knowing(6), split, **SETTINGS)
    write_results(tmp_path / "saved.json", tracks, LENGTHS)
    assert (tmp_path / "saved.json").read_bytes() == unbroken


def test_categories_are_matched_by_name_or_as_the_table_says(write_split, tmp_path):
    categories = [{"id": 2, "name": "puma"}, {"id": 8, "name": "tree"}, {"id": 4, "name": "dog"}]
    split, out = write_split(categories=categories), tmp_path / "results.json"
    renamed = {"puma": "cat"}
    summary = predict_file(Knowing(6), split, out, renamed=renamed, videos=["7"], **SETTINGS)
    records = json.loads(out.read_bytes())
    assert {record["category_id"] for record in records} == {2, 4}
    assert {record["video_id"] for record in records} == {7}
    assert summary.unknown == ("tree",)
    with pytest.raises(UsageError, match="no category is called 'lion'"):
        predict_file(Knowing(6), split, out, renamed={"lion": "cat"}, **SETTINGS)


@pytest.mark.parametrize("where", ["line", "begin"])
def test_a_killed_run_goes_on_to_the_same_bytes(split, unbroken, tmp_path, where):
    out = tmp_path / "results.json"
    command = [sys.executable, SCRIPT, split, out, "0", "3"]
    done = subprocess.run(command, env=os.environ | HERE, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    [part] = (tmp_path / ".results.json.part").glob("videos-*.jsonl")
    if where == "line":  # as a kill amid writing leaves it
        part.write_bytes(part.read_bytes() + part.read_bytes()[:90])
    else:
        part.write_bytes(b"")
    with pytest.raises(OutputExistsError, match="--resume"):
        predict_file(Knowing(6), split, out, **SETTINGS)
    summary = predict_file(Knowing(6), split, out, resume=True, **SETTINGS)
    assert summary.resumed == (2 if where == "line" else 0)
    assert out.read_bytes() == unbroken
    assert not (tmp_path / ".results.json.part").exists()


def test_processes_share_the_videos_and_one_of_them_may_be_killed(split, unbroken, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    out = tmp_path / "results.json"

    def run(*killed):
        command = [*launch, SCRIPT, split, out, *map(str, killed)]
        return subprocess.run(
            command, env=os.environ | HERE, capture_output=True, text=True, timeout=PATIENCE
        )

    assert run(1, 2).returncode != 0
    assert not out.exists()
    lines = [p.read_bytes() for p in (tmp_path / ".results.json.part").glob("videos-*.jsonl")]
    assert b"".join(lines).count(b"\n") >= 1
    shutil.copytree(tmp_path / ".results.json.part", tmp_path / "alone" / ".results.json.part")
    done = run(0, 0)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == unbroken
    assert not (tmp_path / ".results.json.part").exists()
    # one process goes on with what two left
    alone = tmp_path / "alone" / "results.json"
    assert predict_file(Knowing(6), split, alone, resume=True, **SETTINGS).resumed >= 1
    assert alone.read_bytes() == unbroken


def test_an_interrupt_says_what_is_kept(split, tmp_path, monkeypatch):
    predict_video, calls = prediction_file.predict_video, []

    def interrupted(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict_video(*arguments, **settings)

    monkeypatch.setattr(prediction_file, "predict_video", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        predict_file(Knowing(6), split, tmp_path / "results.json", **SETTINGS)
    [note] = caught.value.__notes__
    assert "kept in" in note and "--resume" in note


def test_a_run_with_other_settings_does_not_go_on(split, tmp_path, monkeypatch):
    out, whole = tmp_path / "results.json", prediction_file.predict_video
    with monkeypatch.context() as patch:
        patch.setattr(
            prediction_file,
            "predict_video",
            lambda *a, **s: whole(*a, **s) if a[2].id == 7 else os.fsencode(1),
        )
        with pytest.raises(TypeError):
            predict_file(Knowing(6), split, out, **SETTINGS)
    for other in ({"window": 3}, {"videos": ["7"]}):
        with pytest.raises(UsageError, match="the run that is to go on"):
            predict_file(Knowing(6), split, out, resume=True, **SETTINGS, **other)
    line = next((tmp_path / ".results.json.part").glob("*.jsonl"))
    line.write_bytes(b"\0" * 9 + b"\n")
    with pytest.raises(DataError, match=r"videos-0.jsonl: line 1: .* damaged"):
        predict_file(Knowing(6), split, out, resume=True, **SETTINGS)
    assert predict_file(Knowing(6), split, out, overwrite=True, **SETTINGS).resumed == 0


def test_what_is_done_is_left_and_what_is_there_is_not_replaced(split, unbroken, tmp_path):
    out = tmp_path / "unbroken.json"
    before = out.stat().st_mtime_ns
    assert predict_file(Knowing(6), split, out, **SETTINGS).skipped
    assert out.stat().st_mtime_ns == before
    with pytest.raises(OutputExistsError):
        predict_file(Knowing(6), split, out, window=3, **SETTINGS)
    assert not predict_file(Knowing(6), split, out, overwrite=True, **SETTINGS).skipped
    assert out.read_bytes() == unbroken


def test_a_fault_in_the_first_video_leaves_nothing_behind(write_split, split, tmp_path):
    value = json.loads(split.read_bytes())
    for video in value["videos"]:
        video["width"] += 1
    split = write_split(videos=value["videos"])
    with pytest.raises(DataError, match=r"video 7 \(v7\): the video is"):
        predict_file(Knowing(6), split, tmp_path / "results.json", **SETTINGS)
    assert names_in(tmp_path) == []


def test_frames_must_be_there(split, tmp_path):
    alone = tmp_path / "alone" / "valid.json"
    alone.parent.mkdir()
    alone.write_bytes(split.read_bytes())
    with pytest.raises(InputError, match="--frames"):
        predict_file(Knowing(6), alone, tmp_path / "results.json", **SETTINGS)
