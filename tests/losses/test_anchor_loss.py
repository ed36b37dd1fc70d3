"""The loss of anchors and of masks within boxes: what is right costs nothing, nothing breaks it."""

import dataclasses

import pytest
import torch
from torch import Tensor

from vis.errors import DataError
from vis.layers.anchors import anchors, encode
from vis.layers.roi_masks import COARSE, FINE, RoiMasks
from vis.losses.anchor_loss import MATCHED, Rois, RoiSampling, _matched, detector_terms, mask_terms
from vis.ops.boxes import to_corners
from vis.records import ClipTargets

CLASSES = 3
CANVAS = (64, 96)
PLACES = anchors([(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)], (300, 300)).double()


def target(*boxes: tuple[float, ...], labelled: Tensor | None = None) -> ClipTargets:
    """Objects that fill their boxes; the n-th is of class n."""
    masks = torch.zeros(len(boxes), 1, *CANVAS, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        rows = slice(round(top * CANVAS[0]), round(bottom * CANVAS[0]))
        mask[:, rows, round(left * CANVAS[1]) : round(right * CANVAS[1])] = True
    return ClipTargets(
        labels=torch.arange(len(boxes)) % CLASSES,
        boxes=torch.tensor(boxes, dtype=torch.float64).reshape(-1, 1, 4),
        masks=masks,
        visible=torch.ones(len(boxes), 1, dtype=torch.bool),
        labelled=labelled,
    )


BOXES = ((0.125, 0.25, 0.5, 0.75), (0.5, 0.0, 1.0, 0.5), (0.25, 0.5, 0.75, 1.0))
THREE, NONE = target(*BOXES), target()


def right(targets: list[ClipTargets]) -> tuple[Tensor, Tensor]:
    """Logits and offsets that say what is so."""
    logits = torch.full((len(targets), len(PLACES), CLASSES), -20.0, dtype=torch.float64)
    offsets = torch.zeros(len(targets), len(PLACES), 4, dtype=torch.float64)
    for number, one in enumerate(targets):
        _, rows, instances = _matched(PLACES, [one])
        logits[number, rows, one.labels[instances]] = 20
        offsets[number, rows] = encode(one.boxes[instances, 0], PLACES[rows])
    return logits, offsets


def test_what_is_right_costs_nothing():
    targets = [THREE, NONE]
    terms = detector_terms(*right(targets), PLACES, targets)
    assert terms.keys() == {"class", "box"}
    assert all(0 <= value < 1e-6 for value in terms.values())


def test_what_is_wrong_costs_something():
    logits, offsets = right([THREE])
    swapped = detector_terms(logits.roll(1, dims=2), offsets, PLACES, [THREE])
    assert swapped["class"] > 5 and swapped["box"] < 1e-6
    moved = detector_terms(logits, offsets + 1, PLACES, [THREE])
    assert moved["box"].item() == pytest.approx(4 * 0.5) and moved["class"] < 1e-6


def test_each_object_has_an_anchor_at_least():
    """One too small, two too long for all, and one that is an anchor."""
    boxes = (
        (0.4, 0.4, 0.41, 0.41),
        (0.0, 0.5, 1.0, 0.52),
        (0.0, 0.0, 0.02, 1.0),
        tuple(to_corners(PLACES)[1000].tolist()),
    )
    _, rows, instances = _matched(PLACES, [target(*boxes)])
    assert set(instances.tolist()) == {0, 1, 2, 3}
    assert len(set(rows.tolist())) == len(rows)
    assert 1000 in rows[instances == 3].tolist()
    assert all((instances == number).sum() == 1 for number in (0, 1, 2))


def test_objects_that_want_the_same_anchor_get_one_each():
    small = (0.4, 0.4, 0.41, 0.41)
    boxes = (small, small, BOXES[0], (0.405, 0.4, 0.41, 0.41))
    _, rows, instances = _matched(PLACES, [target(*boxes)])
    assert set(instances.tolist()) == {0, 1, 2, 3} and len(set(rows.tolist())) == len(rows)


def test_anchors_are_of_the_object_that_they_overlap_most():
    from torchvision.ops import box_iou

    _, rows, instances = _matched(PLACES, [THREE])
    overlaps = box_iou(THREE.boxes[:, 0], to_corners(PLACES))
    expected = (overlaps.amax(dim=0) >= MATCHED).nonzero()[:, 0]
    assert set(expected.tolist()) <= set(rows.tolist()) and len(rows) <= len(expected) + 3
    alike = overlaps[:, rows].amax(dim=0) == overlaps[instances, rows]
    assert alike.all()


def test_what_is_not_visible_is_nowhere():
    hidden = dataclasses.replace(THREE, visible=torch.zeros(3, 1, dtype=torch.bool))
    assert len(_matched(PLACES, [hidden])[0]) == 0
    logits, offsets = right([NONE])
    assert detector_terms(logits, offsets, PLACES, [hidden])["class"] < 1e-6
    found = RoiSampling()(to_corners(PLACES)[None], torch.ones(1, len(PLACES)), [hidden])
    assert len(found.boxes) == 0


def test_unlabelled_classes_are_not_punished():
    logits, offsets = right([NONE])
    logits[..., 1] = 5.0
    known = target(labelled=torch.tensor([True, False, True]))
    assert detector_terms(logits, offsets, PLACES, [known])["class"] < 1e-6
    assert detector_terms(logits, offsets, PLACES, [NONE])["class"] > 1


def test_a_label_that_is_no_class_is_refused():
    wrong = dataclasses.replace(THREE, labels=torch.tensor([0, 1, CLASSES]))
    with pytest.raises(DataError, match=f"label {CLASSES}"):
        detector_terms(*right([NONE]), PLACES, [wrong])


def drawn(targets: list[ClipTargets], **settings: float) -> Rois:
    detected = to_corners(PLACES).expand(len(targets), -1, -1)
    scores = torch.zeros(len(targets), len(PLACES), dtype=torch.float64)
    return RoiSampling(**settings)(detected, scores, targets)  # type: ignore[arg-type]


def test_without_jitter_the_boxes_are_the_true_ones():
    torch.manual_seed(0)
    found = drawn([NONE, THREE], jitter=0.0)
    assert found.pictures.tolist() == [1, 1, 1] and sorted(found.instances.tolist()) == [0, 1, 2]
    torch.testing.assert_close(found.boxes, THREE.boxes[found.instances, 0])


def test_with_jitter_they_are_about_the_true_ones():
    torch.manual_seed(0)
    moved = torch.stack([
        rois.boxes[rois.instances.argsort()] - THREE.boxes[:, 0]
        for rois in (drawn([THREE], jitter=0.1) for _ in range(300))
    ])  # fmt: skip
    sides = (THREE.boxes[:, 0, 2:] - THREE.boxes[:, 0, :2]).repeat(1, 2)
    centres = (moved[..., :2] + moved[..., 2:]) / 2 / sides[:, :2]
    assert centres.mean().abs() < 0.02 and centres.std().item() == pytest.approx(0.1, rel=0.15)


def test_no_picture_has_more_boxes_than_it_may():
    torch.manual_seed(0)
    crowd = target(*[(0.05 * n, 0.1, 0.05 * n + 0.2, 0.6) for n in range(12)])
    found = drawn([crowd, THREE], most=4)
    assert found.pictures.tolist() == [0] * 4 + [1] * 3


def test_the_surest_good_box_that_was_detected_is_learnt_from():
    torch.manual_seed(0)
    detected = torch.tensor([[[0.12, 0.24, 0.5, 0.75], [0.13, 0.3, 0.5, 0.75], [0.1, 0.2, 0.9, 1]]])
    scores = torch.tensor([[0.2, 0.6, 0.9]], dtype=torch.float64)
    found = RoiSampling(jitter=0.0)(detected.double(), scores, [target(BOXES[0])])
    assert {tuple(box) for box in found.boxes.float().tolist()} == {
        BOXES[0], tuple(detected[0, 1].tolist())
    }  # fmt: skip


def masks(rois: Rois, *, sure: float, dtype: torch.dtype = torch.float64) -> RoiMasks:
    """Of objects that fill their boxes, which are what is looked at."""
    count = len(rois.boxes)
    fine = torch.full((count, FINE, FINE), sure, dtype=dtype, requires_grad=True)
    coarse = torch.full((count, COARSE, COARSE), sure, dtype=dtype, requires_grad=True)
    return RoiMasks(coarse, fine)


def test_the_right_mask_costs_nothing():
    """Boxes within their objects, as the outermost samples of a box lie next to its edge."""
    centres = (THREE.boxes[:, 0, :2] + THREE.boxes[:, 0, 2:]).repeat(1, 2) / 2
    boxes = centres + 0.8 * (THREE.boxes[:, 0] - centres)
    rois = Rois(torch.tensor([1, 1, 1]), torch.arange(3), boxes)
    terms = mask_terms(masks(rois, sure=20.0), rois, [NONE, THREE])
    assert terms.keys() == {"mask_bce", "mask_dice", "mask_coarse"}
    assert all(0 <= value < 1e-6 for value in terms.values())
    wrong = mask_terms(masks(rois, sure=-20.0), rois, [NONE, THREE])
    assert wrong["mask_bce"] > 10 and wrong["mask_coarse"] > 10 and wrong["mask_dice"] > 0.9


def test_a_box_beside_its_object_shows_the_part_that_is_in_it():
    """The right half of the box is the object's left half."""
    box = torch.tensor([[0.0, 0.25, 0.25, 0.75]], dtype=torch.float64)
    rois = Rois(torch.tensor([0]), torch.tensor([0]), box)
    half = torch.full((1, FINE, FINE), -20.0, dtype=torch.float64)
    half[..., FINE // 2 :] = 20
    small = torch.full((1, COARSE, COARSE), -20.0, dtype=torch.float64)
    small[..., COARSE // 2 :] = 20
    good = mask_terms(RoiMasks(small, half), rois, [THREE])
    bad = mask_terms(RoiMasks(-small, -half), rois, [THREE])
    assert all(good[name] < 0.1 * bad[name] for name in good)


def test_no_objects_at_all_give_zero_with_a_gradient():
    rois = drawn([NONE, NONE])
    said = masks(rois, sure=0.0)
    terms = mask_terms(said, rois, [NONE, NONE])
    assert all(value == 0 and value.requires_grad for value in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert said.fine.grad is not None and said.coarse.grad is not None
    logits, offsets = (x.requires_grad_() for x in right([NONE, NONE]))
    terms = detector_terms(logits, offsets, PLACES, [NONE, NONE])
    assert all(value.isfinite() for value in terms.values()) and terms["box"] == 0
    torch.stack(list(terms.values())).sum().backward()
    assert offsets.grad is not None and logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_whole_losses(dtype: torch.dtype):
    logits, offsets = (x.to(dtype) for x in right([THREE, NONE]))
    terms = detector_terms(logits, offsets, PLACES.to(dtype), [THREE, NONE])
    rois = Rois(torch.zeros(3, dtype=torch.int64), torch.arange(3), THREE.boxes[:, 0].float())
    terms |= mask_terms(masks(rois, sure=-8.0, dtype=dtype), rois, [THREE])
    for name, value in terms.items():
        assert value.dtype == torch.float32 and value.isfinite(), name
    assert terms["mask_bce"].item() == pytest.approx(2 * 8, rel=0.1)
