"""Outlines: the fast band equals a walk over all pixels, and nothing else is touched."""

import numpy as np
import pytest

from vis.video.cutouts import cut
from vis.video.outlines import THICKEST, _profile, outline

INK = (51, 238, 255)


def drawn(mask, thickness, ground=90):
    pixels = np.full((*mask.shape, 3), ground, np.uint8)
    cutout = cut(mask, mask.shape[1], mask.shape[0])
    assert cutout is not None
    outline(pixels, cutout, ink=INK, thickness=thickness)
    return pixels


def walked(mask, thickness, ground=90):
    """The slow reference: count the surroundings of every pixel of the picture."""
    reach, profile = thickness + 1, _profile(thickness)
    padded = np.pad(mask, reach)
    pixels = np.full((*mask.shape, 3), ground, np.uint8)
    for y, x in np.ndindex(mask.shape):
        count = int(padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1].sum())
        keep, gain = profile.keep[int(mask[y, x]), count], profile.gain[int(mask[y, x]), count]
        pixels[y, x] = (pixels[y, x] * keep + gain * np.array(INK) + 0.5).astype(np.uint8)
    return pixels


def disc(height, width, x, y, radius):
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - y, columns - x) < radius


@pytest.mark.parametrize("thickness", [1, 2, 3, THICKEST])
def test_band_equals_walk(thickness):
    random = np.random.default_rng(thickness)
    masks = [random.random((23, 31)) < share for share in (0.01, 0.5, 0.95)]
    masks += [disc(23, 31, 2, 3, 9), disc(23, 31, 15, 11, 8), np.ones((23, 31), bool)]
    for mask in masks:
        difference = drawn(mask, thickness).astype(int) - walked(mask, thickness)
        assert np.abs(difference).max() <= 1  # the last bit of a float32


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_line_lies_on_the_edge_and_the_rest_is_untouched(thickness):
    mask = disc(80, 80, 40, 40, 25.2)
    pixels = drawn(mask, thickness)
    padded = np.pad(mask, 1)
    neighbours = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    edge = mask & ~np.logical_and.reduce(neighbours)
    assert (np.abs(pixels[edge] - np.array(INK)) <= 0.2 * np.abs(90 - np.array(INK))).all()
    far = ~disc(80, 80, 40, 40, 25.2 + np.sqrt(2) * (thickness + 1)) | disc(
        80, 80, 40, 40, 24 - np.sqrt(2) * (thickness + 1)
    )
    assert far.any() and (pixels[far] == 90).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_line_or_rim_shows_on_any_ground(ground):
    pixels = drawn(disc(60, 60, 30, 30, 20), 2, ground)
    brightness = pixels.mean(axis=2)
    assert np.abs(brightness - ground).max() > 110


def test_even_a_single_pixel_is_seen():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    for thickness in range(1, THICKEST + 1):
        assert tuple(drawn(mask, thickness)[4, 4]) == INK


def test_objects_at_the_border_are_closed_there():
    assert (drawn(np.ones((12, 14), bool), 1)[0] == INK).all()
