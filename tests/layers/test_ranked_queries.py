"""RF-DETR's queries: which cells, in which order, and where there are too few or none."""

import pytest
import torch

from vis.layers.deformable_transformer import Memory
from vis.layers.ranked_queries import RankedQueries, cell_squares, moved


def build(*, count: int, groups: int = 1) -> RankedQueries:
    torch.manual_seed(0)
    queries = RankedQueries(8, count, groups=groups, classes=3)
    for parameter in queries.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return queries.eval()


def memory(height: int, width: int) -> Memory:
    tokens = torch.randn(2, height * width, 8, generator=torch.Generator().manual_seed(1))
    return Memory(tokens, [(height, width)], None, torch.ones(2, 1, 2))


def middle(cell: int, height: int, width: int) -> list[float]:
    return [(cell % width + 0.5) / width, (cell // width + 0.5) / height, 0.05, 0.05]


@torch.no_grad()
@pytest.mark.parametrize(("height", "width", "count"), [(3, 4, 5), (2, 3, 8)])
def test_the_best_cell_goes_to_the_first_state_and_further_ranks_have_steps_alone(
    height: int, width: int, count: int
):
    queries, levels = build(count=count), memory(height, width)
    result = queries(levels)
    head = queries.groups[0]
    for picture, tokens in enumerate(levels.tokens):
        cells = head.enter_norm(head.enter(tokens))
        best = head.class_head(cells).max(dim=-1).values.sort(descending=True).indices[:count]
        for rank, cell in enumerate(best.tolist()):
            start = torch.tensor(middle(cell, height, width))
            box = moved(start, head.box_head(cells[cell]))
            torch.testing.assert_close(result.selection.boxes[picture, rank], box)
            expected = moved(box, queries.steps[rank])
            torch.testing.assert_close(result.references[picture, rank], expected)
        rest = result.references[picture, len(best) :]
        assert len(rest) == max(0, count - height * width)
        assert torch.equal(rest, queries.steps[len(best) :])
        assert torch.equal(result.state[picture], queries.state)


@torch.no_grad()
def test_the_code_of_a_place_begins_with_y():
    queries, levels = build(count=2), memory(2, 3)
    result = queries(levels)
    frequencies = 10_000 ** (-torch.arange(0, 4, 2) / 4)
    code = []
    for number in result.references[0, 0][[1, 0, 2, 3]]:
        phase = number * 2 * torch.pi * frequencies
        code += torch.stack((phase.sin(), phase.cos()), dim=-1).flatten().tolist()
    torch.testing.assert_close(result.positions[0, 0], queries.place(torch.tensor(code)))


def test_border_cells_propose_nothing_from_50_columns_on():
    like = torch.zeros(1)
    assert not cell_squares(49, 49, like)[1].any()
    boxes, nowhere = cell_squares(20, 50, like)
    grid = nowhere.view(20, 50)
    assert grid[:, [0, -1]].all() and not grid[:, 1:-1].any()
    assert not boxes[nowhere[..., 0]].any() and (boxes[~nowhere[..., 0]] > 0).all()
    # XLarge and 2XLarge at their own resolution
    assert [int(cell_squares(n, n, like)[1].sum()) for n in (52, 64)] == [204, 252]


@torch.no_grad()
def test_cells_that_propose_nothing_say_nothing_of_the_picture():
    queries, levels = build(count=60), memory(2, 50)
    first = queries(levels)
    levels.tokens.view(2, 2, 50, 8)[:, :, [0, -1]] = torch.randn(2, 2, 2, 8)
    for one, other in zip(first.selection, queries(levels).selection, strict=True):
        assert torch.equal(one, other)


def test_groups_learn_apart_and_the_decoders_loss_moves_no_proposal():
    queries, levels = build(count=3, groups=2), memory(3, 4)
    with torch.no_grad():
        in_use = queries(levels)
    queries.train()
    result = queries(levels)
    assert result.groups == 2 and result.references.shape == (2, 6, 4)
    torch.testing.assert_close(result.references[:, :3], in_use.references)
    result.references[:, 3:].sum().backward()
    assert queries.steps.grad is not None
    assert not queries.steps.grad[:3].any() and queries.steps.grad[3:].all()
    assert all(p.grad is None for p in queries.groups.parameters())
