"""Reading: every frame once, in order, at its time; any frame at will; nothing lost in silence."""

import gc
import os
import threading
import time
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import KINDS, wait_until, write_film
from vis.errors import DamageWarning, InputError, UsageError, VideoError
from vis.video import limits, open_video
from vis.video.other_backends import _has_open_groups

ALL = [
    "h264", "h264_one_group", "h264_open_groups", "h264_2997", "h264_variable", "h264_late",
    "h264_444_odd", "h264_10bit", "hevc", "hevc_10bit", "transport", "transport_open",
    "transport_mpeg2", "av1", "vp9", "vp8_hidden", "mpeg4", "mpeg4_avi", "mjpeg_avi", "gif",
    "prores", "raw_h264", "one_frame",
]  # fmt: skip


def test_the_list_of_films_is_whole(kinds):
    assert set(ALL) == set(kinds)


@pytest.mark.parametrize("name", ALL)
def test_every_frame_once_in_order_at_its_time(name, films, kinds, read_code):
    kind = kinds[name]
    frames = list(open_video(films(name)))  # a warning would be an error here: no false alarm
    assert [read_code(frame.pixels) for frame in frames] == list(
        range(1 if name == "one_frame" else 60)
    )
    assert [frame.index for frame in frames] == list(range(len(frames)))
    delay = frames[0].time - kind.stamp(0) * kind.tick if kind.suffix == ".ts" else 0
    assert [f.time - delay for f in frames] == [kind.stamp(f.index) * kind.tick for f in frames]


@pytest.mark.parametrize("name", ALL)
def test_any_frame_at_will_equals_sequential_decoding(name, films, read_code):
    with open_video(films(name)) as reader:
        frames = list(reader)
        order = np.random.default_rng(0).permutation(len(reader.times)).tolist()
        assert reader.times == tuple(frame.time for frame in frames)
        for start in range(0, len(order), 9):
            wanted = order[start : start + 9]
            clip = reader.clip(wanted)
            assert [read_code(picture) for picture in clip] == wanted
            assert all(np.array_equal(clip[i], frames[w].pixels) for i, w in enumerate(wanted))


def test_open_groups_are_open(films):
    assert _has_open_groups(str(films("h264_open_groups")))
    assert not _has_open_groups(str(films("h264")))


def test_a_clip_may_repeat_frames_and_start_before_any_iteration(films, read_code):
    with open_video(films("transport_open")) as reader:
        assert [read_code(p) for p in reader.clip([40, 3, 40, 41])] == [40, 3, 40, 41]
        assert reader.clip([]).shape == (0, 96, 160, 3)
        assert next(reader).index == 0
        with pytest.raises(UsageError, match=r"frame 60 .* 60 frames"):
            reader.clip([60])


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="the system has no such policy")
def test_the_films_of_the_tests_leave_the_process_as_it_was(tmp_path: Path):
    before = os.sched_getscheduler(0)
    write_film(tmp_path / "film.mkv", KINDS["av1"], 4)
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("kept", [0.5, 0.83])
@pytest.mark.parametrize("name", ["h264", "h264_variable", "vp9", "mpeg4_avi", "av1"])
def test_a_truncated_file_gives_what_is_left_and_says_so(
    name, kept, films, kinds, read_code, tmp_path
):
    whole = films(name).read_bytes()
    if name == "h264":
        whole = faststart(films(name), tmp_path)
    cut = tmp_path / f"cut{films(name).suffix}"
    cut.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.warns(DamageWarning, match=r"cut.*lost") as caught:
        frames = list(open_video(cut))
    assert len(caught) == 1
    assert 1 < len(frames) < 60
    codes = [read_code(frame.pixels) for frame in frames]
    assert codes == sorted(set(codes))
    if name != "mpeg4_avi":  # whose packets carry no times to tell a hole by
        kind = kinds[name]
        assert [f.time for f in frames] == [kind.stamp(code) * kind.tick for code in codes]
    with pytest.raises(VideoError, match="damaged"):
        list(open_video(cut, strict=True))


