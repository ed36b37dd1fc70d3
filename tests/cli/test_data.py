"""`vis data`: what it prints, where it writes, and its exit codes."""

import json

import pytest

from vis.cli import main
from vis.errors import EXIT_DAMAGED, EXIT_OK


@pytest.fixture
def sample(pytestconfig):
    return pytestconfig.rootpath / "data" / "sample"


def test_check_counts_a_sound_set_on_a_film(sample, capsys):
    assert main(["data", "check", str(sample)]) == EXIT_OK
    said = capsys.readouterr().out
    assert "two-wheeler" in said
    assert "objects    8 with 678 masks; 0 crowds" in said
    assert said.splitlines()[-1] == f"{sample} (ytvis): nothing is wrong"


def test_check_lists_faults_under_their_remedy_and_exits_1(sample, tmp_path, capsys):
    value = json.loads((sample / "instances.json").read_text())
    value["annotations"][1]["category_id"] = 77
    value["annotations"][2]["segmentations"].append(None)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(value))
    assert main(["data", "check", str(path), "--frames", str(sample)]) == EXIT_DAMAGED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 x Add it there, or correct category_id."
    assert lines[1].startswith(f"    {path}: annotations[1] (id 2): category_id 77 names no")
    assert any("segmentations has 97 entries but the video has 96 frames" in line for line in lines)
    assert lines[-1] == f"{path} (ytvis): 2 faults"


def test_check_goes_on_after_a_file_that_is_none(sample, tmp_path, capsys):
    (tmp_path / "none.json").write_text("[]")
    assert main(["data", "check", str(tmp_path / "none.json"), str(sample)]) == EXIT_DAMAGED
    said = capsys.readouterr().out
    assert "none.json (no data set): 1 fault\n" in said
    assert "(ytvis): nothing is wrong" in said


def test_a_path_that_is_not_there_exits_66(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 66
    assert "no such file or folder" in capsys.readouterr().err


def test_control_characters_of_a_file_do_not_reach_the_terminal(sample, tmp_path, capsys):
    value = json.loads((sample / "instances.json").read_text())
    value["categories"][0]["name"] = "\x1b[2Jperson"
    (tmp_path / "instances.json").write_text(json.dumps(value))
    main(["data", "check", str(tmp_path), "--frames", str(sample)])
    assert "\x1b" not in capsys.readouterr().out
