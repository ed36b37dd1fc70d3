"""What the writer leaves when it is killed, interrupted or out of disk; and its memory."""

import errno
import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import PATIENCE, heeding_interrupts
from vis.errors import OutputError
from vis.records import Frame, VideoInfo
from vis.video.writer import VideoWriter
from vis.video.writer_file import encoding_errors

FILMS = (".mp4", ".mov", ".mkv", ".webm", ".gif")
STEP = Fraction(1001, 30000)
SLACK = {".mkv": Fraction(1, 2000), ".webm": Fraction(1, 2000), ".gif": Fraction(1, 100)}

CHILD = """
import resource, sys, warnings
from fractions import Fraction
import numpy as np
from vis.records import Frame, VideoInfo
from vis.video.writer import VideoWriter
from vis.video.writer_file import encoding_errors

path, pause_at, largest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if largest:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
step = Fraction(1001, 30000)
scene = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
try:
    with VideoWriter(path, info=VideoInfo("source", 96, 64, step / 1001)) as writer:
        for number in range(5000):
            writer.write(Frame(number, step * number, np.roll(scene, number, axis=1)))
            print(number + 1, flush=True)
            if number + 1 == pause_at:
                sys.stdin.read()
except OSError as error:
    print(type(error).__name__, error)
    sys.exit(74)
"""


def start(path: Path, *, pause_at: int = 0, largest: int = 0) -> subprocess.Popen[str]:
    """A process that writes frames and prints how many there are."""
    command = [sys.executable, "-c", CHILD, os.fspath(path), str(pause_at), str(largest)]
    with heeding_interrupts():
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )


def readable(path: Path) -> list[Fraction]:
    """The times of the frames that can be decoded, until the first that cannot."""
    found = []
    with av.open(os.fspath(path)) as container:
        try:
            for frame in container.decode(video=0):
                found.append(frame.pts * frame.time_base)  # noqa: PERF401
        except av.InvalidDataError:
            return found
    return found


def assert_times(found: list[Fraction], suffix: str) -> None:
    slack = SLACK.get(suffix, 0)
    assert all(abs(time - number * STEP) <= slack for number, time in enumerate(found))


@pytest.mark.parametrize("suffix", FILMS)
def test_a_killed_writer_leaves_nine_of_ten_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with start(path, pause_at=120) as child:
        while child.stdout.readline().strip() != "120":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    found = readable(tmp_path / f"out.part{suffix}")
    assert len(found) >= 108
    assert_times(found, suffix)
    assert not path.exists()


def test_a_killed_folder_has_all_pictures_and_their_times(tmp_path: Path) -> None:
    with start(tmp_path / "out", pause_at=20) as child:
        while child.stdout.readline().strip() != "20":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    times = json.loads((tmp_path / "out.part" / "times.json").read_text())["times"]
    assert [Fraction(*pair) for pair in times] == [n * STEP for n in range(20)]
    assert len(list((tmp_path / "out.part").glob("*.png"))) == 20


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_header_is_on_disk_from_the_first_frame(tmp_path: Path, suffix: str) -> None:
    with VideoWriter(tmp_path / f"out{suffix}") as writer:
        writer.write(Frame(0, STEP, np.zeros((32, 32, 3), np.uint8)))
        assert writer.partial.stat().st_size > 0


@pytest.mark.parametrize("suffix", FILMS)
def test_ctrl_c_at_any_time_loses_no_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with start(path) as child:
        child.stdout.readline()
        time.sleep(random.Random(suffix).random() * 0.15)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
    written = int(out.split()[-1]) if out else 1
    found = readable(tmp_path / f"out.part{suffix}")
    assert child.returncode == -signal.SIGINT
    assert f"are kept in {tmp_path / 'out.part'}" in err
    assert written <= len(found) <= written + 1
    assert_times(found, suffix)
    assert not path.exists()


@pytest.mark.parametrize("suffix", FILMS)
def test_a_full_disk_is_named_and_what_fitted_plays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with start(path, largest=300_000) as child:
        out, _ = child.communicate(timeout=PATIENCE)
    *numbers, message = out.splitlines()
    written = int(numbers[-1])
    assert child.returncode == 74
    assert message.startswith(f"OutputError {path}: disk full (File too large).")
    assert f"({written}) are kept" in message
    assert "Free some space" in message
    found = readable(tmp_path / f"out.part{suffix}")
    assert len(found) >= written - 12
    assert_times(found, suffix)
    assert not path.exists()


def test_a_full_disk_leaves_the_times_of_a_folder_whole(tmp_path: Path) -> None:
    written = 0

    def write_dots() -> None:
        nonlocal written
        with VideoWriter(tmp_path / "out") as writer:
            for written in range(50):
                writer.write(Frame(written, STEP * written, np.zeros((1, 1, 3), np.uint8)))

    with disk_of(200), pytest.raises(OutputError, match="disk full"):  # a dot's PNG has 69 bytes
        write_dots()
    times = json.loads((tmp_path / "out.part" / "times.json").read_text())["times"]
    assert [Fraction(*pair) for pair in times] == [n * STEP for n in range(written)]
    assert len(list((tmp_path / "out.part").glob("*.png"))) == written > 3


def test_every_failing_write_of_a_small_file_is_told(tmp_path: Path) -> None:
    """Whatever byte the disk ends at: an error, no final file, and no stale part afterwards."""
    path = tmp_path / "out.mp4"
    whole = write_small(path)
    for largest in range(0, whole, 97):
        with disk_of(largest), pytest.raises(OutputError, match="disk full"):
            write_small(path)
        assert not path.exists()
    assert write_small(path) == whole
    assert not list(tmp_path.iterdir())


@contextmanager
def disk_of(largest: int) -> Iterator[None]:
    """No file may grow beyond `largest` bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def write_small(path: Path) -> int:
    """Size of a video of three frames, which is deleted again."""
    with VideoWriter(path) as writer:
        for number in range(3):
            writer.write(Frame(number, STEP * number, np.full((32, 32, 3), number * 80, np.uint8)))
    size = path.stat().st_size
    path.unlink()
    return size


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EACCES, "may not be written"),
        (errno.EROFS, "may not be written"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_every_refusal_of_the_system_has_a_cause_and_a_remedy(number: int, what: str) -> None:
    with (
        pytest.raises(OutputError, match=rf"^out\.mp4: {what} \(") as caught,
        encoding_errors(Path("out.mp4")),
    ):
        raise OSError(number, os.strerror(number))
    assert caught.value.remedy


def test_a_place_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "out.mp4", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            VideoWriter(path)
        assert caught.value.remedy


def test_a_folder_that_may_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # "nobody"; root may write anywhere
    try:
        with pytest.raises(OutputError, match="may not be written") as caught:
            VideoWriter(closed / "out.mp4")
    finally:
        if root:
            os.seteuid(0)
    assert "folder that you may write to" in caught.value.remedy
    assert not list(closed.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_memory_does_not_grow_with_the_video(tmp_path: Path, suffix: str) -> None:
    scene = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    info = VideoInfo("source", 320, 180, Fraction(1, 30000))
    sizes = []
    with VideoWriter(tmp_path / f"out{suffix}", info=info, quality="fast") as writer:
        for number in range(400):
            writer.write(Frame(number, STEP * number, np.roll(scene, number, axis=1)))
            if number in (60, 399):
                gc.collect()
                sizes.append(resident())
    assert sizes[1] - sizes[0] < 8 * 2**20  # 340 frames are 59 MB


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