def faststart(path: Path, folder: Path) -> bytes:
    """The film with its header in front, so that a cut leaves it readable."""
    import av

    out = folder / "front.mp4"
    with (
        av.open(str(path)) as old,
        av.open(str(out), "w", options={"movflags": "faststart"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return out.read_bytes()


def test_damage_in_the_middle_costs_frames_not_their_numbers(films, read_code, tmp_path):
    data = bytearray(films("h264").read_bytes())
    middle = data.index(b"moov") // 2  # within the pictures, not the header behind them
    data[middle : middle + 400] = bytes(400)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = list(open_video(broken))
    lost = set(range(60)) - {frame.index for frame in frames}
    assert lost
    assert [w.category for w in caught] == [DamageWarning]
    late = [frame for frame in frames if frame.index > 50]  # a later group decodes cleanly again
    assert [read_code(frame.pixels) for frame in late] == [frame.index for frame in late]
    assert all(frame.time == Fraction(frame.index, 25) for frame in frames)


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_a_cut_gif_is_told(kept, films, tmp_path):
    whole = films("gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.warns(DamageWarning, match=r"cut\.gif: .*lost"):
        assert list(open_video(tmp_path / "cut.gif"))


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", InputError, "empty"),
        (b"just some notes\n" * 30, VideoError, "text, not a video"),
        (b"<!DOCTYPE html><html><body>404</body></html>", VideoError, "HTML or XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", VideoError, "Git LFS"),
        (b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", VideoError, "playlist"),
        (bytes(range(256)) * 40, VideoError, "not a video of a known kind"),
    ],
)
def test_what_is_no_video_is_named(content, kind, message, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(kind, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_audio_only_missing_pipe_and_folder_without_pictures(tmp_path):
    import av

    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoError, match="audio only"):
        open_video(sound)
    with pytest.raises(InputError, match="No such file"):
        open_video(tmp_path / "missing.mp4")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="regular file"):
        open_video(tmp_path / "pipe")
    with pytest.raises(InputError, match="no pictures"):
        open_video(tmp_path)


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "http:b.mp4", "-x.mp4", "é ü.mp4", "line\nbreak.mp4", "p%03d[1].mp4"]
)
def test_odd_names_are_names(name, films, tmp_path):
    path = tmp_path / name
    path.write_bytes(films("one_frame").read_bytes())
    assert len(list(open_video(path))) == 1


def test_a_playlist_by_any_name_follows_nothing(films, tmp_path):
    other = tmp_path / "other.ts"
    other.write_bytes(films("transport").read_bytes())
    for name in ("list.mp4", "list.m3u8", "list.ts"):
        path = tmp_path / name
        path.write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.4,\n{other}\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(VideoError, match="playlist"):
            open_video(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    width = height = 16000
    logical = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    image = b"\x2c\x00\x00\x00\x00" + logical + b"\x00\x02\x02\x4c\x01\x00"
    palette = bytes([0x80, 0, 0]) + bytes(6)
    gif = b"GIF89a" + logical + palette + image * 30 + b"\x3b"
    path = tmp_path / "bomb.gif"
    path.write_bytes(gif)
    with pytest.raises(VideoError, match="16000 x 16000"):
        open_video(path)


def test_the_thread_runs_a_bounded_number_ahead_and_stops(films):
    before = threading.active_count()
    reader = open_video(films("h264_one_group"), ahead=3)
    next(reader)
    wait_until(lambda: reader.report.decoded >= 5)
    time.sleep(0.1)
    assert reader.report.decoded <= 1 + 3 + 1  # given out, waiting, in the thread's hand
    reader.close()
    assert threading.active_count() == before
    assert next(reader, None) is None


def test_a_dropped_reader_stops_its_thread(films):
    before = threading.active_count()
    reader = open_video(films("h264_one_group"), ahead=2)
    next(reader)
    del reader
    gc.collect()
    wait_until(lambda: threading.active_count() == before)


def test_frames_ahead_are_bounded_by_memory_too():
    assert limits.frames_ahead(8, 640, 360) == 8
    assert limits.frames_ahead(1000, 16, 16) == limits.MAX_FRAMES_AHEAD
    assert limits.frames_ahead(8, 7680, 4320) == 2
    assert limits.frames_ahead(8, 32000, 32000) == 1


def test_no_frame_outlives_its_use(films):
    """A decoded picture must not wait for the garbage collector: it would fill the memory."""
    import av

    gc.collect()
    gc.disable()
    try:
        with open_video(films("h264_one_group"), ahead=2) as reader:
            for _ in reader:
                pass
        alive = [thing for thing in gc.get_objects() if type(thing) is av.VideoFrame]
    finally:
        gc.enable()
    assert len(alive) <= 5  # the first one, whose display matrix was read, and those of other tests


def test_a_reader_is_read_once(films):
    with open_video(films("h264")) as reader:
        assert len(list(reader)) == 60
        assert list(reader) == []


@pytest.mark.parametrize("argument", [{"ahead": 0}, {"frame_rate": 0}])
def test_senseless_arguments_are_refused(argument, films):
    with pytest.raises(UsageError):
        open_video(films("h264"), **argument)
