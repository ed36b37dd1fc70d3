"""A run that is killed at any moment, or stopped in any way, is gone on with as if nothing was."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import KINDS, write_film
from tests.inference.knowing import Knowing
from tests.jobs.killing import SAVE
from vis.errors import InputError, OutputError, OutputExistsError, UsageError
from vis.formats.ytvis import read_results
from vis.inference.options import TrackOptions
from vis.jobs.job import RunOptions
from vis.jobs.many import plan_jobs, track_all

ROOT = Path(__file__).parent.parent.parent
QUICK = ("json", "jsonl", "csv")


def film(folder: Path, frames: int = 40, kind: str = "h264") -> Path:
    path = folder / f"film{KINDS[kind].suffix}"
    write_film(path, KINDS[kind], frames)
    return path


def go(source: Path, out: Path, *, save=QUICK, model=None, size=96, **run_options):
    """One run; its error is raised."""
    settings = {"checkpoint": 2, "device": "cpu"} | run_options
    (job_result,) = track_all(
        plan_jobs([str(source)], out, save),
        model or Knowing(6),
        options=TrackOptions(size=size),
        run_options=RunOptions(**settings),
    )
    if job_result.error is not None:
        raise job_result.error
    return job_result


class Stopping(Knowing):
    """Something happens when it sees a frame."""

    def __init__(self, at: int, what):
        super().__init__(6)
        self.at, self.what = at, what

    def forward(self, clip):
        found = super().forward(clip)
        if any(self.at in numbers for numbers in found):
            self.what()
        return found


def same(one: Path, other: Path) -> None:
    """All files but the video are equal, byte by byte."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    for name in names:
        if name.suffix not in (".mp4", ".mkv", ".webm"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def decoded(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24").astype(int))
            for frame in container.decode(video=0)
        ]


def alike(one: Path, other: Path) -> None:
    """The same pictures at the same times; an encoder that began anew errs a little otherwise."""
    for (time, picture), (when, another) in zip(decoded(one), decoded(other), strict=True):
        assert time == when
        assert np.abs(picture - another).mean() < 5


@pytest.mark.parametrize(("kills", "kind"), [(10, "windows"), (3, "online")])
def test_kills_at_random_moments_leave_no_trace(tmp_path, kills, kind):
    source = film(tmp_path)
    script = ROOT / "tests" / "jobs" / "killing.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, source, tmp_path, str(kills), "1", kind],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for number in range(kills):
        same(tmp_path / "whole", tmp_path / f"killed-{number}")
        alike(tmp_path / "whole" / "film.mp4", tmp_path / f"killed-{number}" / "film.mp4")


@pytest.mark.parametrize("kind", ["h264_2997", "h264_variable", "vp9", "h264_late"])
def test_the_video_is_joined_with_every_frame_at_its_time(tmp_path, kind):
    source = film(tmp_path, kind=kind)
    with pytest.raises(KeyboardInterrupt):
        go(source, tmp_path / "broken", save=["video"], model=Stopping(30, interrupt), checkpoint=1)
    go(source, tmp_path / "broken", save=["video"], resume=True)
    go(source, tmp_path / "whole", save=["video"])
    alike(tmp_path / "whole" / "film.mp4", tmp_path / "broken" / "film.mp4")


@pytest.mark.parametrize("ending", [".mkv", ".webm", ".gif", ".mov"])
def test_every_kind_of_video_is_joined(tmp_path, ending):
    source = film(tmp_path)
    broken, whole = tmp_path / f"broken{ending}", tmp_path / f"whole{ending}"
    with pytest.raises(KeyboardInterrupt):
        go(source, broken, save=["video"], model=Stopping(30, interrupt), checkpoint=1)
    go(source, broken, save=["video"], resume=True)
    go(source, whole, save=["video"])
    alike(whole, broken)


def sound(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.size]


def test_a_joined_video_has_the_sound_of_an_unbroken_one(tmp_path, clips):
    source = clips / "mmcv__test.mp4"
    with pytest.raises(KeyboardInterrupt):
        go(source, tmp_path / "broken", save=["video"], model=Counting(8), checkpoint=1)
    go(source, tmp_path / "broken", save=["video"], resume=True)
    go(source, tmp_path / "whole", save=["video"])
    broken, whole = (tmp_path / name / "mmcv__test.mp4" for name in ("broken", "whole"))
    alike(whole, broken)
    assert sound(whole) == sound(broken)


class Counting(Knowing):
    """The user presses Ctrl-C at the n-th clip."""

    def __init__(self, clips: int):
        super().__init__(6)
        self.left = clips

    def forward(self, clip):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return super().forward(clip)


def interrupt():
    raise KeyboardInterrupt


def test_what_a_stopped_run_did_is_valid_and_the_message_says_how_to_go_on(tmp_path):
    source = film(tmp_path)
    with pytest.raises(KeyboardInterrupt) as stop:
        go(source, tmp_path / "out", save=SAVE, model=Stopping(30, interrupt))
    assert any("--resume" in note for note in stop.value.__notes__)
    part = tmp_path / "out" / ".film.part"
    lines = [json.loads(line) for line in (part / "film.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert len(lines) >= 16
    (tracks,) = read_results(part / "film.json").values()
    assert len(tracks) == 3
    assert len(decoded(part / "video-000.part.mp4")) == len(lines)
    go(source, tmp_path / "out", save=SAVE, resume=True)
    go(source, tmp_path / "whole", save=SAVE)
    same(tmp_path / "whole", tmp_path / "out")


# a signal may fall between the opening of a file and the `with` that would close it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_to_end_is_like_ctrl_c(tmp_path):
    source = film(tmp_path)
    before = signal.signal(signal.SIGTERM, lambda *_: interrupt())
    try:
        with pytest.raises(KeyboardInterrupt):
            go(source, tmp_path / "out", model=Stopping(20, lambda: signal.raise_signal(15)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert go(source, tmp_path / "out", resume=True).frames == 40


@contextmanager
def largest_file(size: int):
    """Writing beyond it fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [3000, 6000, 20_000])
def test_a_full_disk_leaves_whole_records_and_the_run_goes_on(tmp_path, size):
    source = film(tmp_path)
    with largest_file(size), pytest.raises(OutputError, match=r"disk (is )?full.*--resume"):
        go(source, tmp_path / "out", save=("json", "jsonl", "csv", "coco", "mots"))
    part = tmp_path / "out" / ".film.part"
    lines = [json.loads(line) for line in (part / "film.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    go(source, tmp_path / "out", save=("json", "jsonl", "csv", "coco", "mots"), resume=True)
    go(source, tmp_path / "whole", save=("json", "jsonl", "csv", "coco", "mots"))
    same(tmp_path / "whole", tmp_path / "out")


def test_an_unfinished_run_is_neither_replaced_nor_mixed_with_another(tmp_path):
    source = film(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        go(source, tmp_path / "out", model=Stopping(30, interrupt))
    with pytest.raises(OutputExistsError, match=r"unfinished run.*--resume"):
        go(source, tmp_path / "out")
    with pytest.raises(UsageError, match="size is 48, but the run that is to go on has 96"):
        go(source, tmp_path / "out", size=48, resume=True)
    assert go(source, tmp_path / "out", overwrite=True).frames == 40


def test_a_damaged_state_is_passed_over(tmp_path):
    source = film(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        go(source, tmp_path / "out", model=Stopping(36, interrupt), checkpoint=1)
    states = sorted((tmp_path / "out" / ".film.part").glob("state-*.json"))
    assert len(states) == 4
    states[-1].write_bytes(states[-1].read_bytes()[:-40])
    tensors = states[-2].with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\xff")
    go(source, tmp_path / "out", resume=True)
    go(source, tmp_path / "whole")
    same(tmp_path / "whole", tmp_path / "out")


def test_two_processes_do_not_write_the_same(tmp_path):
    source, tries = film(tmp_path), []

    def second():
        if not tries:
            tries.append(True)
            with pytest.raises(OutputError, match=f"process {os.getpid()} on"):
                go(source, tmp_path / "out", resume=True)

    go(source, tmp_path / "out", model=Stopping(10, second))
    assert tries


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises((InputError, ValueError)):
        go(tmp_path / "bad.mp4", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_a_kill_left_after_the_end_is_swept(tmp_path):
    source = film(tmp_path)
    go(source, tmp_path / "out")
    left = tmp_path / "out" / ".film.part"
    left.mkdir()
    (left / "json-masks.txt").touch()
    assert go(source, tmp_path / "out").skipped
    assert not left.exists()
