"""The mask branch: how much is computed at once, and for which queries, changes no result."""

from types import SimpleNamespace

import pytest
import torch

from vis.models._masks import MaskBranch
from vis.records import Clip


def count_queries(model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many queries each call of the mask branch computes."""
    counts: list[int] = []
    forward = MaskBranch.forward

    def counted(self: MaskBranch, context: object, selected: torch.Tensor) -> torch.Tensor:
        counts.append(len(selected))
        return forward(self, context, selected)

    monkeypatch.setattr(MaskBranch, "forward", counted)
    return counts


@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
def test_chunks_change_no_result(small: SimpleNamespace, masked: str, chunk: int):
    clip = small.clip(small.make(masked), frames=3)
    with torch.inference_mode():
        found = small.make(masked, chunk=chunk)(clip).dense()
        expected = small.make(masked)(clip).dense()
    torch.testing.assert_close(found.masks, expected.masks, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        found.layers[-1].logits, expected.layers[-1].logits, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("chunk", [1, 4])
def test_no_more_frames_than_a_chunk_are_held_at_once(
    small: SimpleNamespace, masked: str, chunk: int, monkeypatch: pytest.MonkeyPatch
):
    model = small.make(masked, chunk=chunk)
    clip = small.clip(model, frames=3)
    held: list[int] = []
    for module in (model.backbone, model.masks.pyramid, model.masks.pyramid.end):
        module.register_forward_pre_hook(lambda _, inputs: held.append(len(inputs[0])))

    def hold_volumes(_: object, inputs: tuple[torch.Tensor]) -> None:
        queries, _, frames = inputs[0].shape[:3]
        held.append(queries * frames if queries > 1 else 1)

    model.masks.volume.register_forward_pre_hook(hold_volumes)
    with torch.inference_mode():
        model.predictions(model(clip), clip)
    assert 0 < max(held) <= chunk


def test_training_and_use_compute_the_same_masks(small: SimpleNamespace, masked: str):
    model = small.make(masked, dropout=0.0, **({"sine_dropout": 0.0} if masked == "tt_srn" else {}))
    clip = small.clip(model)
    with torch.inference_mode():
        used = model(clip).dense()
    trained = model.train()(clip).dense()
    torch.testing.assert_close(trained.masks, used.masks, atol=1e-4, rtol=1e-4)


def test_only_selected_queries_are_computed_with_equal_results(
    small: SimpleNamespace, masked: str, monkeypatch: pytest.MonkeyPatch
):
    clip = small.clip(small.make(masked))
    with torch.inference_mode():
        full = small.make(masked)
        whole = full.predictions(full(clip), clip)
        counts = count_queries(full, monkeypatch)
        model = small.make(masked, keep=2)
        kept = model.predictions(model(clip), clip)
    assert counts == [4]
    for few, many in zip(kept, whole, strict=True):
        assert len(few.scores) == 2 < len(many.scores)
        best = many.scores.topk(2).indices.sort().values
        torch.testing.assert_close(few.scores, many.scores[best])
        torch.testing.assert_close(few.masks, many.masks[best], atol=1e-5, rtol=0)


def test_where_nothing_is_kept_nothing_is_computed(
    small: SimpleNamespace, masked: str, monkeypatch: pytest.MonkeyPatch
):
    model = small.make(masked, min_score=1.0)
    clip = small.clip(model)
    counts = count_queries(model, monkeypatch)
    refined: list[object] = []
    monkeypatch.setattr(MaskBranch, "_refined", lambda *parts: refined.append(parts))
    with torch.inference_mode():
        predictions = model.predictions(model(clip), clip)
    assert sum(counts) == 0 and not refined
    for made in predictions:
        assert len(made.scores) == 0
        assert made.masks.shape[:2] == (0, clip.frames.shape[1])


def test_one_frame_is_an_image(small: SimpleNamespace, case: str):
    model = small.make(case)
    clip = small.clip(model, frames=1)
    with torch.inference_mode():
        (first, _) = model.predictions(model(clip), clip)
    assert first.boxes.shape[1] == first.masks.shape[1] == 1
    losses = model.train().losses(model(clip), small.targets(clip))
    assert all(value.isfinite() for value in losses.values())


def test_masks_cover_the_canvas_and_predictions_the_content(small: SimpleNamespace):
    model = small.make("tt_srn")
    clip = Clip(torch.rand(1, 2, 3, 50, 70), torch.tensor([[50, 70]]))
    with torch.inference_mode():
        output = model(clip)
        (made,) = model.predictions(output, clip)
    assert output.padded_size == (64, 96)
    dense = output.dense()
    assert dense.masks is not None and dense.masks.shape == (1, 2, 3, 16, 24)
    assert made.masks.shape[2:] == (12, 18)


def test_masks_can_be_asked_for_outside_of_autocast(small: SimpleNamespace, masked: str):
    model = small.make(masked)
    clip = small.clip(model)
    with torch.inference_mode():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(clip)
        predictions = model.predictions(output, clip)
    assert all(made.masks.dtype == torch.float32 for made in predictions)
