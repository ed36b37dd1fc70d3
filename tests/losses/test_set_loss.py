"""The set loss: by hand, by loops over slots, and what must not change it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from vis.losses.masks import mask_terms
from vis.losses.matching import DETR_COST, VISTR_COST, Matcher, visible_frames
from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.losses.set_loss import SetLoss, Weights, mean_over_ranks
from vis.losses.targets import join
from vis.ops.boxes import giou, to_centres, to_corners
from vis.records import ClipTargets

LOSSES = {
    "vistr": SetLoss(Matcher(VISTR_COST), eps=1e-6),
    "detr": SetLoss(Matcher(DETR_COST)),
}
NAMES = ["class", "box_l1", "box_giou", "mask_focal", "mask_dice"]


def clip_of(output: SequenceOutput, clip: int, size: tuple[int, int]) -> SequenceOutput:
    """One clip of a batch as the model would give it alone, on a canvas of its own size."""
    one = slice(clip, clip + 1)
    layers = [LayerOutput(layer.logits[one], layer.boxes[one]) for layer in output.layers]
    masks = output.masks[one, ..., : size[0] // 4, : size[1] // 4]
    return SequenceOutput(layers, masks, padded_size=size, sizes=torch.tensor([size]))


def slow_terms(loss: SetLoss, output: SequenceOutput, targets: list[ClipTargets]) -> dict:
    """Class, L1 and GIoU of the last layer by loops over clips, frames and slots."""
    layer = output.layers[-1]
    truth = join(targets, layer)
    (pairs,) = loss.matcher([layer], truth)
    shown = {
        (int(b), int(t), int(n)): int(j)
        for b, t, n, j in zip(
            pairs.clips, pairs.frames, pairs.queries, pairs.instances, strict=True
        )
    }
    entropy = weights = distance = apart = torch.tensor(0.0).double()
    for place in torch.cartesian_prod(*map(torch.arange, layer.logits.shape[:3])).tolist():
        row = shown.get(tuple(place))
        logits = layer.logits[tuple(place)]
        weight = 0.1 if row is None else 1.0
        label = -1 if row is None else truth.labels[row].max()
        entropy = entropy - weight * logits.log_softmax(-1)[label]
        weights = weights + weight
        if row is not None:
            found, wanted = layer.boxes[tuple(place)], truth.boxes[row, place[1]].double()
            distance = distance + (found - to_centres(wanted)).abs().sum()
            apart = apart + 1 - giou(to_corners(found), wanted, eps=loss.eps)
    count = max(1, sum(target.visible.numel() for target in targets))
    return {"class": entropy / weights, "box_l1": distance / count, "box_giou": apart / count}


def test_an_image_by_hand() -> None:
    """DETR: two slots, one object; the second slot is right about it, the first shows nothing."""
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]]).double()[None, None]
    boxes = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.3, 0.5, 0.2, 0.2]]).double()[None, None]
    target = ClipTargets(
        labels=torch.tensor([0]),
        boxes=torch.tensor([[[0.3, 0.4, 0.5, 0.6]]]),
        masks=torch.ones(1, 1, 2, 2, dtype=torch.bool),
        visible=torch.tensor([[True]]),
    )
    masks = torch.zeros(1, 1, 2, 1, 1).double()
    output = SequenceOutput([LayerOutput(logits, boxes)], masks)
    (terms,) = LOSSES["detr"].terms(output, [target])
    two, e = torch.tensor(2.0).double(), torch.tensor(2.0).double().exp()
    expected = {
        "class": (0.1 * two.log() + (1 + 1 / e).log()) / 1.1,
        "box_l1": 0.1,
        "box_giou": 1 - 1 / 3,
        "mask_focal": 0.25 / 4 * two.log(),
        "mask_dice": 1 - (2 * 2 + 1) / (2 + 4 + 1),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name].item(), float(value), rtol=0, atol=1e-5)
    weighted = LOSSES["detr"](output, [target])
    torch.testing.assert_close(weighted["box_l1"].item(), 0.5, rtol=0, atol=1e-5)
    torch.testing.assert_close(weighted["box_giou"].item(), 4 / 3, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("instances", [(3,), (2, 4), (0, 3), (0, 0), (7, 1)])
def test_equals_loops(scene: Callable, name: str, instances: tuple[int, ...]) -> None:
    output, targets = scene(1, instances=instances, sizes=((16, 24), (8, 20))[: len(instances)])
    terms = LOSSES[name].terms(output, targets)[-1]
    for key, value in slow_terms(LOSSES[name], output, targets).items():
        torch.testing.assert_close(terms[key], value, msg=lambda text, key=key: f"{key}: {text}")


def test_layers_are_summed_and_weighted(scene: Callable) -> None:
    output, targets = scene(2, layers=3)
    weights = Weights(label=2.0, box_l1=3.0, box_giou=0.5, mask_focal=7.0, mask_dice=0.25)
    loss = replace(LOSSES["vistr"], weights=weights)
    terms = loss.terms(output, targets)
    assert [sorted(layer) for layer in terms] == [sorted(NAMES[:3])] * 2 + [sorted(NAMES)]
    totals = loss(output, targets)
    factors = dict(zip(NAMES, (2.0, 3.0, 0.5, 7.0, 0.25), strict=True))
    for name, factor in factors.items():
        expected = factor * sum(layer[name] for layer in terms if name in layer)
        torch.testing.assert_close(totals[name], expected)


def test_without_masks_there_are_no_mask_terms(scene: Callable) -> None:
    output, targets = scene(2)
    assert sorted(LOSSES["detr"](replace(output, masks=None), targets)) == sorted(NAMES[:3])


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_is_the_sum_of_its_clips(scene: Callable, name: str) -> None:
    sizes = ((16, 24), (8, 20))
    output, targets = scene(3, instances=(2, 4), sizes=sizes, frames=4)
    together = LOSSES[name].terms(output, targets)
    alone = [
        LOSSES[name].terms(clip_of(output, clip, size), [targets[clip]])
        for clip, size in enumerate(sizes)
    ]
    shares = [2 / 6, 4 / 6]
    for index, layer in enumerate(together):
        for term in layer:
            if term != "class":
                parts = [
                    share * terms[index][term] for share, terms in zip(shares, alone, strict=True)
                ]
                torch.testing.assert_close(layer[term], sum(parts))


def test_the_class_term_of_a_batch_weighs_clips_by_their_slots(scene: Callable) -> None:
    output, targets = scene(4, instances=(2, 4), sizes=((8, 8), (8, 8)), queries=5, frames=3)
    together = LOSSES["vistr"].terms(output, targets)[-1]["class"]
    parts, weights = [], []
    for clip, target in enumerate(targets):
        shown = int(target.visible.sum())
        weights.append(shown + 0.1 * (15 - shown))
        alone = LOSSES["vistr"].terms(clip_of(output, clip, (8, 8)), [target])
        parts.append(weights[-1] * alone[-1]["class"])
    torch.testing.assert_close(together, sum(parts) / sum(weights))


@pytest.mark.parametrize("name", LOSSES)
def test_invisible_frames_contribute_nothing(scene: Callable, name: str) -> None:
    output, targets = scene(5, frames=4)
    clean = LOSSES[name](output, targets)
    absent = ~targets[0].visible
    assert absent.any()
    targets[0].boxes[absent] = torch.nan
    targets[0].masks[absent] = True
    torch.testing.assert_close(LOSSES[name](output, targets), clean, rtol=0, atol=0)


def test_boxes_and_masks_of_invisible_frames_get_no_gradient(scene: Callable) -> None:
    output, targets = scene(6, frames=4, layers=1)
    boxes, cells = output.layers[0].boxes.requires_grad_(), output.masks.requires_grad_()
    sum(LOSSES["vistr"](output, targets).values()).backward()
    (pairs,) = LOSSES["vistr"].matcher(output.layers, join(targets, output.layers[0]))
    shown = torch.zeros(boxes.shape[:3], dtype=torch.bool)
    shown[pairs.clips, pairs.frames, pairs.queries] = True
    assert ((boxes.grad != 0).any(-1) == shown).all()
    assert ((cells.grad != 0).flatten(3).any(-1) == shown).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("instances", "frames"), [((3,), 3), ((0,), 2), ((2, 0), 1), ((9,), 1), ((1, 6), 4)]
)
def test_gradients_are_finite_and_reach_everything(
    scene: Callable, name: str, instances: tuple[int, ...], frames: int
) -> None:
    sizes = ((16, 24), (12, 8))[: len(instances)]
    output, targets = scene(7, instances=instances, sizes=sizes, frames=frames)
    leaves = [output.masks, *(x for y in output.layers for x in (y.logits, y.boxes))]
    for leaf in leaves:
        leaf.requires_grad_()
    losses = LOSSES[name](output, targets)
    assert sorted(losses) == sorted(NAMES)
    assert all(value.isfinite() and value.ndim == 0 for value in losses.values())
    sum(losses.values()).backward()
    assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)
    assert all((layer.logits.grad != 0).all() for layer in output.layers)


def test_no_instances_leave_only_the_background(scene: Callable) -> None:
    output, targets = scene(8, instances=(0, 0), sizes=((8, 8), (4, 8)))
    terms = LOSSES["vistr"].terms(output, targets)[-1]
    expected = -output.layers[-1].logits.log_softmax(-1)[..., -1].mean()
    torch.testing.assert_close(terms["class"], expected)
    assert all(terms[name].item() == 0 for name in NAMES[1:])


def test_garbage_in_the_padding_changes_nothing(scene: Callable) -> None:
    output, targets = scene(9, instances=(3, 2), sizes=((16, 24), (8, 12)))
    clean = LOSSES["vistr"](output, targets)
    cells = output.masks.clone()
    cells[1, ..., 2:, :] = 1e4
    cells[1, ..., :, 3:] = -1e4
    found = LOSSES["vistr"](replace(output, masks=cells), targets)
    torch.testing.assert_close(found, clean, rtol=0, atol=0)


def test_sums_can_be_divided_by_visible_frames(scene: Callable) -> None:
    output, targets = scene(10)
    every = LOSSES["vistr"].terms(output, targets)[-1]
    seen = replace(LOSSES["vistr"], counted=visible_frames).terms(output, targets)[-1]
    share = float(targets[0].visible.double().mean())
    assert share < 1
    torch.testing.assert_close(seen["class"], every["class"])
    for name in NAMES[1:]:
        torch.testing.assert_close(seen[name], every[name] / share)


def test_slots_may_be_renamed_and_instances_reordered(scene: Callable) -> None:
    output, targets = scene(11, queries=6)
    clean = LOSSES["vistr"](output, targets)
    order, rows = torch.randperm(6), torch.tensor([2, 0, 1])
    layers = [LayerOutput(x.logits[:, :, order], x.boxes[:, :, order]) for x in output.layers]
    shuffled = replace(output, layers=layers, masks=output.masks[:, :, order])
    target = targets[0]
    turned = ClipTargets(
        target.labels[rows], target.boxes[rows], target.masks[rows], target.visible[rows]
    )
    torch.testing.assert_close(LOSSES["vistr"](shuffled, [turned]), clean)


def partly(targets: list[ClipTargets], *absent: int) -> list[ClipTargets]:
    """As if these classes were not labelled."""
    labelled = torch.tensor([index not in absent for index in range(6)])
    return [replace(target, labelled=labelled) for target in targets]


@pytest.mark.parametrize("name", LOSSES)
def test_to_be_told_that_all_is_labelled_changes_nothing(scene: Callable, name: str) -> None:
    output, targets = scene(15, instances=(2, 4), sizes=((8, 8), (8, 8)))
    told = LOSSES[name](output, partly(targets))
    torch.testing.assert_close(told, LOSSES[name](output, targets), rtol=0, atol=0)


def test_the_class_term_is_a_cross_entropy(scene: Callable) -> None:
    output, targets = scene(16)
    logits = output.layers[-1].logits.requires_grad_()
    (pairs,) = LOSSES["detr"].matcher(output.layers[-1:], join(targets, output.layers[-1]))
    wanted = torch.full(logits.shape[:-1], 6)
    shown = targets[0].labels[pairs.instances]
    wanted[pairs.clips, pairs.frames, pairs.queries] = shown
    weight = torch.tensor([1.0] * 6 + [0.1], dtype=torch.float64)
    expected = cross_entropy(logits.flatten(0, 2), wanted.flatten(), weight)
    found = LOSSES["detr"].terms(output, targets)[-1]["class"]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    (mine,), (theirs,) = (torch.autograd.grad(x, logits) for x in (found, expected))
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-15)


def test_a_free_slot_may_say_a_class_that_is_not_annotated(scene: Callable) -> None:
    """The gradient pushes no such class down where no object is matched, and others as before."""
    output, targets = scene(17, layers=1)
    targets[0] = replace(targets[0], labels=torch.tensor([1, 3, 3]))
    logits = output.layers[0].logits.requires_grad_()
    (pairs,) = LOSSES["detr"].matcher(output.layers, join(targets, output.layers[0]))
    free = torch.ones(logits.shape[:-1], dtype=torch.bool)
    free[pairs.clips, pairs.frames, pairs.queries] = False

    def pushed(given: list[ClipTargets]) -> torch.Tensor:
        term = LOSSES["detr"].terms(output, given)[-1]["class"]
        return torch.autograd.grad(term, logits)[0]

    known, partial = pushed(targets), pushed(partly(targets, 2, 5))
    assert (known[free][:, [2, 5]] > 0).all() and (partial[free][:, [2, 5]] < 0).all()
    assert (partial[free][:, [0, 1, 3, 4]] > 0).all()
    torch.testing.assert_close(partial[~free], known[~free])
    surer = output.layers[0].logits.detach().clone()
    surer[..., 2] = torch.where(free, 50.0, surer[..., 2])
    sure = SequenceOutput([LayerOutput(surer.requires_grad_(), output.layers[0].boxes)])
    term = LOSSES["detr"].terms(sure, partly(targets, 2))[-1]["class"]
    assert torch.autograd.grad(term, surer)[0][free].abs().max() < 1e-12


def test_half_precision_is_summed_in_single(scene: Callable) -> None:
    output, targets = scene(12)
    layers = [LayerOutput(x.logits.bfloat16(), x.boxes.bfloat16()) for x in output.layers]
    half = replace(output, layers=layers, masks=output.masks.bfloat16())
    rounded = SequenceOutput(
        [LayerOutput(x.logits.float(), x.boxes.float()) for x in layers],
        half.masks.float(),
        padded_size=half.padded_size,
        sizes=half.sizes,
    )
    found = LOSSES["vistr"](half, targets)
    assert all(value.dtype == torch.float32 for value in found.values())
    torch.testing.assert_close(found, LOSSES["vistr"](rounded, targets))


def test_mask_terms_are_those_of_the_last_layer(scene: Callable) -> None:
    output, targets = scene(13, layers=3)
    loss = LOSSES["detr"]
    pairs = loss.matcher(output.layers, join(targets, output.layers[0]))[-1]
    focal, dice = mask_terms(output, targets, pairs, area=loss.area)
    terms = loss.terms(output, targets)[-1]
    torch.testing.assert_close(terms["mask_focal"], focal / targets[0].visible.numel())
    torch.testing.assert_close(terms["mask_dice"], dice / targets[0].visible.numel())


def test_errors_for_the_log(scene: Callable) -> None:
    output, targets = scene(14, layers=1, frames=2, queries=4)
    targets[0].visible[:] = True
    layer = output.layers[0]
    (pairs,) = LOSSES["vistr"].matcher([layer], join(targets, layer))
    layer.logits[:] = 0
    layer.logits[..., -1] = 9
    layer.logits[pairs.clips, pairs.frames, pairs.queries, targets[0].labels[pairs.instances]] = 20
    first = LayerOutput(layer.logits.clone(), layer.boxes)
    perfect = LOSSES["vistr"].errors(SequenceOutput([first]), targets)
    assert perfect["class_error"] == perfect["count_error"] == 0
    first.logits[0, 0, pairs.queries[0], -1] = 30
    one_lost = LOSSES["vistr"].errors(SequenceOutput([first]), targets)
    torch.testing.assert_close(one_lost["class_error"], torch.tensor(100 / 6))
    assert one_lost["count_error"] == 1


def test_alone_the_mean_over_ranks_is_the_count_itself() -> None:
    assert mean_over_ranks(torch.tensor(6.0)) == 6
    assert mean_over_ranks(torch.tensor(0.0), least=1.0) == 1
