"""`vis track` as a user meets it: what it writes, prints, refuses and returns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.conftest import KINDS, PATIENCE, heeding_interrupts, write_film
from tests.video.test_writer_audio import make_source
from vis.cli import main
from vis.cli.better_model import MARKER


@pytest.fixture
def film(tmp_path):
    write_film(tmp_path / "film.mp4", KINDS["h264"], 12)
    return tmp_path / "film.mp4"


@pytest.fixture
def track(weights):
    """`track(*arguments)` runs the command with a small model and returns its exit code."""

    def run(*arguments: object) -> int:
        rest = ["--model", str(weights), "--size", "64", "--threshold", "0.1", "--device", "cpu"]
        words = [str(word) for word in arguments]
        place = words.index("-o") if "-o" in words else len(words)
        before = signal.getsignal(signal.SIGTERM)
        try:
            return main(["track", *words[:place], *rest, *words[place:]])
        finally:
            signal.signal(signal.SIGTERM, before)

    return run


def test_help_comes_without_torch():
    code = (
        "import sys; from vis.cli import main; main(['track', '--help']); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert "--resume" in done.stdout


def test_a_video_becomes_a_video_that_browsers_play(track, film, tmp_path, capsys):
    assert track(film, "-o", tmp_path / "out.mp4") == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) == 12
    printed = capsys.readouterr().out
    assert f"wrote {tmp_path}/out.mp4 (12 frames" in printed
    assert "first    last" in printed


def test_what_is_asked_for_is_written(track, film, tmp_path):
    save = ["--save", "json", "jsonl", "coco", "mots", "davis", "csv", "frames"]
    assert track(film, "-o", tmp_path / "out", *save) == 0
    ends = ("json", "jsonl", "coco.json", "mots", "davis", "csv", "frames")
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {f"film.{end}" for end in ends} | {".film.done.json"}


def test_a_second_run_is_refused_or_skipped_or_replaces(track, film, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert track(film, "-o", out) == 0
    assert track(film, "-o", out) == 0
    assert "done before" in capsys.readouterr().out
    assert track(film, "-o", out, "--every", "2") == 74
    assert "--overwrite" in capsys.readouterr().err
    assert track(film, "-o", out, "--every", "2", "--overwrite") == 0
    assert len(out.read_text().splitlines()) == 6


def test_failed_sources_are_listed_at_the_end(track, film, tmp_path, capsys):
    (tmp_path / "bad\x1b[31m.mp4").write_bytes(b"nothing")
    code = track(film, tmp_path / "bad\x1b[31m.mp4", tmp_path / "missing.mp4", "-o", tmp_path / "o")
    printed = capsys.readouterr()
    assert code in (65, 66)
    assert "2 of 3 sources failed" in printed.out
    listed = [line for line in printed.out.splitlines() if line.startswith("    ")]
    assert [line.count(".mp4:") for line in listed] == [1, 1], "each names its source once"
    assert "\x1b" not in printed.out + printed.err
    assert json.loads((tmp_path / "o" / "film.json").read_text()) is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--save", "jsn"], "did you mean 'json'"),
        (["--every", "0"], "at least 1"),
        (["--checkpoint", "0"], "checkpoint is 0, it must be at least 1"),
        (["--checkpoint", "-3"], "at least 1"),
        (["--classes", "cat,dgo"], "did you mean 'dog'"),
        (["--shard", "2/2"], "no part 2 of 2"),
        (["--window", "99"], "at most 4"),
        (["--threshold", "3"], "within 0..1"),
        (["--device", "abacus"], "no device"),
        (["--linking", "magic"], "masks"),
    ],
)
def test_a_wrong_argument_is_told_with_a_remedy(track, film, tmp_path, capsys, arguments, words):
    assert track(film, "-o", tmp_path / "out", *arguments) in (64, 69)
    assert words in capsys.readouterr().err.lower()
    assert not list(tmp_path.glob("out/.*part"))


def test_one_bad_source_is_an_error(track, tmp_path, capsys):
    assert track(tmp_path / "missing.mp4", "-o", tmp_path / "out.mp4") == 66
    assert "missing.mp4" in capsys.readouterr().err


def test_a_window_without_a_screen_is_refused(track, film, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert track(film, "-o", tmp_path / "out.mp4", "--show") == 69
    assert "no screen" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_word_on_how_to_go_on(tmp_path, weights, number, code):
    write_film(tmp_path / "long.mp4", KINDS["h264"], 400)
    command = [sys.executable, "-m", "vis", "track", tmp_path / "long.mp4", "-o", tmp_path / "out"]
    rest = ["--model", weights, "--size", "64", "--save", "jsonl", "json", "video"]
    with heeding_interrupts():
        run = subprocess.Popen([*command, *rest], stderr=subprocess.PIPE, text=True)
    lines = tmp_path / "out" / ".long.part" / "long.jsonl"
    while not (lines.exists() and lines.stat().st_size > 500):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(number)
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == code
    assert "--resume" in said
    assert json.loads((lines.parent / "long.json").read_text()) is not None
    for line in lines.read_text().splitlines():
        json.loads(line)


def test_the_package_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "vis", "track", "a.mp4"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 66
    assert "a.mp4: no such file" in done.stderr
    assert not list(Path(tmp_path).iterdir())


def test_a_pipe_becomes_a_video_and_what_came_before_is_never_taken_for_it(track, tmp_path, capsys):
    film = make_source(tmp_path / "film.mkv", [("aac", 48000)], seconds=1)
    terminal = os.dup(0)
    try:
        for code in (0, 74):
            with subprocess.Popen(["cat", film], stdout=subprocess.PIPE) as cat:
                os.dup2(cat.stdout.fileno(), 0)
                assert track("-", "-o", tmp_path / "out.mp4") == code
    finally:
        os.dup2(terminal, 0)
        os.close(terminal)
    assert "the sound of a stream is not copied" in capsys.readouterr().err
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25


def test_a_video_alone_is_enough(track, film, tmp_path, capsys):
    assert track(film) == 0
    assert f"wrote {tmp_path}/film-tracked.mp4 (12 frames" in capsys.readouterr().out
    assert track(film, "--every", "2") == 74
    assert "--overwrite" in capsys.readouterr().err
    for sources in (["0"], ["-"], ["rtsp://camera/1"], [film, film]):
        assert track(*sources) == 64
        assert "-o " in capsys.readouterr().err
    assert track(tmp_path / "nowhere" / "missing.mp4") == 66
    assert not (tmp_path / "nowhere").exists()


def test_what_is_saved_beside_a_folder_of_pictures(tmp_path):
    from vis.jobs.many import plan_jobs

    (tmp_path / "frames").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "frames" / "0.png")
    for source in (f"{tmp_path}/frames/", f"{tmp_path}/frames/*.png"):
        [job] = plan_jobs([source], None, ["json"])
        assert (job.folder, job.source.name, job.kinds) == (tmp_path, "frames-tracked", ("json",))
        assert job.video_name == "frames"


@pytest.fixture
def said(film, tmp_path, capsys, monkeypatch):
    """What a run whose sources need no work prints, in a terminal, on a machine with a network."""
    monkeypatch.setenv("VIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    monkeypatch.setattr("socket.socket", lambda *_, **__: pytest.fail("the network was used"))
    monkeypatch.setattr("vis.jobs.many.track_all", lambda *_, **__: iter(()))

    def run(*options: str, terminal: bool = True) -> str:
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: terminal)
        assert main(["track", str(film), "-o", str(tmp_path / "out.jsonl"), *options]) == 0
        return capsys.readouterr().out

    return run


def test_a_better_model_is_named_once_and_to_people_alone(said, tmp_path, monkeypatch):
    """Where the one that ships was at work, and another could be fetched."""
    assert said(terminal=False) == said("--quiet") == said("--model", "default") == ""
    assert "vis weights get rfdetr_seg_nano, then vis track --model rfdetr_seg_nano" in said()
    assert said() == ""
    marker = tmp_path / "home" / MARKER
    marker.unlink()
    (tmp_path / "home" / "rfdetr_seg_nano.safetensors").touch()
    assert said() == ""
    (tmp_path / "home" / "rfdetr_seg_nano.safetensors").unlink()
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo")])
    assert said() == "" and not marker.exists()


def test_a_quiet_run_says_what_failed_alone(track, film, tmp_path, capsys):
    assert track(film, tmp_path / "missing.mp4", "-o", tmp_path / "o", "--quiet") == 66
    printed = capsys.readouterr()
    assert "wrote" not in printed.out and "missing.mp4" in printed.out
