"""What the video writer makes: times, sizes, codecs, bytes."""

import os
import struct
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vis.errors import OutputError, UsageError, VisWarning
from vis.records import Frame, VideoInfo
from vis.video.pictures import PictureFiles, PicturesSource, find_pictures
from vis.video.writer import VideoWriter

FILMS = (".mp4", ".mov", ".mkv", ".webm", ".gif")
KINDS = (*FILMS, "")
SLACK = {".mkv": Fraction(1, 2000), ".webm": Fraction(1, 2000), ".gif": Fraction(1, 100)}
"""Seconds by which a read time may differ."""


def level(number: int) -> int:
    """The grey of frame `number`; two that follow each other differ by a lot."""
    return 30 + number * 67 % 200


def frames(times: list[Fraction], width: int = 48, height: int = 32) -> Iterator[Frame]:
    for number, time in enumerate(times):
        yield Frame(number, time, np.full((height, width, 3), level(number), np.uint8))


def source(tick: Fraction, rate: Fraction | None = None) -> VideoInfo:
    return VideoInfo("source", 48, 32, tick, frame_rate=rate)


def write(path: Path, times: list[Fraction], info: VideoInfo | None = None) -> None:
    write_all(path, frames(times), info)


def write_all(path: Path, shown: Iterator[Frame], info: VideoInfo | None = None) -> None:
    with VideoWriter(path, info=info) as writer:
        for frame in shown:
            writer.write(frame)


def read(path: Path) -> tuple[list[Fraction], list[float]]:
    """Times and mean levels of the frames."""
    with av.open(os.fspath(path)) as container:
        found = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24").mean())
            for frame in container.decode(video=0)
        ]
    return [time for time, _ in found], [mean for _, mean in found]


CLOCKS = {
    "constant": (Fraction(1, 15360), [Fraction(n, 30) for n in range(31)]),
    "29.97": (Fraction(1, 30000), [Fraction(1001 * n, 30000) for n in range(31)]),
    "variable": (Fraction(1, 90000), [Fraction(n * 60 + n * n * 7 % 37, 1000) for n in range(31)]),
    "starts_at_5": (Fraction(1, 15360), [5 + Fraction(n, 30) for n in range(31)]),
    "off_the_clock": (Fraction(1, 90000), [Fraction(123457 + 3003 * n, 90000) for n in range(9)]),
    "avi_clock": (Fraction(1001, 24000), [Fraction(1001 * n, 24000) for n in range(20)]),
    "one_frame": (Fraction(1, 90000), [Fraction(5)]),
    "seconds": (Fraction(1), [Fraction(2 * n) for n in range(6)]),
    "long_pauses": (Fraction(1, 600), [Fraction(n, 30) for n in (0, 1, 2, 300, 600, 601)]),
}  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("suffix", FILMS)
def test_every_frame_keeps_its_time(tmp_path: Path, suffix: str, clock: str) -> None:
    tick, times = CLOCKS[clock]
    path = tmp_path / f"out{suffix}"
    write(path, times, source(tick))
    found, levels = read(path)
    start = times[0] if suffix == ".gif" else 0  # a GIF has no start
    assert len(found) == len(times)
    late = max(abs(a + start - b) for a, b in zip(found, times, strict=True))
    assert late <= SLACK.get(suffix, 0)
    assert np.allclose(levels, [level(n) for n in range(len(times))], atol=3)


@pytest.mark.parametrize("count", range(1, 25))
def test_no_frame_is_lost_at_the_end_whatever_the_length(tmp_path: Path, count: int) -> None:
    times = [Fraction(n, 30) for n in range(count)]
    write(tmp_path / "out.mp4", times, source(Fraction(1, 15360), Fraction(30)))
    assert read(tmp_path / "out.mp4")[0] == times


def test_times_are_exact_where_no_clock_is_told(tmp_path: Path) -> None:
    for step in (Fraction(1001, 24000), Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 48)):
        times = [step * n for n in range(5)]
        path = tmp_path / f"{step.denominator}.mp4"
        write(path, times)
        assert read(path)[0] == times


