"""Outlines give back their masks to the pixel; shapes move between frames as their tools say."""

import math

import numpy as np
import pytest

from vis.formats.shapes import Shape, between, one_line, outlines
from vis.ops.polygons import rasterise
from vis.ops.rle import area, box, decode, encode


def test_the_outline_of_any_mask_is_that_mask():
    random = np.random.default_rng(0)
    for _ in range(60):
        height, width = random.integers(1, 16, 2).tolist()
        mask = random.random((height, width)) < random.random()
        mask[0, 0] = True
        line = one_line(outlines(encode(mask)))
        drawn = rasterise([[float(value) for corner in line for value in corner]], height, width)
        assert (decode(drawn) == mask).all()


def test_shapes_have_their_area():
    assert box(Shape("box", (2, 3, 6, 5)).mask(9, 9)) == (2, 3, 6, 5)
    # a quarter turn about the centre (4, 4) exchanges the sides
    assert box(Shape("box", (1, 3, 7, 5), 90.0).mask(9, 9)) == (3, 1, 5, 7)
    circle = Shape("ellipse", (50, 50, 30, 20)).mask(100, 100)
    assert area(circle) == pytest.approx(math.pi * 600, rel=0.02)
    piece = np.ones((3, 3), bool)
    assert box(Shape("painted", (-1, 7), painted=piece).mask(9, 9)) == (0, 7, 2, 9)


def test_what_cannot_move_stays():
    first, second = Shape("box", (0, 0, 2, 2), 350.0), Shape("box", (4, 0, 6, 2), 10.0)
    assert between(first, second, 0.5) == Shape("box", (2, 0, 4, 2), 360.0)
    triangle, square = Shape("polygon", (0,) * 6), Shape("polygon", (9,) * 8)
    assert between(triangle, square, 0.5) is triangle
    assert between(triangle, Shape("polygon", (2,) * 6), 0.5).values == (1.0,) * 6
