"""Packets without a time: none is lost, each gets the time that its neighbours imply."""

import io
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import code_of, coded
from vis.errors import DamageWarning
from vis.video import open_video, probe


def element(ident: str, body: bytes) -> bytes:
    return bytes.fromhex(ident) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def number(ident: str, value: int) -> bytes:
    return element(ident, value.to_bytes(4, "big"))


def lace(time: int, frames: list[bytes]) -> bytes:
    """A block that states the time of its first frame alone (Xiph's lacing)."""
    sizes = b"".join(b"\xff" * (len(one) // 255) + bytes([len(one) % 255]) for one in frames[:-1])
    head = b"\x81" + time.to_bytes(2, "big") + b"\x82" + bytes([len(frames) - 1])
    return element("A3", head + sizes + b"".join(frames))


def write_laced(path: Path, laces: list[tuple[int, int]]) -> None:
    """A Matroska file of JPEGs that states no rate; a lace is its time and how many it holds."""
    pictures = []
    for code in range(sum(count for _, count in laces)):
        buffer = io.BytesIO()
        Image.fromarray(coded(code)).save(buffer, "JPEG")
        pictures.append(buffer.getvalue())
    size = element("E0", number("B0", 160) + number("BA", 96))
    track = number("D7", 1) + number("73C5", 1) + number("83", 1) + element("86", b"V_MJPEG") + size
    rest = iter(pictures)
    blocks = b"".join(lace(time, [next(rest) for _ in range(count)]) for time, count in laces)
    names = element("4D80", b"t") + element("5741", b"t")
    info = element("1549A966", number("2AD7B1", 1_000_000) + names)
    cluster = element("1F43B675", number("E7", 0) + blocks)
    head = element("1A45DFA3", element("4282", b"matroska") + number("4287", 2))
    segment = info + element("1654AE6B", element("AE", track)) + cluster
    path.write_bytes(head + element("18538067", segment))


@pytest.mark.parametrize("laces", [[(0, 2), (80, 3), (200, 1)], [(0, 6)], [(0, 1), (40, 5)]])
def test_frames_of_a_lace_lie_at_equal_steps(laces, tmp_path):
    write_laced(tmp_path / "laced.mkv", laces)
    untimed = 6 - len(laces)
    with open_video(tmp_path / "laced.mkv") as reader:
        with pytest.warns(DamageWarning, match=f"none known lost: {untimed} packets state no time"):
            frames = list(reader)
        assert [code_of(frame.pixels) for frame in frames] == list(range(6))
        assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(6)]
        assert reader.times == tuple(frame.time for frame in frames)
        assert [code_of(picture) for picture in reader.clip([4, 1, 5])] == [4, 1, 5]
    assert probe(tmp_path / "laced.mkv").frame_rate == 25