def test_a_clock_that_the_frames_do_not_keep_is_not_used(tmp_path: Path) -> None:
    times = [Fraction(1, 30) + Fraction(n, 25) for n in range(5)]
    write(tmp_path / "out.mp4", times, source(Fraction(1, 25)))
    assert read(tmp_path / "out.mp4")[0] == times


@pytest.mark.parametrize("suffix", FILMS)
def test_the_last_frame_lasts_as_long_as_the_one_before(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [Fraction(n, 10) for n in (0, 1, 2, 7)], source(Fraction(1, 100)))
    with av.open(os.fspath(path)) as container:
        assert container.duration == 1_200_000


@pytest.mark.parametrize("suffix", FILMS)
def test_a_single_frame_lasts_one_frame_of_the_source(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [Fraction(0)], source(Fraction(1, 90000), Fraction(25)))
    with av.open(os.fspath(path)) as container:
        assert container.duration == 40_000


def test_a_folder_keeps_pixels_and_times_exactly(tmp_path: Path) -> None:
    times = [Fraction(7, 3) + Fraction(1001 * n, 30000) for n in range(12)]
    rng = np.random.default_rng(0)
    shown = [Frame(n, t, rng.integers(0, 256, (5, 7, 3), np.uint8)) for n, t in enumerate(times)]
    with VideoWriter(f"{tmp_path}/out.v2/") as writer:
        for frame in shown:
            writer.write(frame)
    pictures = find_pictures(str(tmp_path / "out.v2"))
    back = list(PicturesSource("out", PictureFiles(pictures, Fraction(25))).frames())
    assert [path.name for path in pictures] == [f"{n:06d}.png" for n in range(12)]
    assert [frame.time for frame in back] == times
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(back, shown, strict=True))


