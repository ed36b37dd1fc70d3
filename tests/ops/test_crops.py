"""Masks are cut out by their boxes and put back where they were."""

import pytest
import torch

from vis.ops.crops import cut_out, put_back


def ellipse(height: int, width: int, box: tuple[int, int, int, int]) -> torch.Tensor:
    """Inscribed in a box of pixels, `[height width]` bool."""
    x0, y0, x1, y1 = box
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    across, down = (2 * x - x0 - x1) / (x1 - x0), (2 * y - y0 - y1) / (y1 - y0)
    return across.square() + down.square() <= 1


def fractions(box: tuple[int, int, int, int], height: int, width: int) -> torch.Tensor:
    return torch.tensor([box]) / torch.tensor([width, height, width, height])


def test_cut_out_and_put_back_is_the_mask() -> None:
    box = (7, 12, 71, 60)
    mask, place = ellipse(80, 96, box), fractions(box, 80, 96)
    small = cut_out(mask[None], torch.zeros(1), place, 56)
    back = put_back(small.float(), place, (80, 96))[0] > 0.5
    overlap = (back & mask).sum() / (back | mask).sum()
    assert overlap > 0.97
    assert not back[:, :6].any() and not back[62:].any()


@pytest.mark.parametrize("size", [(20, 24), (40, 50), (160, 192)])
def test_a_full_box_covers_what_it_did_at_any_resolution(size: tuple[int, int]) -> None:
    place = torch.tensor([[0.25, 0.5, 0.75, 1.0]])
    back = put_back(torch.ones(1, 8, 8), place, size)[0] > 0.5
    height, width = size
    wanted = torch.zeros(size, dtype=torch.bool)
    wanted[height // 2 :, round(width / 4) : round(3 * width / 4)] = True
    assert (back != wanted).float().mean() <= 2 / min(size)


def test_of_several_masks_each_box_shows_its_own() -> None:
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[1, :, :4] = True
    places = torch.tensor([[0.0, 0, 0.5, 1], [0.0, 0, 0.5, 1], [0.5, 0, 1, 1]])
    shown = cut_out(masks, torch.tensor([0, 1, 1]), places, 4)
    assert [one.float().mean().item() for one in shown] == [0, 1, 0]


def test_nothing_in_nothing_out() -> None:
    none = cut_out(torch.zeros(0, 8, 8, dtype=torch.bool), torch.zeros(0), torch.zeros(0, 4), 4)
    assert none.shape == (0, 4, 4)
    assert put_back(none.float(), torch.zeros(0, 4), (3, 5)).shape == (0, 3, 5)
