"""Whatever is wrong with a picture, Pillow raises one of the known faults or reads it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from vis.ops.pictures import FAULTS, FORMATS, SUFFIXES, as_stored, orientation_of


def test_each_kind_has_an_ending():
    kinds = {Image.registered_extensions()[suffix] for suffix in SUFFIXES}
    assert kinds == set(FORMATS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_a_known_fault(kind):
    draw = np.random.default_rng(3)
    pixels = draw.integers(0, 256, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    whole, faults = file.getvalue(), 0
    for _ in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = draw.integers(len(damaged), size=draw.integers(1, 9))
        damaged[places] = draw.integers(0, 256, len(places))
        cut = damaged.tobytes()[: draw.integers(1, 2 * len(damaged))]
        try:
            with Image.open(io.BytesIO(cut), formats=FORMATS) as picture:
                assert picture.convert("RGB").mode == "RGB"
        except FAULTS:
            faults += 1
    assert faults


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_was_turned_upright_can_be_laid_back(tmp_path, orientation):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "0.png", exif=exif)
    assert orientation_of(tmp_path / "0.png") == orientation
    with Image.open(tmp_path / "0.png") as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(as_stored(upright, orientation), stored)