def test_frames_too_close_for_a_gif_are_left_out_and_said_so(tmp_path: Path) -> None:
    times = [Fraction(n, 100) for n in (0, 4, 5, 8, 12)]
    with pytest.warns(VisWarning, match=r"20 ms apart.*0\.050 s") as caught:
        write(tmp_path / "out.gif", times)
    assert len(caught) == 1
    assert read(tmp_path / "out.gif")[0] == [times[n] for n in (0, 1, 3, 4)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_that_begins_before_zero_is_moved_and_said_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.warns(VisWarning, match=r"begins 0\.400 s before"):
        write(path, [Fraction(n - 2, 5) for n in range(6)], source(Fraction(1, 5)))
    assert read(path)[0] == [Fraction(n, 5) for n in range(6)]


@pytest.mark.parametrize("size", [(47, 32), (48, 31), (1, 1), (3, 5)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_an_odd_side_is_padded_by_the_edge(
    tmp_path: Path, suffix: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f"out{suffix}"
    first, second = frames([Fraction(0), Fraction(1)], *size)
    first.pixels[-1, -1] = 250
    with VideoWriter(path, quality="high") as writer:
        with pytest.warns(VisWarning, match="padded to even sides"):
            writer.write(first)
        writer.write(second)
    with av.open(os.fspath(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    width, height = size
    assert picture.shape == (height + height % 2, width + width % 2)
    added = picture[height - 1 :, width - 1 :].astype(int)
    assert np.ptp(added) <= 8


def test_a_padded_film_is_told_of_by_its_source(tmp_path: Path) -> None:
    info = VideoInfo("holiday.mov", 47, 33, Fraction(1, 25))
    with (
        VideoWriter(tmp_path / ".hidden" / "film-000.mp4", info=info) as writer,
        pytest.warns(VisWarning, match=r"^holiday\.mov: 47 x 33 is padded"),
    ):
        writer.write(next(frames([Fraction(0)], 47, 33)))


@pytest.mark.parametrize("kind", [".gif", ""])
def test_an_odd_side_stays_odd_where_it_may(tmp_path: Path, kind: str) -> None:
    with VideoWriter(tmp_path / f"out{kind}") as writer:
        for frame in frames([Fraction(0)], 7, 5):
            writer.write(frame)
    made = tmp_path / f"out{kind}"
    with av.open(os.fspath(made if kind else made / "000000.png")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (7, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_frame_is_kept_once_written(tmp_path: Path, kind: str) -> None:
    with VideoWriter(tmp_path / f"out{kind}") as writer:
        for number in range(12):
            pixels = np.full((32, 48, 3), number, np.uint8)
            gone = weakref.ref(pixels)
            writer.write(Frame(number, Fraction(number, 30), pixels))
            del pixels
            assert gone() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_does_not_fit_is_refused_and_the_rest_goes_on(
    tmp_path: Path, kind: str
) -> None:
    first, other = frames([Fraction(0), Fraction(1)])
    large = next(frames([Fraction(2)], 64))
    path = tmp_path / f"out{kind}"
    with VideoWriter(path) as writer:
        writer.write(first)
        with pytest.raises(UsageError, match="64 x 32, the video is 48 x 32"):
            writer.write(large)
        for time in (Fraction(0), Fraction(-1)):
            with pytest.raises(UsageError, match="not after"):
                writer.write(Frame(5, time, other.pixels))
        for pixels in (other.pixels[..., 0], other.pixels[:0], other.pixels.astype(np.float32)):
            with pytest.raises(UsageError, match="not uint8"):
                writer.write(Frame(5, Fraction(3), pixels))  # type: ignore[arg-type]
        writer.write(other)
    with pytest.raises(UsageError, match="closed"):
        writer.write(other)
    assert path.exists()
    assert kind == "" or len(read(path)[0]) == 2


def test_rows_that_are_not_side_by_side_in_memory_are_written_right(tmp_path: Path) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, 48:] = 200
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(Frame(0, Fraction(0), pixels[::2, ::-2]))
    with av.open(os.fspath(tmp_path / "out.mp4")) as container:
        back = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert back[:, :22].mean() == pytest.approx(200, abs=3)
    assert back[:, 26:].mean() == pytest.approx(0, abs=3)


def test_the_suffix_chooses_the_codec(tmp_path: Path) -> None:
    codecs = {".mp4": "h264", ".MOV": "h264", ".mkv": "h264", ".webm": "vp9", ".gif": "gif"}
    for suffix, codec in codecs.items():
        write(tmp_path / f"out{suffix}", [Fraction(0), Fraction(1)])
        with av.open(os.fspath(tmp_path / f"out{suffix}")) as container:
            context = container.streams.video[0].codec_context
            assert context.codec.canonical_name == codec
            assert context.pix_fmt == ("bgra" if codec == "gif" else "yuv420p")


def test_an_unknown_quality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fast, normal, high"):
        VideoWriter(tmp_path / "out.mp4", quality="best")  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_more_quality_is_nearer_to_the_frames(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (12, 20, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    errors = []
    for quality in ("fast", "normal", "high"):
        path = tmp_path / f"{quality}{suffix}"
        with VideoWriter(path, quality=quality) as writer:
            for n in range(10):
                writer.write(Frame(n, Fraction(n, 30), np.roll(scene, 3 * n, axis=1)))
        with av.open(os.fspath(path)) as container:
            back = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
        assert len(back) == 10
        errors.append(
            np.mean([np.abs(b - np.roll(scene, 3 * n, axis=1)) for n, b in enumerate(back)])
        )
    assert errors[0] > errors[2]
    assert errors[1] > errors[2]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_finished_file_is_an_ordinary_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [Fraction(n, 30) for n in range(40)])
    boxes = top_boxes(path.read_bytes())
    assert boxes[0] == "ftyp"
    assert "moof" not in boxes
    assert boxes.count("moov") == boxes.count("mdat") == 1


def top_boxes(data: bytes) -> list[str]:
    names, at = [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        if size == 1:
            (size,) = struct.unpack(">Q", data[at + 8 : at + 16])
        assert size >= 8
        names.append(name.decode())
        at += size
    assert at == len(data)
    return names


@pytest.mark.parametrize("suffix", FILMS)
def test_the_same_frames_make_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}{suffix}", [Fraction(n, 30) for n in range(20)])
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_picture_beyond_the_codec_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="encoder refuses") as caught:
        write_all(tmp_path / "out.mp4", frames([Fraction(0)], 20_000, 2))
    assert "suffix" in caught.value.remedy
    assert not list(tmp_path.iterdir())
