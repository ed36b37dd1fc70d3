"""Matching: the costs by hand and by loops, the assignment by trying every one."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from vis.errors import DataError
from vis.losses.matching import (
    DETR_COST,
    VISTR_COST,
    Cost,
    Matcher,
    Pairs,
    own_visibility,
    published_visibility,
    visible_frames,
)
from vis.losses.outputs import LayerOutput
from vis.losses.targets import join
from vis.ops.boxes import to_centres, to_corners
from vis.records import ClipTargets

COSTS = {
    "vistr": VISTR_COST,
    "detr": DETR_COST,
    "vistr_visible": replace(VISTR_COST, counted=visible_frames),
}


def one_object(box: list[float], *, label: int, frames: int = 1) -> ClipTargets:
    boxes = to_corners(torch.tensor(box, dtype=torch.float64)).expand(1, frames, 4)
    return ClipTargets(
        labels=torch.tensor([label]),
        boxes=boxes,
        masks=torch.zeros(1, frames, 4, 4, dtype=torch.bool),
        visible=torch.ones(1, frames, dtype=torch.bool),
    )


def slow_cost(cost: Cost, layer: LayerOutput, target: ClipTargets, clip: int) -> torch.Tensor:
    """`[N M]` by loops over slots, instances and frames, straight from the definition."""
    frames, queries = layer.logits.shape[1:3]
    table = torch.zeros(queries, len(target.labels), dtype=torch.float64)
    for slot, row in itertools.product(range(queries), range(len(target.labels))):
        values = []
        for t in range(frames):
            seen = bool(target.visible[row, t])
            if cost.counted is visible_frames and not seen:
                continue
            label = int(target.labels[row]) if seen else 0
            wanted = target.boxes[row, t].double() if seen else torch.zeros(4).double()
            found = layer.boxes[clip, t, slot]
            distance = (found - to_centres(wanted)).abs().sum()
            overlap = cost.measure(to_corners(found), wanted, eps=cost.eps)
            likely = layer.logits[clip, t, slot].softmax(-1)[label]
            values.append(cost.box_l1 * distance - cost.label * likely - cost.overlap * overlap)
        table[slot, row] = torch.stack(values).mean() if values else 1e6
    return table


def by_clip(pairs: Pairs, clip: int) -> set[tuple[int, int]]:
    chosen = pairs.clips == clip
    return set(zip(pairs.queries[chosen].tolist(), pairs.instances[chosen].tolist(), strict=True))


def test_detr_cost_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 0.0, np.log(2.0)]]]])  # probabilities 1/4, 1/4, 1/2
    layer = LayerOutput(logits, torch.tensor([[[[0.3, 0.5, 0.2, 0.2]]]]))
    truth = join([one_object([0.4, 0.5, 0.2, 0.2], label=1)], layer)
    # The boxes share half of each: IoU 1/3, and nothing of the box around both is empty.
    expected = -1 / 4 + 5 * 0.1 - 2 / 3
    torch.testing.assert_close(DETR_COST([layer], truth).item(), expected, rtol=0, atol=1e-5)


def test_detr_cost_of_boxes_apart_by_hand() -> None:
    logits = torch.zeros(1, 1, 1, 2)
    layer = LayerOutput(logits, torch.tensor([[[[0.1, 0.1, 0.2, 0.2]]]]))
    truth = join([one_object([0.7, 0.1, 0.2, 0.2], label=0)], layer)
    # Around both 0.8 x 0.2 = 0.16, of which 0.08 is empty: GIoU -1/2.
    expected = -1 / 2 + 5 * 0.6 + 2 / 2
    torch.testing.assert_close(DETR_COST([layer], truth).item(), expected, rtol=0, atol=1e-5)


def test_vistr_cost_takes_an_absent_frame_for_an_empty_box() -> None:
    logits = torch.tensor([[[[np.log(2.0), 0.0, 0.0]], [[np.log(2.0), 0.0, 0.0]]]])
    layer = LayerOutput(logits, torch.tensor([0.5, 0.5, 0.2, 0.4]).expand(1, 2, 1, 4))
    target = one_object([0.5, 0.5, 0.2, 0.4], label=1, frames=2)
    target = replace(target, visible=torch.tensor([[True, False]]))
    present = -1 / 4 - 2  # the same box
    absent = -1 / 2 + 5 * (0.5 + 0.5 + 0.2 + 0.4) / 4 - 2 * 1e-6 / (0.08 + 1e-6)
    cost = VISTR_COST([layer], join([target], layer)).item()
    torch.testing.assert_close(cost, (present + absent) / 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", COSTS)
def test_cost_equals_loops(scene: Callable, name: str) -> None:
    output, targets = scene(1, instances=(3, 2), sizes=((16, 24), (8, 12)), frames=4)
    table = COSTS[name](output.layers, join(targets, output.layers[0]))
    for index, layer in enumerate(output.layers):
        slow = [slow_cost(COSTS[name], layer, target, clip) for clip, target in enumerate(targets)]
        torch.testing.assert_close(table[index], torch.cat(slow, dim=1))


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("instances", [1, 3, 4, 6])
def test_assignment_is_the_cheapest_of_all(scene: Callable, name: str, instances: int) -> None:
    output, targets = scene(instances, instances=(instances,), queries=4)
    targets = [replace(targets[0], visible=torch.ones_like(targets[0].visible))]
    matcher = Matcher(COSTS[name])
    for layer in output.layers:
        (pairs,) = matcher([layer], join(targets, layer))
        cost = slow_cost(COSTS[name], layer, targets[0], 0).numpy()
        cheapest = min(
            cost[list(queries), list(rows)].sum()
            for queries in itertools.permutations(range(4), min(4, instances))
            for rows in itertools.combinations(range(instances), min(4, instances))
        )
        chosen = by_clip(pairs, 0)
        assert len(chosen) == min(4, instances)
        np.testing.assert_allclose(sum(cost[pair] for pair in chosen), cheapest)


def test_pairs_are_the_visible_frames_in_order(scene: Callable) -> None:
    output, targets = scene(4, instances=(2, 0, 3), sizes=((8, 8), (4, 4), (8, 4)), frames=5)
    truth = join(targets, output.layers[0])
    for pairs in Matcher(VISTR_COST)(output.layers, truth):
        assert len(pairs.frames) == truth.visible.sum()
        assert truth.visible[pairs.instances, pairs.frames].all()
        assert (truth.clips[pairs.instances] == pairs.clips).all()
        entries = list(
            zip(*(x.tolist() for x in (pairs.clips, pairs.queries, pairs.frames)), strict=True)
        )
        assert entries == sorted(set(entries))


def test_layers_and_clips_are_matched_for_themselves(scene: Callable) -> None:
    output, targets = scene(5, instances=(2, 3), sizes=((8, 8), (8, 8)), layers=3)
    together = Matcher(DETR_COST)(output.layers, join(targets, output.layers[0]))
    for layer, pairs in zip(output.layers, together, strict=True):
        for clip, target in enumerate(targets):
            alone = LayerOutput(layer.logits[clip : clip + 1], layer.boxes[clip : clip + 1])
            (single,) = Matcher(DETR_COST)([alone], join([target], alone))
            first = sum(len(before.labels) for before in targets[:clip])
            shifted = {(slot, row + first) for slot, row in by_clip(single, 0)}
            assert by_clip(pairs, clip) == shifted


def test_the_published_fault_reads_the_frames_of_another_instance() -> None:
    visible = np.array([[True, True], [True, False], [False, True]])
    order = np.array([2, 0])
    assert own_visibility(visible, order).tolist() == [[False, True], [True, True]]
    assert published_visibility(visible, order).tolist() == [[True, True], [True, False]]


def test_an_instance_never_seen_takes_no_slot_from_others(scene: Callable) -> None:
    output, targets = scene(6, instances=(4,), queries=3)
    visible = torch.ones(4, 3, dtype=torch.bool)
    visible[1] = False
    hidden = [replace(targets[0], visible=visible)]
    rest = [0, 2, 3]
    without = [
        ClipTargets(
            targets[0].labels[rest], targets[0].boxes[rest], targets[0].masks[rest], visible[rest]
        )
    ]
    layer = output.layers[0]
    (pairs,) = Matcher(DETR_COST)([layer], join(hidden, layer))
    (expected,) = Matcher(DETR_COST)([layer], join(without, layer))
    assert {(slot, rest.index(row)) for slot, row in by_clip(pairs, 0)} == by_clip(expected, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_diverged_model_is_still_matched(scene: Callable, value: float) -> None:
    output, targets = scene(7)
    layer = output.layers[0]
    layer.boxes[:] = value
    (pairs,) = Matcher(DETR_COST)([layer], join(targets, layer))
    assert len(pairs.queries) == targets[0].visible.sum()


@pytest.mark.parametrize("label", [-1, 6, 7, 4000])
def test_a_label_without_a_row_is_refused(scene: Callable, label: int) -> None:
    output, targets = scene(8, classes=6)
    targets[0].visible[:] = True
    targets[0].labels[0] = label
    with pytest.raises(DataError, match=rf"label {label} .* 6 classes"):
        Matcher(DETR_COST)(output.layers, join(targets, output.layers[0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_matched_in_single(scene: Callable, dtype: torch.dtype) -> None:
    output, targets = scene(9)
    layers = [LayerOutput(x.logits.to(dtype), x.boxes.to(dtype)) for x in output.layers]
    assert VISTR_COST(layers, join(targets, layers[0])).dtype == torch.float32


def test_matching_leaves_no_gradient(scene: Callable) -> None:
    output, targets = scene(9)
    layer = LayerOutput(
        *(x.requires_grad_() for x in (output.layers[0].logits, output.layers[0].boxes))
    )
    (pairs,) = Matcher(VISTR_COST)([layer], join(targets, layer))
    assert not pairs.queries.requires_grad
