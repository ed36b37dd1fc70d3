"""The loss of coded masks: right answers cost nothing, matching sees boxes, classes and codes."""

from dataclasses import replace

import pytest
import torch

from vis.errors import DataError, UsageError
from vis.layers.mask_codes import CosineCodes
from vis.losses.code_loss import V1, V2, CodedStage, CodeLoss, dice
from vis.ops.crops import cut_out
from vis.records import ClipTargets

CODEC = CosineCodes(8, 64)
CLASSES, QUERIES = 3, 5


def target(frames: int = 1) -> ClipTargets:
    """Two objects; the second is not seen in the last of several frames."""
    masks = torch.zeros(2, frames, 32, 32, dtype=torch.bool)
    masks[0, :, 4:20, 8:24] = True
    masks[0, :, 4:12, 8:16] = False
    masks[1, :, 16:32, 0:8] = True
    boxes = torch.tensor([[8, 4, 24, 20], [0, 16, 8, 32]]) / 32
    visible = torch.ones(2, frames, dtype=torch.bool)
    visible[1, 1:] = False
    return ClipTargets(
        torch.tensor([2, 0]),
        boxes[:, None] * visible[..., None],
        masks & visible[..., None, None],
        visible,
    )


def right(wanted: ClipTargets) -> CodedStage:
    """What says exactly that: object n in query 3 - n."""
    T = wanted.visible.shape[1]
    logits = torch.full((1, T, QUERIES, CLASSES), -20.0)
    boxes = torch.tensor([0.4, 0.4, 0.5, 0.5]).repeat(1, T, QUERIES, 1)
    codes = torch.randn(1, T, QUERIES, 64, generator=torch.Generator().manual_seed(0))
    for n, t in wanted.visible.nonzero().tolist():
        logits[0, t, 3 - n, wanted.labels[n]] = 20
        boxes[0, t, 3 - n] = wanted.boxes[n, t]
        shown = cut_out(wanted.masks[n, t, None], torch.zeros(1), wanted.boxes[n, t, None], 8)
        codes[0, t, 3 - n] = CODEC.encode(shown)[0]
    return CodedStage(logits, boxes, codes, None)


@pytest.mark.parametrize("loss", [V1, V2])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_right_answer_costs_nothing(loss: CodeLoss, frames: int) -> None:
    wanted = target(frames)
    stage = right(wanted)
    (pairs,) = loss.match([stage], [wanted], CODEC)[0]
    assert pairs.queries.tolist() == [2, 3] and pairs.instances.tolist() == [1, 0]
    for name, value in loss([stage], [wanted], CODEC).items():
        assert value.item() == pytest.approx(0, abs=1e-4), name


@pytest.mark.parametrize("part", ["logits", "boxes", "codes"])
def test_each_part_alone_tells_queries_apart(part: str) -> None:
    wanted = target()
    best = right(wanted)
    same = replace(
        best,
        logits=torch.zeros_like(best.logits),
        boxes=torch.full_like(best.boxes, 0.25) + torch.tensor([0.0, 0, 0.5, 0.5]),
        codes=torch.ones_like(best.codes),
    )
    stage = replace(same, **{part: getattr(best, part)})
    (pairs,) = V1.match([stage], [wanted], CODEC)[0]
    assert dict(zip(pairs.instances.tolist(), pairs.queries.tolist(), strict=True)) == {0: 3, 1: 2}


def test_masks_are_cut_out_where_they_are_or_where_they_were_found() -> None:
    wanted = target()
    stage = right(wanted)
    stage.boxes[0, 0, 3] += 0.1
    first, second = (loss.terms([stage], [wanted], CODEC)[0] for loss in (V1, V2))
    assert first["mask_dice"] < 1e-4 and first["code"] < 1e-4
    assert second["mask_dice"] > 0.05 and second["code"] > 0.01
    assert torch.equal(first["box_l1"], second["box_l1"]) and first["box_l1"] > 0


def test_the_terms_are_means_over_what_is_seen() -> None:
    wanted, double = target(), [target(), target()]
    stage = right(wanted)
    stage = replace(stage, boxes=stage.boxes + 0.05, codes=stage.codes + 1)
    twice = CodedStage(
        *(x.repeat(2, *[1] * (x.dim() - 1)) for x in (stage.logits, stage.boxes, stage.codes)), None
    )
    for one, other in zip(
        V1([stage], [wanted], CODEC).values(), V1([twice], double, CODEC).values(), strict=True
    ):
        torch.testing.assert_close(one, other)
    two_stages = V1([stage, stage], [wanted], CODEC)
    torch.testing.assert_close(two_stages["code"], 2 * V1([stage], [wanted], CODEC)["code"])


def test_numbers_that_are_none_do_not_stop_the_matching() -> None:
    wanted = target()
    stage = right(wanted)
    stage.boxes[0, 0, 0] = float("nan")
    stage.logits[0, 0, 1] = float("nan")
    (pairs,) = V1.match([stage], [wanted], CODEC)[0]
    assert pairs.queries.tolist() == [2, 3]


def test_dice_by_hand() -> None:
    found, wanted = torch.tensor([[[0.5, 1.0]]]), torch.tensor([[[True, False]]])
    torch.testing.assert_close(dice(found, wanted), torch.tensor([1 - 2 * 0.5 / (1.25 + 1)]))


def test_what_does_not_belong_together_is_refused() -> None:
    stage = right(target())
    with pytest.raises(UsageError, match="2 targets for a batch of 1"):
        V1([stage], [target(), target()], CODEC)
    with pytest.raises(DataError, match="label 7"):
        V1([stage], [replace(target(), labels=torch.tensor([0, 7]))], CODEC)
