"""The focal set loss: its formula, its matching, and what is not labelled."""

from dataclasses import replace

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from vis.errors import DataError
from vis.losses.focal_set_loss import FocalSetLoss
from vis.losses.matching import FOCAL_COST, focal_class_score
from vis.losses.outputs import LayerOutput
from vis.losses.targets import join
from vis.ops.boxes import to_centres
from vis.records import ClipTargets

BOXES = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.5, 0.4, 0.9, 0.8]])


def target(*labels: int) -> ClipTargets:
    count = len(labels)
    return ClipTargets(
        torch.tensor(labels, dtype=torch.int64),
        BOXES[:count, None],
        torch.zeros(count, 1, 4, 4, dtype=torch.bool),
        torch.ones(count, 1, dtype=torch.bool),
    )


@pytest.fixture
def layer() -> LayerOutput:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 4, 3, generator=generator)
    boxes = 0.2 + 0.3 * torch.rand(2, 1, 4, 4, generator=generator)
    boxes[0, 0, 2], boxes[0, 0, 1] = to_centres(BOXES)
    return LayerOutput(logits, boxes)


def test_the_terms_are_the_published_ones(layer: LayerOutput):
    targets = [target(2, 0), target()]
    found = FocalSetLoss()([layer], targets)
    wanted = torch.zeros_like(layer.logits)
    wanted[0, 0, 2, 2] = wanted[0, 0, 1, 0] = 1  # their boxes are exact
    focal = sigmoid_focal_loss(layer.logits, wanted, alpha=0.25, gamma=2, reduction="sum")
    torch.testing.assert_close(found["class"], 2 * focal / 2)
    torch.testing.assert_close(found["box_l1"], torch.zeros(()), atol=1e-5, rtol=0)
    torch.testing.assert_close(found["box_giou"], torch.zeros(()), atol=1e-5, rtol=0)


def test_the_merit_is_the_change_of_the_focal_loss():
    logits = torch.linspace(-4, 4, 9)
    kinds = {"alpha": 0.25, "gamma": 2.0, "reduction": "none"}
    named = sigmoid_focal_loss(logits, torch.ones_like(logits), **kinds)
    passed = sigmoid_focal_loss(logits, torch.zeros_like(logits), **kinds)
    torch.testing.assert_close(focal_class_score(logits), passed - named)
    assert (FOCAL_COST.label, FOCAL_COST.box_l1, FOCAL_COST.overlap) == (2, 5, 2)


def test_proposals_are_of_no_class(layer: LayerOutput):
    """Any object is their first row, whatever its class."""
    loss, proposals = FocalSetLoss(), LayerOutput(layer.logits.flip(2), layer.boxes.flip(2))
    both = loss([layer], [target(2, 1), target()], proposals=proposals)
    alone = loss([layer], [target(2, 1), target()])
    plain = loss([proposals], [target(0, 0), target()])
    for name in both:
        torch.testing.assert_close(both[name], alone[name] + plain[name])


def test_where_a_class_is_not_annotated_nothing_is_said_of_it(layer: LayerOutput):
    loss = FocalSetLoss()
    partly = [target(2, 0), replace(target(), labelled=torch.tensor([True, False, True]))]
    truth = join(partly, layer, background_rows=0)
    assert truth.annotated.tolist() == [[True] * 3, [True, False, True]]
    other = layer.logits.clone()
    other[1, :, :, 1] += 3
    moved = LayerOutput(other, layer.boxes)
    assert loss([layer], partly)["class"] == loss([moved], partly)["class"]
    first = layer.logits.clone()
    first[1, :, :, 0] += 3  # somebody may be there, as one class is unknown
    same = LayerOutput(first, layer.boxes)
    with_ = (loss([layer], partly, proposals=x)["class"] for x in (layer, same))
    assert len({float(value) for value in with_}) == 1


def test_a_label_beyond_the_classes_is_refused(layer: LayerOutput):
    with pytest.raises(DataError, match="3 classes"):
        FocalSetLoss()([layer], [target(3), target()])


def test_without_any_object_there_is_still_a_gradient(layer: LayerOutput):
    logits, boxes = layer.logits.requires_grad_(), layer.boxes.requires_grad_()
    found = FocalSetLoss()([LayerOutput(logits, boxes)], [target(), target()])
    torch.stack(list(found.values())).sum().backward()
    assert logits.grad is not None and logits.grad.abs().sum() > 0
    assert boxes.grad is not None and not boxes.grad.any()
