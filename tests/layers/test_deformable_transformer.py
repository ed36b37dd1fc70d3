"""Deformable DETR's parts: places and proposals by slow loops, layers by their formula."""

import math

import pytest
import torch
from torch import nn

from vis.layers.deformable_queries import (
    LearnedQueries,
    ProposedQueries,
    before_sigmoid,
    cell_proposals,
    moved_boxes,
)
from vis.layers.deformable_transformer import (
    DeformableDecoderLayer,
    DeformableEncoder,
    LevelEntry,
    Memory,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def padding() -> torch.Tensor:
    """Of a canvas of 32 x 48 pixels: the second picture has 24 x 30."""
    outside = torch.zeros(2, 32, 48, dtype=torch.bool)
    outside[1, 24:], outside[1, :, 30:] = True, True
    return outside


@pytest.fixture
def memory(padding: torch.Tensor) -> Memory:
    encoder = DeformableEncoder(
        8, num_heads=2, levels=2, points=2, depth=1, ffn_dim=16, dropout=0.0
    ).eval()
    with torch.no_grad():
        return encoder([torch.randn(2, 8, 4, 6), torch.randn(2, 8, 2, 3)], padding)


def test_shares_and_places_are_those_of_the_content(memory: Memory):
    # of the second picture, 3 of 4 rows and 4 of 6 columns of cells begin inside, then 2 and 2
    assert memory.valid_ratios[0].tolist() == [[1, 1], [1, 1]]
    torch.testing.assert_close(memory.valid_ratios[1], torch.tensor([[4 / 6, 3 / 4], [2 / 3, 1.0]]))
    places = memory.content_points()
    cell = 2 * 6 + 3  # row 2, column 3 of the finer level
    torch.testing.assert_close(places[1, cell], torch.tensor([3.5 / 4, 2.5 / 3]))
    boxes = torch.tensor([0.5, 0.5, 0.2, 0.4]).expand(2, 1, 4)
    found = memory.level_points(boxes)[1, 0]
    torch.testing.assert_close(found[0], torch.tensor([2 / 6, 3 / 8, 0.8 / 6, 0.3]))
    torch.testing.assert_close(memory.level_points(boxes[..., :2])[1, 0], found[:, :2])


def test_proposals_are_squares_that_double_from_level_to_level(memory: Memory):
    starts, nowhere = cell_proposals(memory)
    first, coarse = starts[0, 7].sigmoid(), starts[0, 24 + 4].sigmoid()
    torch.testing.assert_close(first, torch.tensor([1.5 / 6, 1.5 / 4, 0.05, 0.05]))
    torch.testing.assert_close(coarse, torch.tensor([1.5 / 3, 1.5 / 2, 0.1, 0.1]))
    assert not nowhere[0].any()
    assert memory.padding is not None
    assert torch.equal(nowhere[1, :, 0], memory.padding[1])
    assert (starts[nowhere.expand_as(starts)] == math.inf).all()


def test_the_likeliest_cells_become_queries_without_a_gradient(memory: Memory):
    class_head, box_head = nn.Linear(8, 3), nn.Linear(8, 4)
    part = ProposedQueries(8, 5, class_head=class_head, box_head=box_head)
    queries = part(memory)
    assert queries.proposals is not None
    best = queries.proposals.logits[..., 0].topk(5, dim=1).indices
    for clip in (0, 1):
        expected = queries.proposals.boxes[clip, best[clip]]
        torch.testing.assert_close(queries.references[clip], expected)
    assert not queries.references.requires_grad
    assert queries.state.shape == queries.positions.shape == (2, 5, 8)


def test_learned_queries_are_position_then_content(memory: Memory):
    part = LearnedQueries(8, 5)
    queries = part(memory)
    assert torch.equal(queries.positions[1], part.embedding.weight[:, :8])
    assert torch.equal(queries.state[1], part.embedding.weight[:, 8:])
    assert torch.equal(
        queries.references[0], part.reference(part.embedding.weight[:, :8]).sigmoid()
    )


def test_a_head_moves_points_by_their_centre_and_boxes_as_a_whole():
    steps = torch.tensor([[[0.5, -0.5, 0.2, 0.1]]])
    box = torch.tensor([[[0.3, 0.6, 0.2, 0.9]]])
    expected = (steps + torch.logit(box)).sigmoid()
    torch.testing.assert_close(moved_boxes(box, steps), expected)
    found = moved_boxes(box[..., :2], steps)
    torch.testing.assert_close(found[..., :2], expected[..., :2])
    torch.testing.assert_close(found[..., 2:], steps[..., 2:].sigmoid())
    assert before_sigmoid(torch.tensor([-1.0, 0.0, 1.0, 2.0])).isfinite().all()


def test_the_decoder_layer_is_its_formula(memory: Memory):
    layer = DeformableDecoderLayer(
        8, num_heads=2, levels=2, points=2, ffn_dim=16, dropout=0.5
    ).eval()
    state, positions, places = torch.randn(2, 5, 8), torch.randn(2, 5, 8), torch.rand(2, 5, 2)
    published = nn.MultiheadAttention(8, 2, batch_first=True)
    published.load_state_dict(layer.self_attention.state_dict())
    with torch.no_grad():
        placed = state + positions
        x = layer.norm1(state + published(placed, placed, state)[0])
        at = torch.stack([places * memory.valid_ratios[:, level, None] for level in (0, 1)], dim=2)
        seen = layer.cross_attention(x + positions, at, memory.tokens, memory.sizes, memory.padding)
        x = layer.norm2(x + seen)
        ffn_dim = layer.feedforward.linear1(x).relu()
        expected = layer.norm3(x + layer.feedforward.linear2(ffn_dim))
        found = layer(state, positions, places, memory)
    torch.testing.assert_close(found, expected)


def test_further_levels_halve_the_last_map():
    entry = LevelEntry((4, 8), 16, levels=4)
    levels = entry([torch.randn(1, 4, 8, 12), torch.randn(1, 8, 4, 6)])
    assert [tuple(x.shape[2:]) for x in levels] == [(8, 12), (4, 6), (2, 3), (1, 2)]
    assert all(x.shape[1] == 16 for x in levels)
