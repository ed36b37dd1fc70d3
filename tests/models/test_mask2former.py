"""What becomes of queries: tracks, objects, segments, classes of pixels."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from vis import models
from vis.errors import UsageError
from vis.losses.query_loss import QueryOutput
from vis.models._query_output import EmbeddingMasks, Output
from vis.models._query_selection import (
    Classes,
    Instances,
    Segments,
    Tracks,
    best_pairs,
    boxes_of,
)
from vis.records import Clip


def said(logits: Tensor, masks: Tensor, *, size: tuple[int, int] | None = None) -> Output:
    """An output whose query n has the mask logits `[N T h w]`."""
    N, _, h, w = masks.shape
    padded_size = (4 * h, 4 * w)
    queries = QueryOutput(
        [logits[None]], [torch.eye(N)[None]], masks.transpose(0, 1)[None], padded_size
    )
    sizes = torch.tensor([size or padded_size])
    return Output(queries, torch.arange(2.0 * N).view(1, N, 2), sizes)


def left_and_right(strength: float = 8.0) -> Tensor:
    """Query 0 is the left half, 1 the right, 2 everything, faintly."""
    masks = torch.full((3, 1, 4, 8), -strength)
    masks[0, ..., :4], masks[1, ..., 4:] = strength, strength
    masks[2] = 0.1
    return masks


def test_kernel_masks_are_products_with_the_feature() -> None:
    torch.manual_seed(0)
    masks = EmbeddingMasks(torch.randn(2, 3, 4), torch.randn(2, 2, 4, 5, 6))
    select = torch.tensor([[True, False, True], [False, True, False]])
    every = torch.einsum("bnd,btdhw->bnthw", masks.mask_embeddings, masks.mask_features)
    torch.testing.assert_close(masks.logits(select), every[select])


def test_the_surest_pairs_are_tracks() -> None:
    logits = torch.tensor([[5.0, 4.0, 0.0], [0.0, 3.0, 0.0], [-9.0, -9.0, 9.0]])
    (found,) = Tracks(3)(said(logits, left_and_right()))
    assert found.labels.tolist() == [1, 0, 1]
    chances = logits.softmax(-1)
    expected = torch.stack((chances[1, 1], chances[0, 0], chances[0, 1]))
    torch.testing.assert_close(found.scores, expected)
    assert found.embeddings is not None and found.embeddings[:, 0].tolist() == [2, 0, 0]
    assert torch.equal(found.masks[1], found.masks[2]) and found.masks[0, 0, 0, 5] > 0.9
    assert found.boxes[0, 0].tolist() == [0.5, 0, 1, 1]


def test_choosing_before_enlarging_is_choosing_after() -> None:
    torch.manual_seed(0)
    chances = torch.rand(7, 5)
    found = best_pairs(chances, 10)
    order = chances.flatten().argsort(descending=True)[:10]
    assert torch.equal(found.queries * 5 + found.labels, order)
    assert len(best_pairs(chances[:1], 10).scores) == 5  # fewer pairs than asked for


def test_a_track_that_is_nowhere_is_left_out() -> None:
    masks = left_and_right()
    masks[0] = -1.0
    (found,) = Tracks(3)(said(torch.tensor([[5.0, 0.0], [4.0, 0.0], [0.0, 9.0]]), masks))
    assert len(found.scores) == 2 and found.presence.min() > 0.5


def test_objects_are_scored_by_their_masks_too_and_others_left_out() -> None:
    logits = torch.tensor([[6.0, 0.0, 0.0], [0.0, 6.0, 0.0], [6.1, 0.0, 0.0]])
    masks = left_and_right()
    (found,) = Instances(100, things=2)(said(logits, masks))
    assert len(found.scores) == 6
    # query 2 is surer of its class, not of its mask
    assert found.embeddings is not None and found.embeddings[:3, 0].tolist()[-1] == 4
    sure = torch.tensor(0.1).sigmoid()
    chance = logits[2].softmax(-1)[0]
    torch.testing.assert_close(found.scores[2], chance * sure, atol=1e-4, rtol=0)
    assert (found.scores.diff() <= 0).all()
    (things,) = Instances(100, things=1)(said(logits, masks))
    assert set(things.labels.tolist()) == {0}


def test_segments_share_the_picture() -> None:
    logits = torch.tensor([[6.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 6.0, 0.0]])
    (found,) = Segments(1, 0.8, 0.8)(said(logits, left_and_right(), size=(14, 30)))
    assert found.masks.shape == (2, 1, 14, 30) and found.labels.tolist() == [0, 1]
    assert found.masks.sum(dim=0).max() == 1  # query 2 lost more than a fifth of its mask
    assert found.boxes[0, 0, 2] == pytest.approx(0.5, abs=0.05)


def test_regions_of_one_class_that_is_no_object_are_one_segment() -> None:
    logits = torch.tensor([[0.0, 6.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 9.0]])
    output = said(logits, left_and_right())
    (merged,) = Segments(1, 0.8, 0.8)(output)
    assert merged.labels.tolist() == [1] and merged.masks.all()
    (apart,) = Segments(2, 0.8, 0.8)(output)
    assert apart.labels.tolist() == [1, 1]
    (nothing,) = Segments(2, 1.0, 0.8)(output)
    assert nothing.masks.shape == (0, 1, 16, 32) and nothing.boxes.shape == (0, 1, 4)


def test_every_pixel_has_a_class() -> None:
    logits = torch.tensor([[6.0, 0.0, -6.0], [0.0, 6.0, -6.0], [0.0, 6.0, -6.0]])
    (found,) = Classes()(said(logits, left_and_right()))
    assert found.semantic is not None and found.semantic.shape == (1, 2, 16, 32)
    assert (found.semantic >= 0).all() and (found.semantic <= 1).all()
    assert found.semantic[0, :, 8].argmax(dim=0).tolist() == [0] * 16 + [1] * 16
    assert found.labels.tolist() == [0, 1]
    assert (found.masks.sum(dim=0) == 1).all()


def test_boxes_are_tight() -> None:
    inside = torch.zeros(2, 1, 4, 8, dtype=torch.bool)
    inside[0, 0, 1:3, 2:7] = True
    assert boxes_of(inside).tolist() == [[[0.25, 0.25, 0.875, 0.75]], [[0.0] * 4]]


SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "d_model": 32,
    "mask_width": 16,
    "queries": 6,
    "num_heads": 2,
    "pixel_depth": 1,
    "pixel_ffn_dim": 32,
    "depth": 3,
    "ffn_dim": 32,
}


def test_the_semantic_task_says_a_class_of_every_pixel() -> None:
    torch.manual_seed(0)
    model = models.build("mask2former", classes=4, task="semantic", **SMALL).eval()
    clip = Clip(torch.rand(2, 1, 3, 40, 64), torch.tensor([[40, 64], [33, 50]]))
    with torch.inference_mode():
        first, second = model.predictions(model(clip), clip)
    assert first.semantic is not None and first.semantic.shape == (1, 4, 40, 64)
    assert second.semantic is not None and second.semantic.shape == (1, 4, 33, 50)
    assert model.frames == 1


def test_frames_a_few_at_a_time_change_nothing() -> None:
    torch.manual_seed(0)
    whole = models.build("mask2former", classes=4, frames=5, chunk=9, **SMALL).eval()
    parts = models.build("mask2former", classes=4, frames=5, chunk=2, **SMALL).eval()
    parts.load_state_dict(whole.state_dict())
    clip = Clip(torch.rand(1, 5, 3, 64, 64), torch.tensor([[64, 64]]))
    with torch.inference_mode():
        one, other = whole(clip).queries, parts(clip).queries
    torch.testing.assert_close(one.logits[-1], other.logits[-1], atol=1e-5, rtol=0)


def test_only_the_last_layer_names_classes_in_use() -> None:
    torch.manual_seed(0)
    model = models.build("mask2former", classes=4, **SMALL)
    clip = Clip(torch.rand(1, 1, 3, 32, 32), torch.tensor([[32, 32]]))
    training, used = model(clip).queries, model.eval()(clip).queries
    assert len(training.logits) == len(training.mask_embeddings) == 4 and len(used.logits) == 1
    torch.testing.assert_close(used.logits[-1], training.logits[-1])


def test_the_whole_backbone_learns_but_no_norm() -> None:
    model = models.build("mask2former", classes=4, **SMALL)
    assert all(parameter.requires_grad for parameter in model.parameters())
    names = {name for name, _ in model.backbone.named_parameters()}
    assert not any("norm" in name for name in names)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"task": "boxes"}, "task"),
        ({"d_model": 68, "num_heads": 4}, "32"),
        ({"queries": 0}, "queries"),
        ({"keep": 0}, "keep"),
        ({"min_whole": 2.0}, "min_whole"),
        ({"num_heads": 5}, "5 heads"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        models.build("mask2former", classes=4, **(SMALL | settings))


def test_the_defaults_are_the_published_ones() -> None:
    with torch.device("meta"):
        config = models.build("mask2former", classes=40).config
    found = dataclasses.asdict(config)
    wanted = {"queries": 100, "depth": 9, "pixel_depth": 6, "ffn_dim": 2048, "pixel_ffn_dim": 1024}
    assert {name: found[name] for name in wanted} == wanted and found["points"] == 12544
