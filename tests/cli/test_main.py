"""The command line: manual pages, exit codes, one clear line an error."""

import importlib
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE, heeding_interrupts, wait_until
from vis.cli import COMMANDS, main
from vis.cli.arguments import Group


def pages():
    """Every command that does something, a group's by its two words."""
    for name in sorted(COMMANDS):
        command = importlib.import_module(f"vis.cli.{name}").COMMAND
        parts = command.commands if isinstance(command, Group) else ()
        yield from ([name, part] for part in parts) if parts else [[name]]


@pytest.mark.parametrize("command", list(pages()), ids=" ".join)
def test_a_manual_page_is_complete(command, capsys):
    assert main([*command, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"usage: vis {' '.join(command)}" in page
    assert "examples:" in page
    assert "None" not in page.split("examples:")[0].replace("default: null", "")


def test_the_overview_names_every_command(capsys):
    assert main([]) == 0
    overview = capsys.readouterr().out
    assert all(name in overview and line in overview for name, line in COMMANDS.items())
    assert main(["--version"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["prob", "x"], 64, ["has no command 'prob'", "Did you mean 'probe'"]),
        (["probe"], 64, ["sources", "vis probe --help"]),
        (["probe", "x.mp4", "--max-frame", "3"], 64, ["did you mean --max-frames"]),
        (["probe", "-dash.mp4"], 64, ["written ./-dash.mp4"]),
        (["probe", "x.mp4", "--max-frames", "many"], 64, ["max_frames", "vis probe --help"]),
        (["draw", "x.mp4", "r.json"], 64, ["output"]),
        (["draw", "x.mp4", "missing.json", "-o", "o.mp4"], 66, ["missing.json"]),
    ],
)
def test_errors_are_one_line_with_a_remedy(arguments, code, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("vis: ")
    assert all(word in lines[0] for word in words), lines[0]


def test_debug_shows_the_traceback(capsys):
    assert main(["probe", "--debug"]) == 64
    assert "Traceback" in capsys.readouterr().err


def test_faulty_results_exit_65_and_a_taken_output_74(tmp_path, films, capsys):
    results = tmp_path / "results.json"
    results.write_text('[{"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": 3}]')
    arguments = ["draw", str(films("h264")), str(results), "-o", str(tmp_path / "o.mp4")]
    assert main(arguments) == 65
    assert "results.json" in capsys.readouterr().err
    results.write_text("[]")
    assert main(arguments) == 0
    assert main(arguments) == 74
    assert "--overwrite" in capsys.readouterr().err


def test_probe_prints_a_table_and_marks_damage(films, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video at all")
    assert main(["probe", str(films("h264")), str(films("h264_variable"))]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 3
    assert "160x96" in table[1] and " 60 " in table[1] and "~" in table[2]
    assert main(["probe", str(broken), str(films("h264")), "--as-json"]) == 1
    records = json.loads(capsys.readouterr().out)
    assert "text, not a video" in records[0]["error"]
    assert records[1]["decoded"] == 60


def test_probe_stops_after_so_many_frames(films, capsys):
    assert main(["probe", str(films("h264")), "--max-frames", "7", "--as-json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["decoded"] == 7


def test_damage_is_warned_of_and_exits_1(clips, tmp_path, capsys):
    results = tmp_path / "results.json"
    results.write_text("[]")
    source = str(clips / "decord__corrupted.mp4")
    assert main(["draw", source, str(results), "-o", str(tmp_path / "o.gif")]) == 1
    assert "warning: " in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_under_the_final_name(number, code, clips, tmp_path):
    results = tmp_path / "results.json"
    results.write_text("[]")
    output = tmp_path / "o.mp4"
    source = str(clips / "imageio__cockatoo.mp4")
    with heeding_interrupts():
        process = subprocess.Popen(
            [sys.executable, "-m", "vis", "draw", source, str(results), "-o", str(output)],
            stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    part = tmp_path / "o.part.mp4"
    wait_until(lambda: part.exists() and part.stat().st_size > 50_000)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert str(part) in errors
    assert not output.exists()
    assert part.exists()


def test_a_library_that_is_missing_is_named_with_the_way_to_install_it():
    code = (
        "import sys; sys.modules['av'] = None; "
        "from vis.cli import main; sys.exit(main(['probe', 'x.mp4']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 69
    assert done.stderr.startswith("vis: the library av is not installed.")
    assert "pip install" in done.stderr and len(done.stderr.splitlines()) == 1
