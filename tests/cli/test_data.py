"""`vis data`: what it prints, where it writes, and its exit codes."""

import json

import numpy as np
import pytest
from PIL import Image

from vis.cli import main
from vis.cli.contact_sheet import evenly
from vis.errors import EXIT_DAMAGED, EXIT_OK


@pytest.fixture
def sample(pytestconfig):
    return pytestconfig.rootpath / "data" / "sample"


def test_check_counts_a_sound_set_on_a_film(sample, capsys):
    assert main(["data", "check", str(sample)]) == EXIT_OK
    said = capsys.readouterr().out
    assert "person" in said
    assert "objects    4 with 484 masks; 0 crowds" in said
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
    assert lines[1].startswith(f"    {path}: annotations[1] (id 4): category_id 77 names no")
    assert any(
        "segmentations has 169 entries but the video has 168 frames" in line for line in lines
    )
    assert lines[-1] == f"{path} (ytvis): 2 faults"


def test_check_fixes_what_needs_no_guess(sample, tmp_path, capsys):
    value = json.loads((sample / "instances.json").read_text())
    value["annotations"][0]["bboxes"][0] = [-50, 0, 9, 9]
    value["annotations"][1]["category_id"] = 77
    path, fixed = tmp_path / "broken.json", tmp_path / "fixed.json"
    path.write_text(json.dumps(value))
    argv = ["data", "check", str(path), "--frames", str(sample), "--fix", str(fixed)]
    assert main(argv) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    (first, second) = (line for line in lines if line.startswith("fixed: "))
    assert "annotations[0] (id 2): bboxes and areas are those of its masks now: frame 0" in first
    assert "annotations[1] (id 4) is left out: category_id 77" in second
    assert f"{path} (ytvis): 2 faults" in lines
    assert lines[-1] == f"{fixed} (ytvis): nothing is wrong"
    assert main(argv) == 74
    assert "is there already" in capsys.readouterr().err
    assert main(["data", "check", str(sample), str(path), "--fix", str(fixed)]) == 64


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


@pytest.fixture
def three(tmp_path):
    """Three pictures with a cat in each."""
    square = [[1, 1, 3, 1, 3, 3, 1, 3]]
    value = {
        "categories": [{"id": 2, "name": "cat"}],
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 5, "height": 4} for n in (1, 2, 3)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 2, "segmentation": square} for n in (1, 2, 3)
        ],
    }
    (tmp_path / "three.json").write_text(json.dumps(value))
    return tmp_path / "three.json"


def test_convert_lists_what_is_lost(sample, tmp_path, capsys):
    out = tmp_path / "davis"
    assert main(["data", "convert", str(sample), str(out), "--to", "davis"]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("lost: the names of 3 categories: person, cat, cup")
    assert f"wrote {out} (davis): 1 videos, 4 objects" in lines
    assert len(list((out / "Annotations" / "clip").iterdir())) == 168
    again = ["data", "convert", str(sample), str(out), "--to", "davis", "--overwrite"]
    assert main(again) == 74
    assert "there already" in capsys.readouterr().err


def test_split_writes_the_parts_that_the_shares_say(three, tmp_path, capsys):
    out = tmp_path / "parts"
    command = ["data", "split", str(three), str(out), "--parts", "train=0.67", "val=0.33"]
    assert main(command) == EXIT_OK
    parts = {path.stem: json.loads(path.read_text()) for path in out.iterdir()}
    assert {name: len(part["images"]) for name, part in parts.items()} == {"train": 2, "val": 1}
    said = capsys.readouterr().out
    assert f"wrote {out / 'val.json'}: 1 videos, 1 objects, 1 categories" in said
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(command) == 74
    assert main([*command, "--overwrite"]) == EXIT_OK
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("parts", [["a"], ["a=x"], ["=1"], ["../a=1"], ["a=1", "a=0"], ["a=0.4"]])
def test_parts_that_are_none_exit_64_and_write_nothing(three, tmp_path, parts, capsys):
    out = tmp_path / "parts"
    assert main(["data", "split", str(three), str(out), "--parts", *parts]) == 64
    assert "vis: " in capsys.readouterr().err
    assert not out.exists()


def test_more_parts_than_videos_are_refused(three, tmp_path, capsys):
    out = tmp_path / "parts"
    shares = [f"part{n}=0.2" for n in range(5)]
    assert main(["data", "split", str(three), str(out), "--parts", *shares]) == 65
    assert "3 videos are too few" in capsys.readouterr().err
    assert not out.exists()


def test_show_draws_evenly_spaced_frames_in_a_row(sample, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    command = ["data", "show", str(sample), "-o", str(out), "--columns", "3", "--width", "160"]
    assert main(command) == EXIT_OK
    assert capsys.readouterr().out == f"wrote {out}: 1 videos\n"
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (4 + 18 + 90 + 4, 4 + 3 * (160 + 4), 3)
    assert main(command) == 74
    assert main([*command, "--overwrite", "--entries", "clip"]) == EXIT_OK
    np.testing.assert_array_equal(np.asarray(Image.open(out)), sheet)


def test_show_lays_pictures_side_by_side_and_marks_their_objects(three, tmp_path):
    (tmp_path / "images").mkdir()
    for number in (1, 2, 3):
        Image.new("RGB", (5, 4)).save(tmp_path / "images" / f"{number}.jpg")
    out = tmp_path / "sheet.png"
    command = ["data", "show", str(three), "-o", str(out), "--width", "100", "--columns", "2"]
    assert main(command) == EXIT_OK
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (2 * (18 + 80 + 4) + 4, 2 * 104 + 4, 3)
    inside, outside = sheet[4 + 18 + 50, 4 + 50], sheet[4 + 18 + 75, 4 + 90]
    assert inside.max() > 60 and outside.max() == 0


def test_show_draws_a_test_split_that_has_no_truth(three, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for number in (1, 2, 3):
        Image.new("RGB", (5, 4)).save(tmp_path / "images" / f"{number}.jpg")
    value = json.loads(three.read_text())
    del value["annotations"]
    three.write_text(json.dumps(value))
    out = tmp_path / "sheet.png"
    assert main(["data", "show", str(three), "-o", str(out)]) == EXIT_OK
    assert capsys.readouterr().out == f"wrote {out}: 3 videos\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--entries", "nobody"], 64, "no video 'nobody'"),
        (["--columns", "0"], 64, "1 or more"),
        (["--width", "100000"], 64, "the sheet could have"),
        (["--frames", "nowhere"], 66, "no such folder"),
    ],
)
def test_show_refuses_in_one_line_and_writes_nothing(
    sample, tmp_path, capsys, options, code, words
):
    out = tmp_path / "sheet.png"
    assert main(["data", "show", str(sample), "-o", str(out), *options]) == code
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_places_are_even_and_hold_both_ends():
    for count in range(1, 30):
        for most in range(1, 12):
            places = evenly(count, most)
            assert places == sorted(set(places))
            assert len(places) == min(count, most)
            assert most == 1 or (places[0], places[-1]) == (0, count - 1)
