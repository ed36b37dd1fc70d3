"""Padding, normalising, and cutting the content out of maps."""

import pytest
import torch

from vis.layers.padding import (
    DEVIATION,
    MEAN,
    crop_to_valid,
    downsample_padding,
    normalize,
    padded_size_of,
    padding_mask,
    squash,
)


def test_a_canvas_is_the_next_multiple():
    frames = torch.zeros(1, 2, 3, 300, 540)
    assert padded_size_of(frames, 1) == (300, 540)
    assert padded_size_of(frames, 32) == (320, 544)
    assert padded_size_of(frames[..., :288, :32], 32) == (288, 32)


def test_padding_is_what_lies_outside_the_content():
    sizes = torch.tensor([[4, 6], [3, 5]])
    padding = padding_mask(sizes, (4, 6))
    assert padding is not None
    assert not padding[0].any()
    assert not padding[1, :3, :5].any()
    assert padding[1, 3].all() and padding[1, :, 5].all()
    assert padding_mask(sizes[:1], (4, 6)) is None
    assert padding_mask(sizes[:1], (4, 8)) is not None


@pytest.mark.parametrize("content", [1, 7, 32, 33, 100])
def test_the_first_cell_is_never_padding(content: int):
    padding = padding_mask(torch.tensor([[content, content]]), (128, 128))
    assert padding is not None
    assert not downsample_padding(padding, torch.Size((4, 4)))[0, 0, 0]


def test_normalising_leaves_no_trace_of_the_padding():
    frames = torch.rand(1, 3, 4, 6)
    frames[:, :, 3:] = float("nan")
    padding = padding_mask(torch.tensor([[3, 6]]), (4, 8))
    found = normalize(frames, padding, torch.float32)
    expected = (frames[0, :, :3] - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[
        :, None, None
    ]
    assert found.shape == (1, 3, 4, 8)
    assert torch.equal(found[0, :, :3, :6], expected)
    assert (found[:, :, 3:] == 0).all() and (found[..., 6:] == 0).all()


def test_content_that_ends_between_pixels_of_cells_is_cut():
    maps = torch.randn(2, 3, 8, 8)
    assert crop_to_valid(maps, (32, 32), (32, 32)).equal(maps)
    assert crop_to_valid(maps, (32, 32), (16, 28)).equal(maps[..., :4, :7])


def test_content_that_ends_within_a_cell_is_sampled_anew():
    ramp = torch.linspace(0.5, 15.5, 16)[None, None, None].expand(1, 1, 16, 16)
    found = crop_to_valid(ramp, (64, 64), (64, 42))
    cells = found.shape[-1]
    assert cells == 10  # 10.5 cells of content, rounded to even
    assert found.shape[-2] == 16
    expected = (torch.arange(cells) + 0.5) / cells * 10.5
    torch.testing.assert_close(found[0, 0, 0], expected)


def test_content_smaller_than_a_cell_keeps_one():
    assert crop_to_valid(torch.randn(1, 2, 8, 8), (32, 32), (1, 1)).shape == (1, 2, 1, 1)


def test_a_picture_of_a_mild_shape_is_left_alone():
    frames = torch.rand(2, 3, 30, 40)
    assert torch.equal(squash(frames, torch.tensor([[30, 40]] * 2), 4 / 3), frames)


@pytest.mark.parametrize(
    ("padded_size", "aspect", "expected"),
    [
        ((30, 60), 4 / 3, (30, 40)),
        ((60, 30), 4 / 3, (40, 30)),
        ((30, 60), 1.0, (30, 30)),
        ((30, 40), 2.0, (30, 40)),
        ((1, 50), 4 / 3, (1, 1)),
    ],
)
def test_the_long_side_is_bounded_by_the_short(
    padded_size: tuple[int, int], aspect: float, expected: tuple[int, int]
):
    found = squash(torch.rand(1, 3, *padded_size), torch.tensor([padded_size]), aspect)
    assert found.shape == (1, 3, *expected)


def test_squashing_reaches_from_edge_to_edge_of_the_content():
    """A ramp stays a ramp of the same ends, whatever lies beside it."""
    frames = torch.full((2, 3, 30, 60), float("nan"))
    for number, (height, width) in enumerate(((30, 60), (20, 45))):
        ramp = (torch.arange(width) + 0.5) / width
        frames[number, :, :height, :width] = ramp
    found = squash(frames, torch.tensor([[30, 60], [20, 45]]), 4 / 3)
    assert found.shape == (2, 3, 30, 40) and found.isfinite().all()
    expected = ((torch.arange(40) + 0.5) / 40).expand(2, 3, 30, 40)
    torch.testing.assert_close(found[..., 1:-1], expected[..., 1:-1], atol=5e-3, rtol=0)
    assert (found - expected).abs().max() < 0.02
