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
    piece = Shape("painted", (0, 0), painted=np.ones((1, 1), bool))
    assert between(piece, Shape("painted", (4, 4), painted=piece.painted), 0.5) is piece
    assert between(first, piece, 0.5) is first


def regular(corners, x, radius=20.0):
    angles = [2 * math.pi * corner / corners for corner in range(corners)]
    points = [(x + radius * math.cos(a), 30 + radius * math.sin(a)) for a in angles]
    return Shape("polygon", tuple(value for point in points for value in point))


@pytest.mark.parametrize(("corners", "others"), [(3, 3), (5, 24), (24, 5), (40, 41), (3, 200)])
def test_outlines_of_any_number_of_points_go_over_into_each_other(corners, others):
    first, second = regular(corners, 30.0), regular(others, 60.0)
    ends = [shape.mask(60, 90) for shape in (first, second)]
    # all points are there at both ends, none of them twice in another place
    assert between(first, second, 1e-9).mask(60, 90) == ends[0]
    assert between(first, second, 1).mask(60, 90) == ends[1]
    areas = [area(between(first, second, share / 8).mask(60, 90)) for share in range(9)]
    assert areas == sorted(areas, reverse=areas[0] > areas[-1]) or max(areas) - min(areas) < 60
    middle = between(first, second, 0.5).mask(60, 90)
    left, _, right, _ = box(middle)
    assert abs((left + right) / 2 - 45) < 6


def test_an_outline_of_a_single_place_moves_too():
    place, square = Shape("polygon", (0,) * 6), Shape("polygon", (0, 0, 8, 0, 8, 8, 0, 8))
    assert box(between(place, square, 0.5).mask(9, 9)) == (0, 0, 4, 4)
