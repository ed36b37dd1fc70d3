"""Pictures as a video: natural order, stated times, odd sizes, damaged ones."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vis.errors import DamageWarning, DataError, InputError, UsageError, VideoError
from vis.video import open_video


def save(path, value=0, size=(16, 12), **options):
    Image.new("RGB", size, (value, value, value)).save(path, **options)


def test_a_folder_a_glob_a_list_and_one_picture_are_videos(tmp_path):
    for number in (1, 2, 10, 11):
        save(tmp_path / f"f{number}.png", number)
    (tmp_path / "notes.txt").write_text("not a picture")
    folder = list(open_video(tmp_path, frame_rate=10))
    assert [frame.pixels[0, 0, 0] for frame in folder] == [1, 2, 10, 11]
    assert [frame.time for frame in folder] == [Fraction(n, 10) for n in range(4)]
    assert [f.pixels[0, 0, 0] for f in open_video(tmp_path / "f1?.png")] == [10, 11]
    wanted = [tmp_path / "f10.png", tmp_path / "f2.png"]
    assert [f.pixels[0, 0, 0] for f in open_video(wanted)] == [10, 2]
    assert len(list(open_video(tmp_path / "f1.png"))) == 1
    with open_video(tmp_path) as reader:
        assert reader.clip([3, 0, 3])[:, 0, 0, 0].tolist() == [11, 1, 11]
        with pytest.raises(UsageError, match="frame 4"):
            reader.clip([4])


def test_hidden_files_are_no_frames(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "0.jpg")
    (tmp_path / "._0.jpg").write_bytes(b"\0\5\26\7")
    with open_video(str(tmp_path)) as video:
        assert video.info.frames == 1


def test_times_beside_the_pictures_are_kept(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    (tmp_path / "times.json").write_text(json.dumps({"times": [[0, 1], [1, 30], [1001, 30000]]}))
    times = [frame.time for frame in open_video(tmp_path)]
    assert times == [Fraction(0), Fraction(1, 30), Fraction(1001, 30000)]


@pytest.mark.parametrize(
    "times", ['{"times": [[0, 1]]}', '{"times": [[0, 1], [0, 1]]}', "no", "{}"]
)
def test_faulty_times_are_refused(times, tmp_path):
    for number in range(2):
        save(tmp_path / f"{number}.png", number)
    (tmp_path / "times.json").write_text(times)
    with pytest.raises(DataError, match=r"times\.json"):
        open_video(tmp_path)


def test_a_damaged_picture_leaves_a_gap(tmp_path):
    for number in range(4):
        save(tmp_path / f"{number}.png", number)
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(DamageWarning, match=r"3 of 4 frames; 1 lost: .*2\.png"):
        frames = list(open_video(tmp_path))
    assert [frame.index for frame in frames] == [0, 1, 3]
    with pytest.raises(VideoError, match=r"2\.png"):
        list(open_video(tmp_path, strict=True))


def test_a_first_picture_that_is_damaged_is_no_reason_to_stop(tmp_path):
    (tmp_path / "0.png").write_bytes(b"")
    save(tmp_path / "1.png", 7)
    with pytest.warns(DamageWarning):
        (frame,) = open_video(tmp_path)
    assert frame.index == 1
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(VideoError, match="not one of 2 pictures"):
        open_video(tmp_path)


def test_other_sizes_are_fitted_and_told(tmp_path):
    save(tmp_path / "0.png", 100, (16, 12))
    save(tmp_path / "1.png", 200, (16, 6))
    with pytest.warns(DamageWarning, match="16 x 6, unlike the first"):
        frames = list(open_video(tmp_path))
    assert frames[1].pixels.shape == (12, 16, 3)
    assert frames[1].pixels[:, 8, 0].tolist() == [0] * 3 + [200] * 6 + [0] * 3


def test_photographs_are_turned_upright_by_their_tag(tmp_path):
    picture = np.zeros((12, 16, 3), np.uint8)
    picture[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: show it turned clockwise
    Image.fromarray(picture).save(tmp_path / "photo.png", exif=exif)
    (frame,) = open_video(tmp_path / "photo.png")
    assert frame.pixels.shape == (16, 12, 3)
    assert frame.pixels[:8].min() == 255
    assert frame.pixels[8:].max() == 0


def test_grey_palette_alpha_and_16_bit_pictures_become_rgb(tmp_path):
    Image.new("L", (4, 4), 77).save(tmp_path / "0.png")
    Image.new("P", (4, 4), 0).save(tmp_path / "1.png")
    Image.new("RGBA", (4, 4), (9, 8, 7, 0)).save(tmp_path / "2.png")
    Image.fromarray(np.full((4, 4), 77 * 256, np.uint16)).save(tmp_path / "3.png")
    pictures = [frame.pixels for frame in open_video(tmp_path)]
    assert all(p.shape == (4, 4, 3) and p.dtype == np.uint8 for p in pictures)
    assert [int(pictures[i][0, 0, 0]) for i in (0, 2, 3)] == [77, 9, 77]


def test_a_bomb_is_refused_by_its_header(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(VideoError, match="400000000 pixels"):
        open_video(tmp_path / "bomb.png")


def test_a_missing_folder_or_glob_is_named(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        open_video(tmp_path / "*.png")
