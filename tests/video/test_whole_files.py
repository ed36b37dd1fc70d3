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
