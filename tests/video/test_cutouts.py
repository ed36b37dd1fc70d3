"""Cutouts: cropping first gives the same pixels as enlarging the whole mask."""

import numpy as np
import pytest
from PIL import Image

from vis.video.cutouts import cut

SIZES = [
    ((9, 16), (90, 160)),
    ((9, 16), (91, 157)),
    ((5, 7), (24, 30)),
    ((1, 1), (3, 4)),
    ((6, 5), (1, 1)),
    ((24, 30), (25, 29)),
    ((40, 50), (13, 17)),
    ((40, 5), (13, 61)),
]


def whole(cutout, height, width):
    picture = np.zeros((height, width), bool)
    if cutout is not None:
        x0, y0, x1, y1 = cutout.box
        picture[y0:y1, x0:x1] = cutout.inside
    return picture


def weights(cells, pixels):
    """`[pixels cells]`: a tent over the cells, wider where a pixel is larger than they are."""
    scale = cells / pixels
    centres = (np.arange(pixels) + 0.5) * scale
    tent = 1 - np.abs(centres[:, None] - np.arange(cells) - 0.5) / max(scale, 1)
    tent = tent.clip(0)
    return tent / tent.sum(axis=1, keepdims=True)


def enlarged(mask, height, width):
    """The slow reference: all of the mask, at once."""
    rows, columns = weights(mask.shape[0], height), weights(mask.shape[1], width)
    return rows @ mask.astype(np.float64) @ columns.T


@pytest.mark.parametrize(("cells", "pixels"), SIZES)
@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
def test_cropped_equals_whole(cells, pixels, share):
    random = np.random.default_rng(7)
    for _ in range(20):
        mask = random.random(cells, np.float32) * (random.random(cells) < share)
        expected = enlarged(mask, *pixels)
        sure = np.abs(expected - 0.5) > 1e-5
        found = whole(cut(mask, pixels[1], pixels[0]), *pixels)
        assert (found == (expected > 0.5))[sure].all()
        assert sure.mean() > 0.9


@pytest.mark.parametrize(("cells", "pixels"), SIZES)
def test_bool_masks_are_probabilities_of_0_and_1(cells, pixels):
    mask = np.random.default_rng(3).random(cells) < 0.2
    found = cut(mask, pixels[1], pixels[0])
    expected = cut(mask.astype(np.float32), pixels[1], pixels[0])
    assert (whole(found, *pixels) == whole(expected, *pixels)).all()


def test_reference_is_what_pillow_makes_of_the_whole_mask():
    mask = np.random.default_rng(1).random((9, 16), np.float32)
    for width, height in ((160, 90), (7, 5)):
        resized = Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR)
        assert np.allclose(resized, enlarged(mask, height, width), atol=1e-5)


@pytest.mark.parametrize("kind", [np.bool_, np.float32, np.float16])
def test_a_mask_of_the_frames_size_is_taken_as_it_is(kind):
    mask = np.random.default_rng(5).random((13, 17)) < 0.1
    assert (whole(cut(mask.astype(kind), 17, 13), 13, 17) == mask).all()


def test_half_is_outside():
    assert cut(np.full((4, 4), 0.5, np.float32), 4, 4) is None
    assert cut(np.full((4, 4), 0.5, np.float32), 40, 40) is None


def test_an_empty_mask_has_no_cutout():
    assert cut(np.zeros((4, 6), bool), 6, 4) is None
    assert cut(np.zeros((4, 6), np.float32), 60, 40) is None
    assert cut(np.zeros((0, 0), bool), 60, 40) is None


def test_an_object_that_smoothing_removes_has_no_cutout():
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    assert cut(mask, 4, 4) is None


@pytest.mark.parametrize("pixels", [(12, 16), (50, 70), (5, 6)])
def test_cutouts_are_tight(pixels):
    mask = np.zeros((12, 16), np.float32)
    mask[3:8, 4:12] = 0.9
    found = cut(mask, pixels[1], pixels[0])
    assert found is not None
    sides = (found.inside[0], found.inside[-1], found.inside[:, 0], found.inside[:, -1])
    assert all(side.any() for side in sides)


def test_cells_that_are_not_a_number_are_outside():
    mask = np.full((6, 6), np.nan, np.float32)
    mask[:3] = 1
    found = whole(cut(mask, 12, 12), 12, 12)
    assert found[:4].all() and not found[6:].any()
