"""The loss of a class for every pixel: cross entropy of a label map."""

import pytest
import torch
from torch.nn.functional import cross_entropy, interpolate

from vis.errors import DataError
from vis.losses.semantic import PixelLoss
from vis.records import ClipTargets

CANVAS = (16, 24)
SIZES = torch.tensor([[16, 24], [13, 20]])


def targets(seed: int) -> tuple[list[ClipTargets], torch.Tensor]:
    """Regions of three classes, and the same as maps with 255 where nothing is said."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, 4, (2, *CANVAS), generator=generator)
    maps[maps == 3] = 255
    found = []
    for one, (height, width) in zip(maps, SIZES.tolist(), strict=True):
        labels = torch.tensor([2, 0, 1])
        masks = torch.stack([one == label for label in labels])[:, None, :height, :width]
        found.append(ClipTargets(labels, torch.zeros(3, 1, 4), masks, torch.ones(3, 1) > 0))
    maps[1, 13:], maps[1, :, 20:] = 255, 255
    return found, maps


def test_it_is_the_cross_entropy_of_the_enlarged_scores():
    given, maps = targets(0)
    logits = torch.randn(2, 3, 4, 6)
    (found,) = PixelLoss(3, background=False)(logits, CANVAS, SIZES, given).values()
    large = interpolate(logits, CANVAS, mode="bilinear")
    torch.testing.assert_close(found, cross_entropy(large, maps, ignore_index=255))


def test_background_is_one_more_class():
    given, maps = targets(1)
    maps[0][maps[0] == 255] = 3
    maps[1, :13, :20][maps[1, :13, :20] == 255] = 3
    logits = torch.randn(2, 4, 4, 6)
    (found,) = PixelLoss(3, background=True)(logits, CANVAS, SIZES, given).values()
    large = interpolate(logits, CANVAS, mode="bilinear")
    torch.testing.assert_close(found, cross_entropy(large, maps, ignore_index=255))


def test_where_a_class_is_not_annotated_background_may_be_it():
    given, _ = targets(2)
    labelled = torch.tensor([True, True, False])
    kept = torch.tensor([1, 2])
    one = ClipTargets(
        given[0].labels[kept],
        given[0].boxes[kept],
        given[0].masks[kept],
        given[0].visible[kept],
        labelled,
    )
    logits = torch.randn(1, 4, *CANVAS)
    (found,) = PixelLoss(3, background=True)(logits, CANVAS, SIZES[:1], [one]).values()
    chances = logits[0].softmax(dim=0)
    wanted = chances[2] + chances[3]
    for label, mask in zip(one.labels, one.masks[:, 0], strict=True):
        wanted = torch.where(mask, chances[label], wanted)
    torch.testing.assert_close(found, -wanted.log().mean())


def test_a_label_of_no_class_is_refused():
    given, _ = targets(3)
    with pytest.raises(DataError, match="label 2"):
        PixelLoss(2, background=False)(torch.randn(2, 2, 4, 6), CANVAS, SIZES, given)
