"""The loss of groups of queries; `tests/parity` holds it against the published numbers."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import grid_sample

from vis.losses.group_loss import GroupLoss
from vis.losses.points import sample_nearest
from vis.losses.rf_detr_output import LayerOutput, RFDETROutput
from vis.ops.boxes import iou, to_corners
from vis.records import ClipTargets

GROUPS, QUERIES, CLASSES, CHANNELS = 3, 4, 5, 6


def layer_of(draw: torch.Generator) -> LayerOutput:
    rows = (2, GROUPS * QUERIES)
    made = (
        torch.randn(*rows, CLASSES, generator=draw),
        0.2 + 0.4 * torch.rand(*rows, 4, generator=draw),
        torch.randn(*rows, CHANNELS, generator=draw),
        torch.randn(2, CHANNELS, 8, 8, generator=draw),
        torch.zeros(()),
    )
    return LayerOutput(*(values.requires_grad_() for values in made))


@pytest.fixture
def output() -> RFDETROutput:
    draw = torch.Generator().manual_seed(0)
    layers = [layer_of(draw), layer_of(draw)]
    return RFDETROutput(layers, layer_of(draw), GROUPS, torch.zeros(0), torch.zeros(0))


@pytest.fixture
def targets() -> list[ClipTargets]:
    """Of three objects and of none; the second is not visible."""
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0, 0, 0, 0], [0.5, 0.4, 0.9, 0.8]])[:, None]
    masks = torch.zeros(3, 1, 20, 12, dtype=torch.bool)
    masks[0, 0, 2:10, 1:5] = masks[2, 0, 8:16, 6:11] = True
    visible = torch.tensor([[True], [False], [True]])
    some = ClipTargets(torch.tensor([1, 0, 4]), boxes, masks, visible)
    return [
        some,
        ClipTargets(*(getattr(some, n)[:0] for n in ("labels", "boxes", "masks", "visible"))),
    ]


def test_a_matched_class_is_to_reach_what_its_box_deserves(output, targets):
    """Weights of matched entries are detached, those of all others are not."""
    output = replace(output, layers=output.layers[:1], encoder=None)
    (terms,) = GroupLoss().terms(output, targets)
    layer = output.layers[0]
    torch.manual_seed(0)
    terms["class"].backward()
    found = layer.logits.grad
    matched = (found - gradient_of_negatives(layer.logits.detach())).abs() > 1e-6
    assert matched.sum() == 2 * GROUPS  # two visible objects in each group
    for clip, query, label in matched.nonzero().tolist():
        assert clip == 0 and label in (1, 4)
        box = targets[0].boxes[0 if label == 1 else 2, 0]
        overlap = iou(to_corners(layer.boxes[0, query]), box)
        own = layer.logits[0, query, label].sigmoid()
        quality = (own**0.25 * overlap**0.75).clamp(min=0.01)
        # of -t log p - (1 - t) log(1 - p), over two objects in three groups
        torch.testing.assert_close(found[0, query, label], (own - quality) / 6)


def gradient_of_negatives(logits):
    logits = logits.clone().requires_grad_()
    prob = logits.sigmoid()
    return torch.autograd.grad((-(prob**2) * (1 - prob).log()).sum() / 6, logits)[0]


def test_each_group_shows_each_object_once(output, targets):
    """Equal groups say the same, however many: the terms are means over them."""
    one = [part(layer, slice(0, QUERIES)) for layer in (*output.layers, output.encoder)]
    several = [part(layer, list(range(QUERIES)) * GROUPS) for layer in one]
    # every random place is the middle, so that the number of rows changes none
    loss = GroupLoss(draw=lambda shape, device: torch.full(shape, 0.51, device=device))
    alone = loss(RFDETROutput(one[:2], one[2], 1, output.states, output.sizes), targets)
    together = loss(
        RFDETROutput(several[:2], several[2], GROUPS, output.states, output.sizes), targets
    )
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value)


def part(layer: LayerOutput, rows) -> LayerOutput:
    chosen = (values[:, rows] for values in (layer.logits, layer.boxes, layer.mask_queries))
    return LayerOutput(*chosen, layer.mask_features, layer.mask_bias)


def test_pictures_without_objects_have_a_gradient(output, targets):
    losses = GroupLoss()(output, [targets[1]] * 2)
    sum(losses.values()).backward()
    assert losses["class"] > 0
    assert not any(losses[name] for name in ("box_l1", "box_giou", "mask", "mask_dice"))
    for layer in (*output.layers, output.encoder):
        assert all(getattr(layer, name).grad is not None for name in layer.__slots__)


def test_the_nearest_pixel_is_that_of_grid_sample():
    draw = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 5, 7, generator=draw) < 0.5
    rows, points = torch.tensor([2, 0]), torch.rand(2, 50, 2, generator=draw)
    theirs = grid_sample(
        masks[rows, None].float(), (2 * points - 1)[:, :, None], mode="nearest", align_corners=False
    )
    assert torch.equal(sample_nearest(masks, rows, points), theirs[:, 0, :, 0] > 0.5)
