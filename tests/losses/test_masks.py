"""Mask terms: by hand, by a direct resize, and blind to the padding."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from vis.errors import UsageError
from vis.losses import masks
from vis.losses.masks import dice_term, focal_term, mask_terms, padded_area, valid_area
from vis.losses.matching import Pairs
from vis.losses.outputs import SequenceOutput
from vis.records import ClipTargets

THREE = torch.log(torch.tensor(3.0))  # the logit of probability 3/4
ALL = torch.ones(1, 1, 2, dtype=torch.bool)


def pairs_of(targets: list[ClipTargets]) -> Pairs:
    """Instance n of each clip in slot n, in the frames that show it."""
    entries = [[], [], [], []]
    first = 0
    for clip, target in enumerate(targets):
        for slot, frame in target.visible.nonzero().tolist():
            for column, value in zip(entries, (clip, frame, slot, first + slot), strict=True):
                column.append(value)
        first += len(target.labels)
    counts = [int(target.visible.sum()) for target in targets]
    return Pairs(*(torch.tensor(column, dtype=torch.int64) for column in entries), counts)


def test_focal_by_hand() -> None:
    logits = torch.stack((THREE, THREE))[None, None]
    truth = torch.tensor([[[True, False]]])
    right = 0.25 * (1 / 4) ** 2 * torch.log(torch.tensor(4 / 3))
    wrong = 0.75 * (3 / 4) ** 2 * torch.log(torch.tensor(4.0))
    torch.testing.assert_close(focal_term(logits, truth, ALL)[0], (right + wrong) / 2)
    only_first = torch.tensor([[[True, False]]])
    torch.testing.assert_close(focal_term(logits, truth, only_first)[0], right)


def test_dice_by_hand() -> None:
    logits = torch.stack((THREE, THREE))[None, None]
    truth = torch.tensor([[[True, False]]])
    expected = 1 - (2 * 3 / 4 + 1) / (6 / 4 + 1 + 1)
    torch.testing.assert_close(dice_term(logits, truth, ALL).item(), expected)
    only_second = torch.tensor([[[False, True]]])
    expected = 1 - 1 / (3 / 4 + 1)
    torch.testing.assert_close(dice_term(logits, truth, only_second).item(), expected)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_a_sure_model_has_finite_terms(logit: float) -> None:
    logits = torch.full((1, 1, 2), logit, requires_grad=True)
    truth = torch.tensor([[[True, False]]])
    (focal_term(logits, truth, ALL) + dice_term(logits, truth, ALL)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_equals_a_direct_resize(scene: Callable) -> None:
    output, targets = scene(1, frames=4)
    found = mask_terms(output, targets, pairs_of(targets), area=padded_area)
    focal = dice = torch.tensor(0.0).double()
    for slot, frame in targets[0].visible.nonzero().tolist():
        truth = targets[0].masks[slot, frame].double()
        cells = output.masks[0, frame, slot]
        logits = interpolate(cells[None, None], size=(16, 24), mode="bilinear")[0, 0]
        p = logits.sigmoid()
        entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none")
        correct = p * truth + (1 - p) * (1 - truth)
        balance = 0.25 * truth + 0.75 * (1 - truth)
        focal = focal + (balance * (1 - correct) ** 2 * entropy).mean()
        dice = dice + 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    torch.testing.assert_close(found, (focal, dice))


def test_piece_by_piece_equals_at_once(scene: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    output, targets = scene(2, instances=(3, 2), sizes=((16, 24), (8, 20)))

    def run() -> tuple[torch.Tensor, ...]:
        cells = output.masks.clone().requires_grad_()
        terms = mask_terms(
            replace(output, masks=cells), targets, pairs_of(targets), area=valid_area
        )
        sum(terms).backward()
        return (*terms, cells.grad)

    whole = run()
    monkeypatch.setattr(masks, "AT_ONCE", 2 * 16 * 24)
    torch.testing.assert_close(run(), whole)
    monkeypatch.setattr(masks, "AT_ONCE", 1)
    torch.testing.assert_close(run(), whole)


def test_garbage_in_the_padding_changes_nothing(scene: Callable) -> None:
    output, targets = scene(3, instances=(3, 3), sizes=((16, 24), (10, 18)))
    pairs = pairs_of(targets)
    clean = mask_terms(output, targets, pairs, area=valid_area)
    cells = output.masks.clone()
    cells[1, ..., 3:, :] = torch.nan  # content of 10 rows is in the first 3 of 4
    cells[1, ..., :, 5:] = torch.nan
    dirty = torch.ones(3, 3, 16, 24, dtype=torch.bool)
    dirty[..., :10, :18] = targets[1].masks
    padded = [targets[0], replace(targets[1], masks=dirty)]
    found = mask_terms(replace(output, masks=cells), padded, pairs, area=valid_area)
    torch.testing.assert_close(found, clean, rtol=0, atol=0)


def test_a_cell_that_is_partly_content_counts(scene: Callable) -> None:
    output, targets = scene(3, sizes=((10, 18),))
    cells = output.masks[:, :, :, :1, :1].expand(1, 3, 5, 4, 6).clone().requires_grad_()
    wide = replace(output, masks=cells, padded_size=(16, 24))
    sum(mask_terms(wide, targets, pairs_of(targets), area=valid_area)).backward()
    used = cells.grad.ne(0).any(0).any(0).any(0)
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[:3, :5] = True  # 10 x 18 pixels of 4 x 4 each
    assert torch.equal(used, expected)


def test_padding_counts_as_background_where_asked(scene: Callable) -> None:
    output, targets = scene(4, sizes=((8, 12),))
    wide = replace(output, padded_size=(16, 24))
    pairs = pairs_of(targets)
    padded = torch.zeros(3, 3, 16, 24, dtype=torch.bool)
    padded[..., :8, :12] = targets[0].masks
    explicit = mask_terms(
        SequenceOutput(output.layers, output.masks),
        [replace(targets[0], masks=padded)],
        pairs,
        area=valid_area,
    )
    torch.testing.assert_close(mask_terms(wide, targets, pairs, area=padded_area), explicit)
    content = mask_terms(wide, targets, pairs, area=valid_area)
    assert not torch.isclose(content[0], explicit[0])


def test_sizes_default_to_the_masks_of_the_targets(scene: Callable) -> None:
    output, targets = scene(5, instances=(2, 2), sizes=((16, 20), (8, 24)))
    bare = SequenceOutput(output.layers, output.masks)
    pairs = pairs_of(targets)
    torch.testing.assert_close(
        mask_terms(bare, targets, pairs, area=valid_area),
        mask_terms(output, targets, pairs, area=valid_area),
    )


def test_no_pairs_give_zero_with_a_gradient(scene: Callable) -> None:
    output, targets = scene(6, instances=(0,))
    cells = output.masks.requires_grad_()
    focal, dice = mask_terms(output, targets, pairs_of(targets), area=valid_area)
    (focal + dice).backward()
    assert focal.item() == dice.item() == 0
    assert (cells.grad == 0).all()


def test_masks_beyond_the_padded_size_are_refused(scene: Callable) -> None:
    output, targets = scene(7)
    with pytest.raises(UsageError, match="16 x 24 pixels for a model's padded size of 16 x 20"):
        mask_terms(
            replace(output, padded_size=(16, 20)), targets, pairs_of(targets), area=valid_area
        )
