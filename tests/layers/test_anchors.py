"""Anchors: where they lie, what they keep, and boxes written relative to them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vis.layers.anchors import COUNTS, anchors, decode, encode
from vis.ops.boxes import to_corners

SQUARE = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]


def test_count_and_order_are_the_published_ones(shared: Path):
    found = anchors(SQUARE, (300, 300))
    with np.load(shared / "golden" / "parts" / "ssd_mobilenet_v2.npz") as case:
        expected = torch.from_numpy(case["anchors_yxyx"])[:, [1, 0, 3, 2]]
    torch.testing.assert_close(to_corners(found), expected, atol=1e-4, rtol=0)


def test_they_are_laid_out_cell_by_cell():
    found = anchors(SQUARE, (300, 300))
    assert found.shape == (1917, 4) and found.dtype == torch.float32
    assert sum(n * h * w for n, (h, w) in zip(COUNTS, SQUARE, strict=True)) == 1917
    first = found[: 19 * 19 * 3].reshape(19, 19, 3, 4)
    for row, column in ((0, 0), (3, 7), (18, 2)):
        cell = first[row, column]
        assert cell[:, 0].tolist() == pytest.approx([(column + 0.5) / 19] * 3)
        assert cell[:, 1].tolist() == pytest.approx([(row + 0.5) / 19] * 3)
    # scale 0.1; then 0.2 twice as wide as high, and the other way round
    width, height = first[0, 0, :, 2], first[0, 0, :, 3]
    assert (width * height).sqrt().tolist() == pytest.approx([0.1, 0.2, 0.2])
    assert (width / height).tolist() == pytest.approx([1, 2, 0.5])
    last = found[-6:]
    assert (last[:, 2] * last[:, 3]).sqrt().tolist() == pytest.approx([0.95] * 5 + [0.95**0.5])


@pytest.mark.parametrize("size", [(300, 400), (600, 300), (64, 85)])
def test_they_keep_their_pixels_on_other_shapes(size: tuple[int, int]):
    height, width = size
    pixels = anchors(SQUARE, size) * torch.tensor([width, height, width, height])
    torch.testing.assert_close(pixels[:, 2:], 300 * anchors(SQUARE, (300, 300))[:, 2:])
    assert (pixels[:, 0] < width).all() and (pixels[:, 1] < height).all()


def test_decoding_undoes_encoding():
    torch.manual_seed(0)
    places = anchors(SQUARE, (300, 400)).double()
    boxes = to_corners(torch.cat((torch.rand(1917, 2), 0.05 + torch.rand(1917, 2)), dim=1).double())
    torch.testing.assert_close(decode(encode(boxes, places), places), boxes)
    offsets = torch.randn(1917, 4).double()
    torch.testing.assert_close(encode(decode(offsets, places), places), offsets)


def test_no_offset_is_the_anchor_itself():
    places = anchors(SQUARE, (300, 300))
    assert torch.equal(
        decode(torch.zeros(2, 1917, 4), places), to_corners(places).expand(2, -1, -1)
    )


def test_offsets_are_y_x_height_width_in_their_units():
    """Equations of Liu et al., 2.2, with the published variances 0.1 and 0.2."""
    place = torch.tensor([[0.5, 0.4, 0.2, 0.1]])
    found = decode(torch.tensor([[10.0, 0, 0, 0]]), place)[0]
    assert found.tolist() == pytest.approx([0.4, 0.45, 0.6, 0.55])
    found = decode(torch.tensor([[0, 5.0, 0, 5 * np.log(2)]]), place)[0]
    assert found.tolist() == pytest.approx([0.4, 0.35, 0.8, 0.45])


def test_no_offset_makes_a_box_that_is_no_number():
    place = torch.tensor([[0.5, 0.5, 0.2, 0.2]])
    assert decode(torch.full((1, 4), 1e4), place).isfinite().all()
    empty = torch.tensor([[0.3, 0.3, 0.3, 0.3]])
    assert encode(empty, place).isfinite().all()
