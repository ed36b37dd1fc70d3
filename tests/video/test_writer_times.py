"""The times of a film's pictures: exact in every container, whatever sound goes with them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.test_writer_audio import assert_same, make_source, sounds
from vis.records import Frame, VideoInfo
from vis.video.joining import Piece, join_videos, reaches
from vis.video.writer import VideoWriter

FILMS = (".mp4", ".mov", ".mkv", ".webm")
PACE = {
    "constant": (Fraction(1, 12800), [Fraction(n, 25) for n in range(24)]),
    "variable": (Fraction(1, 90000), [Fraction(90 * n + 7 * n * n % 61, 1000) for n in range(24)]),
    "screen": (Fraction(1, 1000), [Fraction(400 * n + 7 * n * n % 361, 1000) for n in range(24)]),
    "every_third": (Fraction(1, 12800), [Fraction(3 * n, 25) for n in range(24)]),
    "late": (Fraction(1, 12800), [5 + Fraction(3 * n, 25) for n in range(24)]),
    "milliseconds": (Fraction(1, 1000), [Fraction(n * 1000 // 12, 1000) for n in range(24)]),
    "thirtieths": (Fraction(1, 30000), [Fraction(4004 * n, 30000) for n in range(24)]),
}
"""The source's clock, and the times of the frames that are written."""
HALF_A_MILLISECOND = Fraction(1, 2000)


def slack(suffix: str) -> Fraction | int:
    """Seconds by which a picture's time may be rounded."""
    return HALF_A_MILLISECOND if suffix in (".mkv", ".webm") else 0


@pytest.fixture(scope="module")
def with_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films by codec and number of audio streams, of ten seconds."""
    folder = tmp_path_factory.mktemp("sources")
    for codec in ("aac", "libopus"):
        for count in (0, 1, 2):
            name = folder / f"{codec}-{count}.{'mkv' if codec == 'libopus' else 'mp4'}"
            make_source(name, [(codec, 48000)] * count, seconds=10)
    return folder


def source_for(folder: Path, suffix: str, streams: int) -> Path:
    """One whose sound fits the container."""
    return folder / (f"libopus-{streams}.mkv" if suffix == ".webm" else f"aac-{streams}.mp4")


def frames(times: Sequence[Fraction], start: int = 0) -> Iterator[Frame]:
    for number, time in enumerate(times, start):
        scene = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        yield Frame(number, time, scene.repeat(8, axis=0).repeat(8, axis=1))


def information(pace: str) -> VideoInfo:
    return VideoInfo("source", 64, 48, PACE[pace][0], frame_rate=Fraction(25))


def times_of(path: Path) -> list[Fraction]:
    with av.open(os.fspath(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def worst(path: Path, times: Sequence[Fraction]) -> Fraction:
    """Seconds by which a picture is off, at most."""
    return max(abs(a - b) for a, b in zip(times_of(path), times, strict=True))


def assert_sound_kept(path: Path, source: Path, times: Sequence[Fraction]) -> None:
    """The sound of the span of the pictures, at its times."""
    end = 2 * times[-1] - times[-2]
    off = Fraction(1, 1000) if path.suffix in (".mkv", ".webm") else 0
    new, old = sounds(path), sounds(source)
    assert len(new) == len(old)
    for a, b in zip(new, old, strict=True):
        length = b[-2].time - b[-3].time
        # what an encoder puts before time 0 belongs to a film from its start
        begin = times[0] - length if times[0] else b[0].time - length
        assert_same(a, [one for one in b if begin < one.time < end], off)


@pytest.mark.parametrize("streams", [0, 1, 2])
@pytest.mark.parametrize("pace", PACE)
@pytest.mark.parametrize("suffix", FILMS)
def test_every_picture_keeps_its_time(
    tmp_path: Path, with_sound: Path, suffix: str, pace: str, streams: int
) -> None:
    path, times = tmp_path / f"out{suffix}", PACE[pace][1]
    source = source_for(with_sound, suffix, streams)
    with VideoWriter(path, info=information(pace), audio_from=source) as writer:
        for frame in frames(times):
            writer.write(frame)
    assert worst(path, times) <= slack(suffix)
    assert_sound_kept(path, source, times)


@pytest.mark.parametrize("quality", ["fast", "high"])
@pytest.mark.parametrize("suffix", FILMS)
def test_the_times_are_those_at_any_quality(
    tmp_path: Path, with_sound: Path, suffix: str, quality: str
) -> None:
    path, times = tmp_path / f"out{suffix}", PACE["variable"][1]
    source = source_for(with_sound, suffix, 1)
    with VideoWriter(
        path, info=information("variable"), audio_from=source, quality=quality
    ) as writer:
        for frame in frames(times):
            writer.write(frame)
    assert worst(path, times) <= slack(suffix)


@pytest.mark.parametrize("streams", [0, 1, 2])
@pytest.mark.parametrize("pace", PACE)
@pytest.mark.parametrize("suffix", FILMS)
def test_joined_pieces_keep_every_time(
    tmp_path: Path, with_sound: Path, suffix: str, pace: str, streams: int
) -> None:
    times, source = PACE[pace][1], source_for(with_sound, suffix, streams)
    pieces = []
    for number, (begin, stop) in enumerate([(0, 9), (9, 10), (10, 24)]):
        path = tmp_path / f"{number}{suffix}"
        # as an interrupted run leaves them: with a frame more than its state tells of
        span = times[begin : min(stop + 1, 24)]
        audio = source if number == 0 else None
        with VideoWriter(path, info=information(pace), audio_from=audio) as writer:
            for frame in frames(span, begin):
                writer.write(frame)
        pieces.append(Piece(path, times[begin], times[stop - 1]))
    assert all(map(reaches, pieces))
    join_videos(pieces, tmp_path / f"out{suffix}", audio_from=os.fspath(source))
    assert worst(tmp_path / f"out{suffix}", times) <= slack(suffix)
    assert_sound_kept(tmp_path / f"out{suffix}", source, times)


CHILD = """
import sys
from pathlib import Path
from tests.video.test_writer_times import PACE, frames, information
from vis.video.writer import VideoWriter

