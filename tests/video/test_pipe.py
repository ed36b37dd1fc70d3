"""Standard input: every frame of what is piped in, in clear words where that cannot be."""

import os
import subprocess
import sys
import threading
import time
from fractions import Fraction

import pytest

from tests.conftest import Kind, code_of, write_film
from tests.video.test_reader import faststart
from vis.errors import InputError, UsageError, VideoError
from vis.video.pipe import PipeSource
from vis.video.reader import VideoReader


def reader_of(data: bytes) -> VideoReader:
    """What `open_video("-")` gives where `data` is piped in."""
    end, begin = os.pipe()

    def write() -> None:
        with os.fdopen(begin, "wb") as file:
            file.write(data)

    threading.Thread(target=write, daemon=True).start()
    return VideoReader(PipeSource(descriptor=end), ahead=2)


@pytest.mark.parametrize("name", ["h264_variable", "transport", "mpeg4_avi", "raw_h264", "y4m"])
def test_every_frame_of_a_pipe_at_its_time(name, films, kinds, tmp_path):
    if name == "y4m":
        kind = Kind(".y4m", "wrapped_avframe")
        path = tmp_path / "film.y4m"
        write_film(path, kind, 60)
    else:
        path, kind = films(name), kinds[name]
    frames = list(reader_of(path.read_bytes()))
    assert [code_of(frame.pixels) for frame in frames] == list(range(60))
    assert [f.time - frames[0].time for f in frames] == [
        kind.stamp(n) * kind.tick for n in range(60)
    ]


def test_an_mp4_with_its_index_in_front_is_read(films, tmp_path):
    frames = list(reader_of(faststart(films("h264"), tmp_path)))
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(60)]


def test_what_cannot_be_read_is_said_at_once(films):
    with pytest.raises(VideoError, match=r"standard input: an MP4 whose index .* \+faststart"):
        reader_of(films("h264").read_bytes())
    with pytest.raises(InputError, match="nothing comes"):
        reader_of(b"")
    with pytest.raises(VideoError, match="HTML"):
        reader_of(b"<!doctype html><html>" + b" " * 5000)


def test_a_pipe_has_no_second_pass_and_no_frame_is_dropped(films):
    reader = reader_of(films("h264_variable").read_bytes())
    with pytest.raises(UsageError, match="go back"):
        reader.clip([0])
    with reader:
        assert next(reader).index == 0
    with pytest.raises(StopIteration):
        next(reader)


def test_a_pipe_that_falls_silent_is_closed_at_once(films):
    end, begin = os.pipe()
    os.write(begin, films("h264_variable").read_bytes()[:20_000])
    reader = VideoReader(PipeSource(descriptor=end), ahead=64)
    assert next(reader).index == 0
    started = time.monotonic()
    reader.close()
    assert time.monotonic() - started < 4, "closing gives up on a thread after 5 seconds"
    os.close(begin)


def test_probe_reads_standard_input(films):
    command = [sys.executable, "-m", "vis", "probe", "-", "--as-json"]
    with (
        films("transport").open("rb") as film,
        subprocess.Popen(["cat"], stdin=film, stdout=subprocess.PIPE) as cat,
    ):
        done = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"decoded": 60' in done.stdout
