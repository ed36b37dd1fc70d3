"""Sound carried over from a source: the same packets at the same times, to the video's end."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from vis.errors import DamageWarning, InputError, VideoError, VisWarning
from vis.records import Frame, VideoInfo
from vis.video.writer import VideoWriter

RATE = Fraction(25)
SLACK = {".mp4": 0, ".mov": 0, ".mkv": Fraction(1, 1000), ".webm": Fraction(1, 1000)}


@dataclass(frozen=True)
class Sound:
    """One packet."""

    time: Fraction
    payload: bytes


def sounds(path: Path) -> list[list[Sound]]:
    """The packets of each audio stream."""
    with av.open(os.fspath(path)) as container:
        streams = list(container.streams.audio)
        found: list[list[Sound]] = [[] for _ in streams]
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                place = [stream.index for stream in streams].index(packet.stream_index)
                found[place].append(Sound(packet.pts * packet.time_base, bytes(packet)))
    return found


def make_source(
    path: Path,
    codecs: Sequence[tuple[str, int]],
    *,
    seconds: int = 2,
    start: int = 0,
    delays: Sequence[int] = (0, 0, 0),
) -> Path:
    """A film with one tone for each codec and sample rate, which begins `delays` after `start`."""
    with av.open(os.fspath(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE)
        video.width = video.height = 32
        audio = [out.add_stream(codec, rate=rate, layout="stereo") for codec, rate in codecs]
        for number in range(int(seconds * RATE)):
            picture = av.VideoFrame.from_ndarray(grey(number), "rgb24")
            picture.pts, picture.time_base = start * int(RATE) + number, 1 / RATE
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        for stream, (_, rate), delay in zip(audio, codecs, delays, strict=False):
            add_tone(out, stream, rate, range((start + delay) * rate, (start + seconds) * rate))
    return path


def add_tone(
    out: av.container.OutputContainer, stream: av.AudioStream, rate: int, samples: range
) -> None:
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.format.name, stream.layout.name, rate)
    for at in range(samples.start, samples.stop, size):
        wave = (np.sin(np.arange(at, at + size) * 0.05) * 8000).astype(np.int16)
        tone = av.AudioFrame.from_ndarray(wave.repeat(2)[None], format="s16", layout="stereo")
        tone.sample_rate, tone.pts, tone.time_base = rate, at, Fraction(1, rate)
        for ready in resampler.resample(tone):
            out.mux(stream.encode(ready))
    if samples:
        out.mux(stream.encode(None))


def grey(number: int) -> np.ndarray:
    return np.full((32, 32, 3), number * 37 % 256, np.uint8)


def write(path: Path, source: Path, times: list[Fraction]) -> None:
    info = VideoInfo("source", 32, 32, Fraction(1, 90000), frame_rate=RATE)
    with VideoWriter(path, info=info, audio_from=source) as writer:
        for number, time in enumerate(times):
            writer.write(Frame(number, time, grey(number)))


def seconds(start: int, stop: int) -> list[Fraction]:
    return [number / RATE for number in range(start * int(RATE), stop * int(RATE))]


def assert_same(new: list[Sound], old: list[Sound], slack: Fraction | int) -> None:
    assert [sound.payload for sound in new] == [sound.payload for sound in old]
    assert all(abs(a.time - b.time) <= slack for a, b in zip(new, old, strict=True))


TAKEN = [
    ("aac", 48000, ".mp4"), ("aac", 44100, ".mov"), ("aac", 48000, ".mkv"),
    ("libopus", 48000, ".mp4"), ("libopus", 48000, ".webm"), ("libopus", 48000, ".mkv"),
    ("ac3", 48000, ".mp4"), ("alac", 44100, ".mp4"), ("flac", 44100, ".mkv"),
    ("libmp3lame", 44100, ".mp4"), ("pcm_s16le", 16000, ".mov"),
    ("pcm_s16le", 16000, ".mp4"),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "rate", "suffix"), TAKEN)
def test_packets_are_the_same_at_the_same_times(
    tmp_path: Path, codec: str, rate: int, suffix: str
) -> None:
    source = make_source(tmp_path / "source.mkv", [(codec, rate)])
    write(tmp_path / f"out{suffix}", source, seconds(0, 3))
    (new,), (old,) = sounds(tmp_path / f"out{suffix}"), sounds(source)
    # a file on another clock than milliseconds may differ by its own rounding
    assert_same(new, old, max(Fraction(SLACK[suffix]), Fraction(1, 20_000)))
    with av.open(os.fspath(tmp_path / f"out{suffix}")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 1.9 * rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_stream_is_copied(tmp_path: Path, suffix: str) -> None:
    source = make_source(tmp_path / "source.mp4", [("aac", 48000), ("aac", 16000), ("ac3", 48000)])
    write(tmp_path / f"out{suffix}", source, seconds(0, 3))
    new, old = sounds(tmp_path / f"out{suffix}"), sounds(source)
    assert len(new) == len(old) == 3
    for a, b in zip(new, old, strict=True):
        assert_same(a, b, SLACK[suffix])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_ends_with_the_video(tmp_path: Path, suffix: str) -> None:
    source = make_source(tmp_path / "source.mp4", [("aac", 48000)], seconds=4)
    write(tmp_path / f"out{suffix}", source, seconds(0, 1))
    (new,), (old,) = sounds(tmp_path / f"out{suffix}"), sounds(source)
    assert_same(new, [sound for sound in old if sound.time < 1], SLACK[suffix])


def test_a_part_of_a_video_has_that_part_of_the_sound(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", [("aac", 48000)], seconds=4)
    write(tmp_path / "out.mp4", source, seconds(2, 3))
    (new,), (old,) = sounds(tmp_path / "out.mp4"), sounds(source)
    packet = Fraction(1024, 48000)
    assert_same(new, [sound for sound in old if sound.time + packet > 2 and sound.time < 3], 0)
    with av.open(os.fspath(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).time == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_late_start_stays_late_for_both(tmp_path: Path, suffix: str) -> None:
    source = make_source(tmp_path / "source.mp4", [("aac", 48000)], start=5)
    write(tmp_path / f"out{suffix}", source, seconds(5, 8))
    (new,), (old,) = sounds(tmp_path / f"out{suffix}"), sounds(source)
    assert_same(new, old, SLACK[suffix])
    with av.open(os.fspath(tmp_path / f"out{suffix}")) as container:
        assert next(container.decode(video=0)).time == 5


@pytest.mark.parametrize(
    ("kind", "reason"), [(".webm", "takes no aac"), (".gif", "takes no aac"), ("", "no sound")]
)
def test_sound_that_does_not_fit_is_left_out_and_said_so(
    tmp_path: Path, kind: str, reason: str
) -> None:
    source = make_source(tmp_path / "source.mp4", [("aac", 48000)])
    with pytest.warns(VisWarning, match=reason):
        write(tmp_path / f"out{kind}", source, seconds(0, 1))
    assert kind == "" or sounds(tmp_path / f"out{kind}") == []


def test_pcm_that_mp4_cannot_hold_is_refused_before_the_first_picture(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mov", [("pcm_s16be", 16000), ("pcm_u8", 16000)])
    with VideoWriter(tmp_path / "out.mp4", audio_from=source) as writer:
        with pytest.warns(VisWarning, match=r"mp4 takes no pcm_u8.*\.mkv"):
            writer.write(Frame(0, Fraction(0), grey(0)))
        writer.write(Frame(1, 1 / RATE, grey(1)))
    assert len(sounds(tmp_path / "out.mp4")) == 1


def test_what_fits_is_kept_beside_what_does_not(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mkv", [("aac", 48000), ("libopus", 48000)])
    with pytest.warns(VisWarning, match="webm takes no aac"):
        write(tmp_path / "out.webm", source, seconds(0, 3))
    (new,) = sounds(tmp_path / "out.webm")
    assert_same(new, sounds(source)[1], SLACK[".webm"])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_stream_without_packets_holds_nothing_up(tmp_path: Path, suffix: str) -> None:
    codecs = [("aac", 48000), ("ac3", 48000)]
    source = make_source(tmp_path / "source.mkv", codecs, delays=(0, 3), seconds=3)
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, audio_from=source) as writer:
        for number, time in enumerate(seconds(0, 3)):
            writer.write(Frame(number, time, grey(number)))
        with av.open(os.fspath(writer.partial)) as container:
            assert sum(packet.size > 0 for packet in container.demux(video=0)) >= 60
    (new,), (old, none) = sounds(path), sounds(source)
    assert none == []
    assert_same(new, old, SLACK[suffix])


def test_a_stream_that_begins_after_a_thousand_packets_is_left_out(tmp_path: Path) -> None:
    codecs = [("aac", 48000), ("ac3", 48000)]
    source = make_source(tmp_path / "source.mkv", codecs, delays=(0, 22), seconds=23)
    with pytest.warns(VisWarning, match="1 audio streams begin too late"):
        write(tmp_path / "out.mp4", source, seconds(0, 23))
    (new,) = sounds(tmp_path / "out.mp4")
    assert_same(new, sounds(source)[0], 0)


@pytest.mark.parametrize("kind", [".mp4", ".gif", ""])
def test_a_silent_source_is_no_reason_to_speak(tmp_path: Path, kind: str) -> None:
    source = make_source(tmp_path / "source.mp4", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / f"out{kind}", source, seconds(0, 1))


def test_a_source_that_is_none_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(InputError):
        VideoWriter(tmp_path / "out.mp4", audio_from=tmp_path / "missing.mp4")
    with pytest.raises(VideoError):
        VideoWriter(tmp_path / "out.mp4", audio_from=tmp_path / "text.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_source_that_breaks_off_costs_sound_but_no_frame(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mkv", [("pcm_s16le", 48000)], seconds=3)
    (old,) = sounds(source)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    write(tmp_path / "out.mkv", source, seconds(0, 3))
    (new,) = sounds(tmp_path / "out.mkv")
    assert_same(new, old[: len(new)], SLACK[".mkv"])
    assert len(old) // 3 < len(new) < len(old)
    with av.open(os.fspath(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 75


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_aac_of_a_transport_stream_is_repacked_and_plays(tmp_path: Path, suffix: str) -> None:
    source = make_source(tmp_path / "source.ts", [("aac", 48000)])
    write(tmp_path / f"out{suffix}", source, seconds(0, 5))
    (new,), (old,) = sounds(tmp_path / f"out{suffix}"), sounds(source)
    adts = 7  # bytes of the header that only a transport stream needs
    bare = [Sound(sound.time, sound.payload[adts:]) for sound in old]
    assert_same(new, bare, max(Fraction(SLACK[suffix]), Fraction(1, 20_000)))
    with av.open(os.fspath(tmp_path / f"out{suffix}")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 1.9 * 48000


def test_sound_whose_time_goes_back_is_left_out_and_said_so(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.ts", [("mp2", 44100)])
    (old,) = sounds(source)
    source.write_bytes(2 * source.read_bytes())
    with pytest.warns(DamageWarning, match="damaged audio packets"):
        write(tmp_path / "out.mkv", source, seconds(0, 20))
    (new,) = sounds(tmp_path / "out.mkv")
    assert_same(new[: len(old)], old, SLACK[".mkv"])
    assert all(a.time < b.time for a, b in pairwise(new))


def test_the_source_itself_may_be_replaced(tmp_path: Path) -> None:
    path = make_source(tmp_path / "film.mp4", [("aac", 48000)])
    (old,) = sounds(path)
    with VideoWriter(path, audio_from=path, overwrite=True) as writer:
        for number, time in enumerate(seconds(0, 3)):
            writer.write(Frame(number, time, grey(number)))
    assert_same(sounds(path)[0], old, 0)


CLIPS = [
    ("mmcv__test.mp4", 1),
    ("sam2__04_coffee.mp4", 1),
    ("torchcodec__nasa_13013.mp4", 2),
    ("imageio__realshort.mp4", 1),
    ("imageio__cockatoo.mp4", 1),
]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("name", "streams"), CLIPS)
def test_sound_of_real_clips(
    clips: Path, tmp_path: Path, name: str, streams: int, suffix: str
) -> None:
    with av.open(os.fspath(clips / name)) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    write(tmp_path / f"out{suffix}", clips / name, times)
    new, old = sounds(tmp_path / f"out{suffix}"), sounds(clips / name)
    assert len(new) == len(old) == streams
    end = times[-1] + (times[-1] - times[-2])
    for a, b in zip(new, old, strict=True):
        assert_same(a, [sound for sound in b if sound.time < end], SLACK[suffix])
    with av.open(os.fspath(tmp_path / f"out{suffix}")) as container:
        found = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert all(abs(a - b) <= SLACK[suffix] for a, b in zip(found, times, strict=True))