path, source, pace = sys.argv[1:]
with VideoWriter(path, info=information(pace), audio_from=source) as writer:
    for frame in frames(PACE[pace][1]):
        writer.write(frame)
    print("written", flush=True)
    sys.stdin.read()
"""


def write_and_kill(path: Path, source: Path, pace: str) -> None:
    """All frames are written, then a SIGKILL comes instead of the end."""
    command = [sys.executable, "-c", CHILD, os.fspath(path), os.fspath(source), pace]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("pace", ["every_third", "screen"])
@pytest.mark.parametrize("suffix", FILMS)
def test_what_a_kill_leaves_has_its_times_and_can_be_gone_on_with(
    tmp_path: Path, with_sound: Path, suffix: str, pace: str
) -> None:
    times, source = PACE[pace][1], source_for(with_sound, suffix, 1)
    write_and_kill(tmp_path / f"0{suffix}", source, pace)
    left = tmp_path / f"0.part{suffix}"
    count = len(times_of(left))
    assert count >= 24 - 12
    assert worst(left, times[:count]) <= slack(suffix)
    assert len(sounds(left)[0]) > 10
    rest = tmp_path / f"1{suffix}"
    with VideoWriter(rest, info=information(pace)) as writer:
        for frame in frames(times[count - 1 :], count - 1):
            writer.write(frame)
    pieces = [Piece(left, times[0], times[count - 2]), Piece(rest, times[count - 1], times[-1])]
    assert reaches(pieces[0])
    join_videos(pieces, tmp_path / f"out{suffix}", audio_from=os.fspath(source))
    assert worst(tmp_path / f"out{suffix}", times) <= slack(suffix)
    assert_sound_kept(tmp_path / f"out{suffix}", source, times)
