"""From boxes to objects: one name each, wholes instead of parts, and nothing of nothing."""

import pytest
import torch
from torch import Tensor

from vis.layers.roi_masks import FINE
from vis.models._box_selection import (
    BoxSelection,
    Detections,
    confidence,
    embeddings,
    filled,
    widened,
)
from vis.ops.boxes import coverage
from vis.records import ClipPredictions

SELECTION = BoxSelection(min_score=0.3, overlap=0.6, keep=5)
SIZE = (64, 96)


def scores(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows).reshape(-1, 3)


def boxes(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows).reshape(-1, 4)


def predictions(
    chosen: Detections, masks: Tensor | None = None, margin: float = 0.15
) -> ClipPredictions:
    """With masks that fill the boxes, if none are given."""
    around = widened(chosen.boxes, margin)
    inside = filled(around, margin) if masks is None else masks
    return SELECTION(chosen, inside, around, torch.arange(len(around))[:, None].float(), SIZE)


def test_a_box_of_two_classes_gives_one_answer():
    found = SELECTION.boxes(
        scores((0.8, 0.7, 0.0), (0.1, 0.75, 0.0), (0.0, 0.0, 0.5)),
        boxes((0.1, 0.1, 0.5, 0.5), (0.1, 0.12, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)),
    )
    assert found.labels.tolist() == [0, 2] and found.scores.tolist() == pytest.approx([0.8, 0.5])
    assert found.class_scores.shape == (2, 3) and found.class_scores[0, 1] == pytest.approx(0.7)


def test_the_best_come_first_and_no_more_than_are_kept():
    places = boxes(*((0.1 * n, 0.0, 0.1 * n + 0.09, 0.1) for n in range(8)))
    sure = torch.linspace(0.2, 0.9, 8)[:, None] * torch.tensor([[1.0, 0, 0]])
    found = SELECTION.boxes(sure, places)
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    torch.testing.assert_close(found.boxes, places.flip(0)[:5])


def test_boxes_are_cut_at_the_edge_and_empty_ones_are_none():
    found = SELECTION.boxes(
        scores((0.9, 0, 0), (0.8, 0, 0), (0.7, 0, 0), (0.6, 0, 0)),
        boxes((-0.5, 0.2, 0.5, 1.7), (1.1, 0, 1.5, 0.5), (0.4, 0.4, 0.3, 0.6), (0.7, 0, 0.7, 1)),
    )
    torch.testing.assert_close(found.boxes, boxes((0, 0.2, 0.5, 1.0)))


def chosen(labels: tuple[int, ...], *places: tuple[float, ...]) -> Detections:
    sure = torch.linspace(0.9, 0.5, len(labels))
    every = torch.zeros(len(labels), 3)
    every[range(len(labels)), list(labels)] = sure
    return Detections(sure, torch.tensor(labels, dtype=torch.int64), every, boxes(*places))


WHOLE, PART, ASIDE = (0.1, 0.1, 0.8, 0.9), (0.2, 0.2, 0.4, 0.6), (0.82, 0.1, 0.98, 0.9)


@pytest.mark.parametrize("places", [(WHOLE, PART, ASIDE), (PART, WHOLE, ASIDE)])
def test_a_part_inside_a_whole_of_its_class_is_dropped(places: tuple[tuple[float, ...], ...]):
    """Of the two, the surer one stays."""
    found = predictions(chosen((1, 1, 1), *places))
    assert found.scores.tolist() == pytest.approx([0.9, 0.5], rel=0.05)
    assert found.embeddings is not None and found.embeddings[:, 0].tolist() == [0, 2]


def test_a_part_of_another_class_is_an_object():
    """Such as a tie on a person."""
    assert predictions(chosen((1, 0), WHOLE, PART)).labels.tolist() == [1, 0]


def test_objects_that_share_less_stay_apart():
    found = predictions(chosen((1, 1), (0.1, 0.1, 0.5, 0.9), (0.25, 0.1, 0.8, 0.9)))
    assert len(found.scores) == 2


def test_what_is_dropped_drops_nothing():
    """The third is within the second alone, which is a part of the first."""
    row = (0.0, 0.0, 0.6, 1.0), (0.1, 0.0, 0.7, 1.0), (0.55, 0.0, 0.7, 1.0)
    assert predictions(chosen((1, 1, 1), *row)).scores.tolist() == pytest.approx(
        [0.9, 0.5], rel=0.05
    )


def test_masks_lie_where_their_boxes_are():
    place = (0.25, 0.25, 0.75, 0.5)
    found = predictions(chosen((0,), place))
    assert found.masks.shape == (1, 1, 32, 48) and found.presence.tolist() == [[1.0]]
    torch.testing.assert_close(found.boxes[0, 0], torch.tensor(place), atol=0.03, rtol=0)
    truth = coverage(boxes(place), 32, 48)[0]
    assert ((found.masks[0, 0] > 0.5) != (truth > 0.5)).float().mean() < 0.01


def test_a_box_without_a_mask_is_no_object():
    two = chosen((0, 1), WHOLE, ASIDE)
    shown = torch.stack((torch.zeros(FINE, FINE), torch.ones(FINE, FINE)))
    assert predictions(two, shown).labels.tolist() == [1]


def test_nothing_gives_nothing():
    nothing = SELECTION.boxes(torch.zeros(10, 3), torch.rand(10, 4))
    assert len(nothing.scores) == 0 and nothing.boxes.shape == (0, 4)
    found = predictions(nothing)
    assert found.masks.shape == (0, 1, 32, 48) and found.boxes.shape == (0, 1, 4)
    assert found.labels.dtype == torch.int64 and found.class_scores.shape == (0, 3)
    levels = [torch.rand(c, 64 >> n, 96 >> n) for n, c in enumerate((4, 6, 8, 10, 12), 1)]
    assert embeddings(levels, torch.zeros(0, FINE, FINE), torch.zeros(0, 4), SIZE).shape == (0, 36)


def test_alike_pixels_have_alike_embeddings():
    """Two halves of a picture, each of its own colour; each box has a third one over its edge."""
    levels = [torch.zeros(4, 64 >> n, 96 >> n) for n in range(1, 6)]
    for level in levels:
        level += 7  # what all of the picture has in common says nothing
        middle = level.shape[2] // 2
        level[0, :, :middle] += 1
        level[1, :, middle:] += 1
    places = boxes((0.05, 0.1, 0.2, 0.5), (0.1, 0.5, 0.3, 0.9), (0.7, 0.2, 0.9, 0.8))
    found = embeddings(levels, torch.ones(3, FINE, FINE), places, SIZE)
    alike = torch.nn.functional.cosine_similarity(found[:, None], found[None], dim=2)
    assert alike[0, 1] > 0.95 and alike[0, 2] < 0
    torch.testing.assert_close(found.norm(dim=1), torch.full((3,), 2.0))


def test_a_mask_that_is_hardly_inside_makes_a_detection_less_sure():
    sure = torch.zeros(2, FINE, FINE)
    sure[:, :20], sure[1] = 0.95, 0.55
    found = predictions(chosen((0, 1), (0.0, 0.0, 0.4, 0.9), (0.5, 0.0, 0.9, 0.9)), sure)
    torch.testing.assert_close(found.scores, torch.tensor([0.9 * 0.95, found.scores[1].item()]))
    assert found.scores[1] < 0.6 * 0.9
    assert confidence(torch.zeros(1, FINE, FINE)).tolist() == [0.0]
