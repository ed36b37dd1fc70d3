"""AVI knows a rate and no times: every frame is written, and what moves is said."""

import warnings
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.conftest import code_of, coded
from tests.video.test_writer_audio import make_source, sounds
from vis.errors import VisWarning
from vis.records import Frame, VideoInfo
from vis.video import open_video, probe
from vis.video.writer import VideoWriter

INFO = VideoInfo("source", 160, 96, Fraction(1, 12800), frame_rate=Fraction(25))


def write(path: Path, times: list[Fraction], audio_from: Path | None = None) -> None:
    with VideoWriter(path, info=INFO, audio_from=audio_from) as writer:
        for code, time in enumerate(times):
            writer.write(Frame(code, time, coded(code)))


@pytest.mark.parametrize("step", [1, 3])
def test_times_at_the_rate_are_exact_and_count_from_the_first(step, tmp_path):
    write(tmp_path / "out.avi", [5 + Fraction(step * n, 25) for n in range(12)])
    frames = list(open_video(tmp_path / "out.avi"))  # a warning would be an error
    assert [code_of(frame.pixels) for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == [Fraction(step * n, 25) for n in range(12)]
    assert probe(tmp_path / "out.avi").info.codec == "h264"


def test_a_variable_rate_moves_frames_and_loses_none(tmp_path):
    times = [Fraction(40 * n + n * n * 7 % 37, 1000) for n in range(20)]
    with pytest.warns(VisWarning, match=r"avi keeps 25 .*every frame is written.*\.mkv") as caught:
        write(tmp_path / "out.avi", times)
    assert len(caught) == 1
    frames = list(open_video(tmp_path / "out.avi"))
    assert [code_of(frame.pixels) for frame in frames] == list(range(20))
    assert all(abs(f.time - time) <= Fraction(1, 25) for f, time in zip(frames, times, strict=True))


def test_sound_goes_along(tmp_path):
    source = make_source(tmp_path / "source.mp4", [("libmp3lame", 48000)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "out.avi", [Fraction(n, 25) for n in range(50)], source)
    (new,), (old,) = sounds(tmp_path / "out.avi"), sounds(source)
    assert [one.payload for one in new] == [one.payload for one in old]
    with av.open(str(tmp_path / "out.avi")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 1.9 * 48000


def test_empty_packets_of_an_avi_are_no_loss_and_a_cut_one_is(tmp_path):
    write(tmp_path / "out.avi", [Fraction(3 * n, 25) for n in range(20)])
    assert probe(tmp_path / "out.avi").problems == ()
    whole = (tmp_path / "out.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: whole.rindex(b"idx1") - 200])
    report = probe(tmp_path / "cut.avi")
    assert report.lost and report.decoded > 10
