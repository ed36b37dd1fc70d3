"""Equality with the published VisTR: its matcher, its criterion, and its matcher's fault."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vis.losses.masks import padded_area
from vis.losses.matching import VISTR_COST, Matcher, own_visibility, published_visibility
from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.losses.set_loss import SetLoss
from vis.losses.targets import join
from vis.ops.boxes import to_corners
from vis.records import ClipTargets

NAMES = ("class", "box_l1", "box_giou", "mask_focal", "mask_dice")
PUBLISHED = {
    "own": SetLoss(Matcher(VISTR_COST), eps=1e-6, area=padded_area),
    "published": SetLoss(
        Matcher(VISTR_COST, visibility=published_visibility), eps=1e-6, area=padded_area
    ),
}


def test_options_differ() -> None:
    assert PUBLISHED["own"].matcher.visibility is own_visibility


def test_criterion(shared: Path) -> None:
    case = json.loads((shared / "golden" / "vistr_criterion.json").read_text())
    with np.load(shared / "golden" / "vistr_criterion.npz") as stored:
        values = {name: torch.from_numpy(stored[name]) for name in stored.files}
    frames, queries, instances = case["num_frames"], case["num_instances"], case["num_targets"]
    logits = values["pred_logits"].reshape(1, frames, queries, -1)
    boxes, turned = values["pred_boxes"], values["pred_boxes"].flip(0)
    output = SequenceOutput(
        [
            LayerOutput(0.5 * logits, turned.reshape(1, frames, queries, 4)),
            LayerOutput(logits, boxes.reshape(1, frames, queries, 4)),
        ],
        values["pred_masks"].reshape(1, frames, queries, *values["pred_masks"].shape[1:]),
    )
    truth = values["target_masks"]
    targets = ClipTargets(
        labels=values["target_labels"].reshape(instances, frames)[:, 0],
        boxes=to_corners(values["target_boxes"]).reshape(instances, frames, 4),
        masks=truth.reshape(instances, frames, *truth.shape[1:]),
        visible=torch.ones(instances, frames, dtype=torch.bool),
    )
    early, late = PUBLISHED["own"].terms(output, [targets])
    expected = case["losses"]
    old = ("loss_ce", "loss_bbox", "loss_giou", "loss_mask", "loss_dice")
    for ours, theirs in zip(NAMES, old, strict=True):
        assert late[ours].item() == pytest.approx(expected[theirs], rel=1e-5)
    for ours, theirs in zip(NAMES[:3], old, strict=False):
        assert early[ours].item() == pytest.approx(expected[f"{theirs}_0"], rel=1e-5)
    for index, suffix in ((-1, ""), (0, "_0")):
        errors = PUBLISHED["own"].errors(SequenceOutput([output.layers[index]]), [targets])
        assert errors["count_error"].item() == expected[f"cardinality_error{suffix}"]
    assert (
        PUBLISHED["own"].errors(output, [targets])["class_error"].item() == expected["class_error"]
    )
    total = sum(PUBLISHED["own"](output, [targets]).values()).item()
    counted = {name for name in expected if name in case["weights"]}
    published = sum(case["weights"][name] * expected[name] for name in counted)
    assert total == pytest.approx(published, abs=1e-5)

    pairs = PUBLISHED["own"].matcher(output.layers, join([targets], output.layers[0]))[-1]
    assert torch.equal(pairs.frames * queries + pairs.queries, values["matched_query"])
    assert torch.equal(pairs.instances * frames + pairs.frames, values["matched_target"])


def sequence(seed: int) -> tuple[SequenceOutput, ClipTargets]:
    """Three instances in three frames, visible 111, 100, 011; ten slots."""
    draw = np.random.RandomState(seed)
    logits = draw.standard_normal((1, 30, 42))
    boxes = draw.uniform(0.2, 0.6, (1, 30, 4))
    masks = draw.standard_normal((1, 30, 8, 12))
    target_boxes = draw.uniform(0.2, 0.6, (3, 3, 4))
    target_masks = draw.uniform(0, 1, (3, 3, 16, 24)) > 0.6
    visible = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 1]]).bool()
    layer = LayerOutput(
        torch.from_numpy(logits).reshape(1, 3, 10, 42), torch.from_numpy(boxes).reshape(1, 3, 10, 4)
    )
    output = SequenceOutput([layer], torch.from_numpy(masks).reshape(1, 3, 10, 8, 12))
    targets = ClipTargets(
        labels=torch.tensor([5, 17, 40]),
        boxes=to_corners(torch.from_numpy(target_boxes)) * visible[..., None],
        masks=torch.from_numpy(target_masks) & visible[..., None, None],
        visible=visible,
    )
    return output, targets


# fmt: off
SEQUENCES = [
    (12, "own", (4.60528577, 0.29338123, 0.54363491, 0.10107832, 0.37125328),
     [0, 10, 20, 14, 24, 8], [0, 1, 2, 7, 8, 3]),
    (12, "published", (4.50063879, 0.55292128, 0.84226336, 0.11777526, 0.51775088),
     [0, 10, 20, 4, 18, 28], [0, 1, 2, 6, 4, 5]),
    (13, "own", (4.13284488, 0.27311817, 0.47131075, 0.09784306, 0.36238535),
     [0, 12, 22, 5, 15, 25], [3, 7, 8, 0, 1, 2]),
    (13, "published", (3.813858, 0.59596205, 0.75857608, 0.11104824, 0.51554337),
     [0, 10, 20, 2, 15, 25], [3, 4, 5, 6, 1, 2]),
    (14, "own", (4.45825072, 0.22299232, 0.44013835, 0.09692494, 0.36024565),
     [12, 22, 6, 7, 17, 27], [7, 8, 3, 0, 1, 2]),
    (14, "published", (4.35929987, 0.36526916, 0.57110138, 0.1048084, 0.41317063),
     [2, 12, 22, 6, 17, 27], [6, 7, 8, 3, 1, 2]),
    (15, "own", (3.96852587, 0.18305894, 0.42129063, 0.09129633, 0.35835934),
     [11, 21, 4, 8, 18, 28], [7, 8, 3, 0, 1, 2]),
    (15, "published", (3.84496131, 0.32383792, 0.42844948, 0.09614972, 0.40819057),
     [1, 11, 21, 4, 18, 28], [6, 7, 8, 3, 1, 2]),
]
COSTS = {
    12: ([0, 4, 8], [[-0.04797220797, 1.440917854, 0.6720264520],
                     [-0.1006532471, 1.141175115, 0.5472577703],
                     [0.2964648266, 0.9399948117, 0.8310841473]], 0.7895786066),
    13: ([0, 2, 5], [[0.5541880780, 0.9918030121, 0.5224911241],
                     [0.2802619590, 1.071640924, 0.5476387933],
                     [-0.3164096304, 1.660769457, 0.7827991731]], 0.8043745151),
    14: ([2, 6, 7], [[-0.1027711184, 1.525942191, 0.3549490660],
                     [0.05034670872, 0.8525781656, 0.4591188944],
                     [-0.2955232329, 0.9193276821, 0.5670480026]], 0.6455811088),
    15: ([1, 4, 8], [[0.06299590520, 1.730916075, 0.1037708659],
                     [0.04438040376, 0.9399816956, 0.6432714424],
                     [-0.2829661678, 1.168314250, 0.5469611196]], 0.6590603610),
}
# fmt: on


@pytest.mark.parametrize(("seed", "way", "expected", "queries", "rows"), SEQUENCES)
def test_matcher_and_losses(
    seed: int, way: str, expected: tuple[float, ...], queries: list[int], rows: list[int]
) -> None:
    output, targets = sequence(seed)
    loss = PUBLISHED[way]
    (pairs,) = loss.matcher(output.layers, join([targets], output.layers[0]))
    assert (pairs.frames * 10 + pairs.queries).tolist() == queries
    assert (pairs.instances * 3 + pairs.frames).tolist() == rows
    (terms,) = loss.terms(output, [targets])
    for name, value in zip(NAMES, expected, strict=True):
        assert terms[name].item() == pytest.approx(value, abs=2e-8)


@pytest.mark.parametrize("seed", COSTS)
def test_costs(seed: int) -> None:
    output, targets = sequence(seed)
    queries, rows, mean = COSTS[seed]
    (table,) = VISTR_COST(output.layers, join([targets], output.layers[0]))
    expected = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(table[queries], expected, rtol=0, atol=2e-7)
    assert table.mean().item() == pytest.approx(mean, abs=2e-7)
