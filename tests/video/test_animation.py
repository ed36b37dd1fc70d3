"""Animated PNG, WebP and AVIF, and stacks of TIFF: every frame at its time, or what was lost."""

import gc
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import code_of, coded
from vis.errors import DamageWarning, VideoError, VisWarning
from vis.video import open_video, probe

STEPS = [40, 20, 1000, 40, 40, 0, 70]
"""Milliseconds; browsers show what lasts 0 for 100."""
TIMES = [Fraction(ms, 1000) for ms in (0, 40, 60, 1060, 1100, 1140, 1240)]
LOSSLESS = {".webp": {"lossless": True}, ".apng": {"format": "PNG"}, ".avif": {"quality": 95}}


def write(path: Path, **options: object) -> Path:
    first, *others = [Image.fromarray(coded(code)) for code in range(len(STEPS))]
    first.save(path, save_all=True, append_images=others, **options)
    return path


@pytest.fixture(params=[".webp", ".png", ".apng", ".avif"])
def animation(request, tmp_path):
    suffix = request.param
    # AVIF has no such frame
    steps = [step or 100 for step in STEPS] if suffix == ".avif" else STEPS
    return write(tmp_path / f"a{suffix}", duration=steps, **LOSSLESS.get(suffix, {}))


def test_every_frame_at_its_time_in_order_and_at_will(animation):
    with open_video(animation) as reader:
        frames = list(reader)
        assert [code_of(frame.pixels) for frame in frames] == list(range(7))
        assert [frame.time for frame in frames] == TIMES
        assert [frame.index for frame in frames] == list(range(7))
        assert reader.times == tuple(TIMES)
        assert [code_of(picture) for picture in reader.clip([5, 1, 1, 6])] == [5, 1, 1, 6]
    report = probe(animation)
    assert (report.decoded, report.info.frames, report.variable) == (7, 7, True)


def test_frames_at_will_while_they_are_read_in_order(tmp_path):
    path = write(tmp_path / "a.webp", duration=40, lossless=True)
    with open_video(path, ahead=1) as reader:
        for frame in reader:
            assert code_of(reader.clip([0])[0]) == 0
            assert code_of(frame.pixels) == frame.index


def test_a_picture_before_the_animation_is_no_part_of_it(tmp_path):
    path = write(tmp_path / "a.png", duration=40, default_image=True)
    assert [code_of(frame.pixels) for frame in open_video(path)] == list(range(1, 7))


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_a_cut_animation_gives_what_is_left_and_says_so(suffix, tmp_path):
    path = write(tmp_path / f"a{suffix}", duration=40, **LOSSLESS.get(suffix, {}))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    with pytest.warns(DamageWarning, match=r"lost: .*(breaks off|declares 7 frames)"):
        frames = list(open_video(path))
    assert [code_of(frame.pixels) for frame in frames] == list(range(len(frames)))
    assert 1 < len(frames) < 7
    with pytest.raises(VideoError, match="damaged"):
        list(open_video(path, strict=True))


def test_a_stack_of_tiff_is_a_film_at_the_rate_that_is_asked_for(tmp_path):
    path = write(tmp_path / "stack.tif")
    frames = list(open_video(path, frame_rate=10))
    assert [(code_of(f.pixels), f.time) for f in frames] == [(n, Fraction(n, 10)) for n in range(7)]
    with pytest.warns(VisWarning, match=r"stack\.tif: .* 7 pages states no times.*--frame-rate"):
        assert next(iter(open_video(path))).index == 0


def test_a_tiff_with_a_smaller_copy_of_itself_is_one_picture(tmp_path):
    large, small = Image.fromarray(coded(3)), Image.fromarray(coded(3)).resize((40, 24))
    large.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert len(list(open_video(tmp_path / "a.tif"))) == 1


def test_an_animation_among_pictures_gives_its_first_frame_and_says_so(tmp_path):
    write(tmp_path / "0.webp", duration=40, lossless=True)
    Image.fromarray(coded(9)).save(tmp_path / "1.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = list(open_video(tmp_path))
    assert [code_of(frame.pixels) for frame in frames] == [0, 9]
    assert "0.webp: an animation among pictures" in str(caught[0].message)


def images() -> int:
    gc.collect()
    return sum(issubclass(type(one), Image.Image) for one in gc.get_objects())


def test_one_frame_is_held_at_a_time(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), np.uint8)
    first, *others = map(Image.fromarray, noise)
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=40)
    before = images()
    with open_video(tmp_path / "a.png", ahead=1) as reader:
        for _ in reader:
            assert images() < before + 8
