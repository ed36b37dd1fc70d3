"""Tiny annotated sets of videos, made anew for each test: discs that move over a pattern."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops.rle import encode
from vis.records import Track

SIZE = (48, 80)


def disc(centre: tuple[float, float], radius: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """`[H W]` bool; centre is y, x."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def background(size: tuple[int, int] = SIZE) -> np.ndarray:
    """`[H W 3]` uint8, smooth and the same in no two places."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([x * 200 // size[1], y * 200 // size[0], (x + y) % 100], -1).astype(np.uint8)


def write_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95, subsampling=0)


def centre_of(n: int, t: int) -> tuple[float, float]:
    return 12.0 + 20 * n, 12.0 + 5 * t


@pytest.fixture
def make_set(tmp_path):
    """`make_set(lengths)`: videos with a cat and a dog each; every third frame hides the dog."""

    def make(lengths=(6, 4), size=SIZE, folder=tmp_path):
        videos, tracks = {}, {}
        for video_id, length in enumerate(lengths, 1):
            names = tuple(f"v{video_id}/{t:05d}.jpg" for t in range(length))
            videos[video_id] = VideoEntry(video_id, f"v{video_id}", size[1], size[0], length, names)
            masks = [{}, {}]
            for t, name in enumerate(names):
                pixels = background(size)
                for n in range(2):
                    if n == 1 and t % 3 == 2:
                        continue
                    shape = disc(centre_of(n, t % 10), 7, size)
                    pixels[shape] = (255, 0, 0) if n == 0 else (0, 255, 255)
                    masks[n][t] = encode(shape)
                write_picture(folder / name, pixels)
            tracks[video_id] = [
                Track(10 * video_id + n, 3 + 4 * n, 1.0, masks[n]) for n in range(2)
            ]
        categories = {
            3: Category(3, "cat", {"kind": "pet"}),
            7: Category(7, "dog", {"kind": "pet"}),
            9: Category(9, "cup"),
        }
        return AnnotationSet(categories, videos, tracks), folder

    return make


@pytest.fixture
def random():
    return np.random.default_rng(5)
