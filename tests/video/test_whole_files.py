"""What FFmpeg passes over without a word: parts of a GIF or a Matroska file that do not fit."""

import random
import warnings

import pytest

from vis.errors import DamageWarning
from vis.video import gif, matroska, open_video


def encode(pixels, size):
    """LZW codes of a table that is never cleared again (GIF89a, appendix F)."""
    clear = 1 << size
    table = {(pixel,): pixel for pixel in range(clear)}
    codes, count, width, string = [(clear, size + 1)], clear + 2, size + 1, ()
    for pixel in [*pixels, None]:
        if (*string, pixel) in table:
            string += (pixel,)
            continue
        codes.append((table[string], width))
        if count < 4096:
            table[*string, pixel] = count
            count += 1
            width += count > 1 << width and width < 12
        string = (pixel,)
    codes.append((clear + 1, width))
    bits = at = 0
    for code, width in codes:
        bits |= code << at
        at += width
    return bits.to_bytes((at + 7) // 8, "little")


@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.parametrize("count", [1, 50, 1000, 20_000])
def test_codes_stand_for_as_many_pixels_as_were_encoded(size, count):
    chance = random.Random(count)
    codes = encode([chance.randrange(1 << size) for _ in range(count)], size)
    assert gif.count_pixels(codes, size) == count


def test_a_code_that_is_not_in_the_table_means_nothing():
    assert gif.count_pixels(b"\xfc\xff", 2) == -1


def told(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(open_video(path))
    return [warning.category for warning in caught] == [DamageWarning]


@pytest.mark.parametrize("name", ["av1", "vp9", "vp8_hidden", "h264_variable", "hevc_10bit", "gif"])
def test_a_whole_film_is_whole(name, films):
    assert not told(films(name))


@pytest.mark.parametrize("at", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("name", ["av1", "hevc_10bit"])
def test_one_changed_byte_of_the_pictures_is_told(name, at, films, tmp_path):
    content = bytearray(films(name).read_bytes())
    begin = content.index(b"\x1f\x43\xb6\x75")
    content[begin + int(at * (len(content) - begin))] ^= 0x55
    path = tmp_path / f"film{films(name).suffix}"
    path.write_bytes(content)
    assert told(path)


@pytest.mark.parametrize("at", [0.4, 0.7])
@pytest.mark.parametrize("name", ["vp9", "gif"])
def test_bytes_that_are_missing_are_told(name, at, films, tmp_path):
    content = bytearray(films(name).read_bytes())
    begin = int(at * len(content))
    del content[begin : begin + 200]
    path = tmp_path / f"film{films(name).suffix}"
    path.write_bytes(content)
    assert told(path)


def test_a_recording_of_unknown_length_is_whole(films, tmp_path):
    content = bytearray(films("vp9").read_bytes())
    for identity in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = 0
        while (at := content.find(identity, at)) >= 0:
            at += 4
            length = 9 - content[at].bit_length()
            size = (1 << 7 * length) - 1 | 1 << 7 * length
            content[at : at + length] = size.to_bytes(length, "big")
    path = tmp_path / "live.webm"
    path.write_bytes(content)
    assert matroska.is_whole(str(path))


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_damaged_picture_of_motion_jpeg_is_told_and_shown(at, films, tmp_path):
    content = bytearray(films("mjpeg_avi").read_bytes())
    begin = content.index(b"\xff\xda", int(at * len(content)))
    content[begin + 20 : begin + 60] = bytes(40)
    path = tmp_path / "film.avi"
    path.write_bytes(content)
    with pytest.warns(DamageWarning, match="60 of 60 frames; none known lost: a frame is damaged"):
        assert len(list(open_video(path))) == 60


TRANSPORT = ["transport", "transport_open", "transport_mpeg2"]


@pytest.mark.parametrize("name", TRANSPORT)
@pytest.mark.parametrize("change", ["cut", "delete", "zeros", "start code"])
def test_a_transport_stream_off_its_grid_is_told(name, change, films, tmp_path):
    content = bytearray(films(name).read_bytes())
    at = 188 * 60
    if change == "cut":
        del content[at + 50 :]
    elif change == "delete":
        del content[at + 50 : at + 66]
    elif change == "zeros":
        content[at : at + 188] = bytes(188)
    else:
        content[content.index(b"\0\0\1\xe0", at) + 2] = 2
    path = tmp_path / "film.ts"
    path.write_bytes(content)
    assert told(path)


@pytest.mark.parametrize("name", TRANSPORT)
def test_transport_streams_with_times_or_parity_are_whole(name, films, tmp_path):
    content = films(name).read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    for place, whole in enumerate(
        (
            content,
            b"".join(bytes(4) + packet for packet in packets),
            b"".join(packet + bytes(16) for packet in packets),
        )
    ):
        path = tmp_path / f"film{place}.ts"
        path.write_bytes(whole)
        assert not told(path)


def test_frames_before_the_first_key_frame_are_told(films, tmp_path):
    content = films("raw_h264").read_bytes()
    path = tmp_path / "film.h264"
    path.write_bytes(content.replace(b"\0\0\1\x65", b"\0\0\1\x41", 1))
    with pytest.warns(DamageWarning, match="12 frames were not decodable before the first key"):
        assert len(list(open_video(path))) == 48
