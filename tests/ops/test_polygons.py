import json
import math
import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as native

from vis.errors import MaskError
from vis.ops import rle
from vis.ops.polygons import rasterise
from vis.records import RLE


def star(draw, height, width, *, reach):
    """Corners [x, y, ...] around the middle; `reach` 1 touches the border, above it crosses it."""
    corners = draw.integers(3, 12)
    angles = np.sort(draw.uniform(0, 2 * np.pi, corners))
    radii = draw.uniform(0.1, 0.5 * reach, corners)
    x = width * (0.5 + radii * np.cos(angles))
    y = height * (0.5 + radii * np.sin(angles))
    return np.stack([x, y], 1).ravel().tolist()


def reference(polygons, height, width):
    merged = native.merge(native.frPyObjects(polygons, height, width))
    return RLE(height, width, merged["counts"])


@pytest.mark.parametrize("reach", [1, 3])
def test_pixels_equal_the_reference_inside_and_across_the_border(reach):
    draw = np.random.default_rng(reach)
    for _ in range(150):
        height, width = (int(side) for side in draw.integers(1, 60, 2))
        polygons = [star(draw, height, width, reach=reach) for _ in range(draw.integers(1, 4))]
        assert rasterise(polygons, height, width) == reference(polygons, height, width)


@pytest.mark.parametrize("box", [(0, 0, 7, 5), (2, 1, 6, 4), (3, 3, 4, 4)])
def test_a_rectangle_on_pixel_edges_is_that_rectangle(box):
    x0, y0, x1, y1 = box
    mask = rle.decode(rasterise([[x0, y0, x1, y0, x1, y1, x0, y1]], 5, 7))
    truth = np.zeros((5, 7), bool)
    truth[y0:y1, x0:x1] = True
    assert np.array_equal(mask, truth)


def test_a_polygon_far_larger_than_the_picture_fills_it():
    full = rasterise([[-50, -50, 60, -50, 60, 60, -50, 60]], 6, 7)
    assert full == rle.encode(np.ones((6, 7), bool))


def test_a_polygon_outside_the_picture_leaves_it_empty():
    assert rle.box(rasterise([[20, 20, 30, 20, 30, 30]], 6, 7)) is None


def test_area_tends_to_the_area_of_the_polygon():
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    circle = np.stack([300 + 200 * np.cos(angles), 250 + 200 * np.sin(angles)], 1)
    mask = rasterise([circle.ravel().tolist()], 500, 600)
    assert rle.area(mask) == pytest.approx(math.pi * 200**2, rel=0.01)


SOUND = [1, 1, 5, 1, 5, 5]
FAULTS = [
    (None, "at least one list"),
    ({}, "at least one list"),
    ([], "at least one list"),
    (SOUND, "a polygon lies in no list"),
    ([SOUND, None], "polygon 1 is NoneType"),
    ([SOUND, []], "polygon 1 has 0 numbers"),
    ([[1, 1, 5, 1]], "polygon 0 has 4 numbers"),
    ([[*SOUND, 3]], "polygon 0 has 7 numbers"),
    ([[*SOUND[:5], True]], "polygon 0 holds bool"),
    ([[*SOUND[:5], "5"]], "polygon 0 holds str"),
    ([[*SOUND[:5], None]], "polygon 0 holds NoneType"),
    ([[[1, 1], [5, 1], [5, 5]]], "polygon 0 is a list of points"),
    ([[*SOUND[:5], math.nan]], "number 5 is nan"),
    ([[*SOUND[:5], math.inf]], "number 5 is inf"),
    ([[-math.inf, *SOUND[1:]]], "number 0 is -inf"),
    ([SOUND, [*SOUND[:5], 71]], "polygon 1: number 5 is a whole number, outside -70..70"),
    ([[*SOUND[:5], -70.5]], "is -70.5"),
    ([[*SOUND[:5], 1e9]], "outside"),
    ([[*SOUND[:5], 10**5000]], "outside"),
    ([[0] * 100_002], "100002 numbers, 100000 are legal"),
    ([SOUND] * 20_000, "120000 numbers"),
]


@pytest.mark.parametrize(("polygons", "said"), FAULTS)
def test_faults_are_refused_by_name(polygons, said):
    with pytest.raises(MaskError, match=said) as caught:
        rasterise(polygons, 6, 7)
    assert caught.value.remedy


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (32_769, 1), (32_768, 32_768)])
def test_sizes_are_refused(size):
    with pytest.raises(MaskError, match="size is"):
        rasterise([SOUND], *size)


def test_an_outline_that_would_fill_the_memory_is_refused_before_it_is_drawn():
    zigzag = [0, 0, 20_000, 1] * 20_000
    tracemalloc.start()
    try:
        with pytest.raises(MaskError, match=r"outline is 8[0-9]{8} pixels long"):
            rasterise([zigzag], 2000, 20_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 << 20, "less than a byte for each pixel of the outline by far"


def test_the_longest_legal_outline_is_drawn():
    zigzag = [0, 0, 1000, 1] * 999
    assert rasterise([zigzag], 2000, 1000) == reference([zigzag], 2000, 1000)


def test_polygons_of_real_annotations(shared):
    path = shared / "data" / "pack_train" / "coco_person" / "instances.json"
    value = json.loads(path.read_bytes())
    sizes = {image["id"]: (image["height"], image["width"]) for image in value["images"]}
    drawn = 0
    for annotation in value["annotations"]:
        polygons, size = annotation["segmentation"], sizes[annotation["image_id"]]
        if isinstance(polygons, list) and drawn < 200:
            assert rasterise(polygons, *size) == reference(polygons, *size)
            drawn += 1
    assert drawn == 200
